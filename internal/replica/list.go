package replica

// link is an element's place in a list; it is part of the element, so queueing
// allocates nothing. of is set by whoever owns the element.
type link[T any] struct {
	prev, next *link[T]
	of         *T
	in         bool
}

// list is a doubly linked list. The zero value is empty. The lock of its owner
// guards it.
type list[T any] struct{ head, tail *link[T] }

// insertAfter puts l behind at, or first when at is nil.
func (q *list[T]) insertAfter(at, l *link[T]) {
	l.prev, l.in = at, true
	if at == nil {
		l.next, q.head = q.head, l
	} else {
		l.next, at.next = at.next, l
	}
	if l.next == nil {
		q.tail = l
	} else {
		l.next.prev = l
	}
}

func (q *list[T]) pushBack(l *link[T]) { q.insertAfter(q.tail, l) }

func (q *list[T]) remove(l *link[T]) {
	if l.prev == nil {
		q.head = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		q.tail = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next, l.in = nil, nil, false
}

// takeTo moves l from q to the end of out.
func (q *list[T]) takeTo(l *link[T], out *list[T]) {
	q.remove(l)
	out.pushBack(l)
	l.in = false // it is nobody's to cancel any more
}

// drain visits and forgets all of q. An element may be queued again, elsewhere,
// as soon as it is visited.
func (q *list[T]) drain(visit func(*T)) {
	for l := q.head; l != nil; {
		next := l.next
		l.prev, l.next = nil, nil
		visit(l.of)
		l = next
	}
	q.head, q.tail = nil, nil
}
