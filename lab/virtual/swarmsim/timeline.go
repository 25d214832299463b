package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state"
)

// An item is a commit, a container's event or an OOM kill.
type item struct {
	at time.Duration
	// commit has the swarm's part, for the dispatcher and for the answer; nil for all other items.
	commit *commit
	// event is the answer's part of all other items.
	event any
}

// A commit is one transaction of SwarmKit's store, as far as it touched services or tasks.
type commit struct {
	services, removedServices []*api.Service
	tasks, removedTasks       []*api.Task
}

// A timeline holds every commit and event, in exact order. It stands where a manager has its raft log
// (manager/state/proposer.go), so it sees every transaction. Without a rising index no object would
// get a version, no task would ever be dirty, and nothing would be updated.
type timeline struct {
	now   func() time.Duration
	mutex sync.Mutex
	index uint64
	items []item
	// woken has something in it when items were added.
	woken chan struct{}
}

var _ state.Proposer = (*timeline)(nil)

func newTimeline(now func() time.Duration) *timeline {
	return &timeline{now: now, woken: make(chan struct{}, 1)}
}

// ProposeValue commits at once. It must not sleep: the store's lock is held, and a goroutine that
// waits for a lock stops virtual time.
func (t *timeline) ProposeValue(_ context.Context, done []api.StoreAction, apply func()) error {
	t.mutex.Lock()
	t.index++
	t.mutex.Unlock()
	apply()
	if c := commitOf(done); c != nil {
		t.add(item{at: t.now(), commit: c})
	}
	return nil
}

// GetVersion counts the transactions.
func (t *timeline) GetVersion() *api.Version {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return &api.Version{Index: t.index}
}

// ChangesBetween is for a manager's watch API, which is not here.
func (t *timeline) ChangesBetween(_, _ api.Version) ([]state.Change, error) {
	return nil, errors.New("this swarm keeps no log of its changes")
}

func (t *timeline) add(added item) {
	t.mutex.Lock()
	t.items = append(t.items, added)
	t.mutex.Unlock()
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// addEvent adds an event from outside the store.
func (t *timeline) addEvent(event any) { t.add(item{at: t.now(), event: event}) }

// take hands over what was added since the last time.
func (t *timeline) take() []item {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	select {
	case <-t.woken:
	default:
	}
	taken := t.items
	t.items = nil
	return taken
}

// commitOf reads a transaction; nil where it touched neither services nor tasks. A batch may run over
// a map: within one transaction the order means nothing, so it is made the same every time.
func commitOf(done []api.StoreAction) *commit {
	services, tasks := map[string]*api.Service{}, map[string]*api.Task{}
	goneServices, goneTasks := map[string]*api.Service{}, map[string]*api.Task{}
	for _, action := range done {
		isRemoval := action.Action == api.StoreActionKindRemove
		switch target := action.Target.(type) {
		case *api.StoreAction_Service:
			put(target.Service.ID, target.Service, isRemoval, services, goneServices)
		case *api.StoreAction_Task:
			put(target.Task.ID, target.Task, isRemoval, tasks, goneTasks)
		}
	}
	if len(services)+len(tasks)+len(goneServices)+len(goneTasks) == 0 {
		return nil
	}
	return &commit{
		services: byID(services), removedServices: byID(goneServices),
		tasks: byID(tasks), removedTasks: byID(goneTasks),
	}
}

func put[T any](id string, object T, isRemoval bool, present, gone map[string]T) {
	if isRemoval {
		delete(present, id)
		present = gone
	}
	present[id] = object
}

func byID[T interface{ GetID() string }](objects map[string]T) []T {
	sorted := make([]T, 0, len(objects))
	for _, object := range objects {
		sorted = append(sorted, object)
	}
	slices.SortFunc(sorted, func(a, b T) int { return cmp.Compare(a.GetID(), b.GetID()) })
	return sorted
}
