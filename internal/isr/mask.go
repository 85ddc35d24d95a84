package isr

import "math/bits"

// MaxReplicas is how many replicas a partition can have.
const MaxReplicas = 16

// Mask is a set of replicas: bit i stands for the i-th replica of the assignment.
// "ISR ⊆ replicas" therefore cannot be violated.
type Mask uint16

// MaskOf gives the members of set as bits of replicas; who is no replica is left out.
func MaskOf(replicas, set []int32) Mask {
	var m Mask
	for _, id := range set {
		if i := index(replicas, id); i >= 0 {
			m = m.With(i)
		}
	}
	return m
}

func (m Mask) Has(i int) bool     { return m&(1<<i) != 0 }
func (m Mask) With(i int) Mask    { return m | 1<<i }
func (m Mask) Without(i int) Mask { return m &^ (1 << i) }
func (m Mask) Count() int         { return bits.OnesCount16(uint16(m)) }

// Members lists the broker ids of m, in assignment order.
func (m Mask) Members(replicas []int32) []int32 {
	ids := make([]int32, 0, m.Count())
	for i, id := range replicas {
		if m.Has(i) {
			ids = append(ids, id)
		}
	}
	return ids
}

func index(replicas []int32, id int32) int {
	for i, r := range replicas {
		if r == id {
			return i
		}
	}
	return -1
}
