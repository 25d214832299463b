package main

import (
	"container/heap"
	"time"
)

// Moments of our own making lie apart from each other: SwarmKit's timers that they set off would else
// be due at one moment too, and a bubble fires those in random order. The spacing is a prime number of
// nanoseconds larger than the sum of the `ties`, and the round trip is just under a millisecond.
const (
	grain   = time.Microsecond
	spacing = 1009 * time.Nanosecond
	spaces  = 997
)

// An agenda holds what the node is to do, and when: moments are durations since the scenario began.
type agenda struct {
	entries entryHeap
	count   uint64
	now     func() time.Duration
}

// An entry is one thing to do. A cancelled one stays in the agenda and does nothing.
type entry struct {
	at    time.Duration
	order uint64
	do    func()
}

func (e *entry) cancel() {
	if e != nil {
		e.do = nil
	}
}

// apart gives a moment that is no other one's, not before the given one and under 1.1 ms after it.
func (a *agenda) apart(moment time.Duration) time.Duration {
	a.count++
	if rest := moment % grain; rest > 0 {
		moment += grain - rest
	}
	return moment + time.Duration(a.count%spaces)*spacing
}

// at plans something for a moment.
func (a *agenda) at(moment time.Duration, do func()) *entry {
	e := &entry{at: a.apart(moment), order: a.count, do: do}
	heap.Push(&a.entries, e)
	return e
}

// after plans something for a while from now.
func (a *agenda) after(wait time.Duration, do func()) *entry { return a.at(a.now()+wait, do) }

// next says when the next thing is due; false where nothing is planned.
func (a *agenda) next() (time.Duration, bool) {
	for len(a.entries) > 0 && a.entries[0].do == nil {
		heap.Pop(&a.entries)
	}
	if len(a.entries) == 0 {
		return 0, false
	}
	return a.entries[0].at, true
}

// doNext does the next thing.
func (a *agenda) doNext() {
	if e := heap.Pop(&a.entries).(*entry); e.do != nil {
		e.do()
	}
}

type entryHeap []*entry

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)   { *h = append(*h, x.(*entry)) }
func (h *entryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
