package server

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBudgetInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		never := make(chan struct{})
		if !b.take(60, never) {
			t.Fatal("the first does not wait")
		}
		order := make(chan int, 3)
		for i, n := range []int64{50, 10, 500} {
			go func() { b.take(n, never); order <- i }()
			synctest.Wait()
		}
		if len(order) != 0 || b.tryTake(1) {
			t.Fatal("somebody overtook the first who waits")
		}
		b.give(60)
		synctest.Wait()
		if len(order) != 2 || <-order+<-order != 1 {
			t.Fatal("the two that fit were not let in")
		}
		b.give(50)
		synctest.Wait()
		if len(order) != 0 {
			t.Fatal("larger than all: not while something is taken")
		}
		b.give(10)
		if <-order != 2 {
			t.Fatal("larger than all: alone")
		}
		b.give(500)
		if b.used.Load() != 0 || b.waiting.Load() != 0 {
			t.Fatal("left over")
		}
	})
}

func TestBudgetForcedGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		b.take(10, nil)
		b.force(95)
		in := make(chan bool, 1)
		go func() { in <- b.take(20, nil) }()
		synctest.Wait()
		if len(in) != 0 || !b.scarce() {
			t.Fatal("let in beyond the limit")
		}
		b.unforce(95)
		if !<-in {
			t.Fatal("not let in")
		}
	})
}

func TestBudgetWithdrawLetsTheNextIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		b.take(50, nil)
		stop, in := make(chan struct{}), make(chan bool, 2)
		go func() { in <- b.take(90, stop) }()
		synctest.Wait()
		go func() { in <- b.take(40, nil) }()
		synctest.Wait()
		close(stop)
		if a, c := <-in, <-in; a == c {
			t.Fatal(a, c)
		}
		if b.used.Load() != 90 {
			t.Fatal(b.used.Load())
		}
	})
}

func TestBudgetRandomly(t *testing.T) {
	b := newBudget(1000)
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 3))
			for range 2000 {
				n := rng.Int64N(700)
				switch rng.IntN(4) {
				case 0:
					b.force(n)
					b.unforce(n)
				case 1:
					stop := make(chan struct{})
					go func() { time.Sleep(time.Duration(rng.IntN(20))); close(stop) }()
					if b.take(n, stop) {
						b.give(n)
					}
					<-stop
				case 2:
					if b.tryTake(n) {
						b.give(n)
					}
				default:
					b.take(n, nil)
					b.give(n)
				}
			}
		})
	}
	all.Wait()
	if b.used.Load() != 0 || b.taken != 0 || b.waiting.Load() != 0 || len(b.queue) != 0 {
		t.Fatalf("left over: %d used, %d taken, %d waiting", b.used.Load(), b.taken, b.waiting.Load())
	}
}
