package main

import (
	"container/heap"
	"time"
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

// at plans something for a moment; what is planned first for one moment is done first.
func (a *agenda) at(moment time.Duration, do func()) *entry {
	a.count++
	e := &entry{at: moment, order: a.count, do: do}
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
