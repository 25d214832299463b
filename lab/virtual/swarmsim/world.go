package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing/synctest"
	"time"
)

// Options are the node's times and measures, in seconds and bytes. The defaults are what live engines
// show, see README.md.
type options struct {
	// PrepareS: finding the image, creating the container.
	PrepareS float64 `json:"prepare_s"`
	// StartS: from the start of a container to its process running.
	StartS float64 `json:"start_s"`
	// AssignS: how long the dispatcher gathers changes for the agent, anew with each
	// (batchingWaitTime, manager/dispatcher/dispatcher.go:47).
	AssignS float64 `json:"assign_s"`
	// ReportS: how often it writes down what agents report (maxBatchInterval, dispatcher.go:44).
	ReportS float64 `json:"report_s"`
	// ProbeS: how long one health probe takes.
	ProbeS float64 `json:"probe_s"`
	// ReapS: from the end of a process to the engine's word of it, after it has cleaned up
	// (docker daemon/monitor.go:35).
	ReapS float64 `json:"reap_s"`
	// OverheadBytes: a container's memory beside its plan.
	OverheadBytes int64 `json:"overhead_bytes"`
	// MemoryBytes and CPUs are what the scheduler may reserve.
	MemoryBytes int64   `json:"memory_bytes"`
	CPUs        float64 `json:"cpus"`
	// Labels are the node's, for placement constraints.
	Labels map[string]string `json:"labels"`
}

func readOptions(raw json.RawMessage) (options, error) {
	read := options{
		PrepareS: 0.02, StartS: 0.5, AssignS: 0.1, ReportS: 0.1, ProbeS: 0.06, ReapS: 0.1,
		OverheadBytes: 1 << 20, MemoryBytes: 24 << 30, CPUs: 2,
	}
	if len(raw) > 0 {
		if err := decodeStrictly(raw, &read); err != nil {
			return read, fmt.Errorf("the node's options cannot be read: %w", err)
		}
	}
	for name, seconds := range map[string]float64{
		"prepare_s": read.PrepareS, "start_s": read.StartS, "assign_s": read.AssignS,
		"report_s": read.ReportS, "probe_s": read.ProbeS, "reap_s": read.ReapS, "cpus": read.CPUs,
	} {
		if !(seconds >= 0) || seconds > maxS {
			return read, fmt.Errorf("the node's %s must be from 0 to %g, not %g", name, maxS, seconds)
		}
	}
	if read.OverheadBytes < 0 || read.MemoryBytes < 0 {
		return read, errors.New("the node's bytes must not be negative")
	}
	return read, nil
}

// maxS keeps moments within what a float holds to the nanosecond (2^53 ns are 104 days).
const maxS = 9e6

func duration(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

func inSeconds(moment time.Duration) float64 { return float64(moment) / 1e9 }

// A world is one swarm in its bubble: SwarmKit's manager, and a node of ours.
type world struct {
	epoch    time.Time
	timeline *timeline
	agenda   *agenda
	manager  *manager
	node     *node
	// unreported holds the items that no answer has had yet.
	unreported []item
	// dice seeds Go's runtime anew for every step.
	dice *rand.ChaCha8
}

func newWorld(seed uint64, options options) (*world, error) {
	w := &world{epoch: time.Now(), dice: randomness(seed, "dice")}
	seedIdentities(seed)
	w.timeline = newTimeline(w.now)
	w.agenda = &agenda{now: w.now}
	var err error
	if w.manager, err = startManager(w.timeline, options); err != nil {
		return nil, err
	}
	w.node = newNode(w, options, seed)
	w.settle()
	return w, nil
}

// now is the time since the scenario began.
func (w *world) now() time.Duration { return time.Since(w.epoch) }

func (w *world) stop() { w.manager.stop() }

// settle lets SwarmKit do all that it can do at this moment, and shows the node what it did.
func (w *world) settle() {
	for {
		seedDice(w.dice.Uint64())
		synctest.Wait()
		items := w.timeline.take()
		if len(items) == 0 {
			return
		}
		for _, added := range items {
			if added.commit != nil {
				w.node.dispatcher.observe(added.commit)
			}
		}
		w.unreported = append(w.unreported, items...)
	}
}

// advance goes to the next moment at which anything happened, at most to the given one.
func (w *world) advance(until time.Duration) []item {
	w.settle()
	for len(w.unreported) == 0 && w.step(until) {
		w.settle()
	}
	items := w.unreported
	w.unreported = nil
	return items
}

// step does what the node has to do now. Where that is nothing, it waits: for SwarmKit to do
// something, for the node's next moment, or for the given one. It returns false when all is done up to
// that. SwarmKit is to be settled between two steps, or it would race with the node, or a client.
func (w *world) step(until time.Duration) bool {
	due, planned := w.agenda.next()
	isPlanned := planned && due <= until
	if !isPlanned {
		due = until
	}
	if wait := due - w.now(); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-w.timeline.woken:
		case <-timer.C:
		}
		return true
	}
	if isPlanned {
		w.agenda.doNext()
	}
	return isPlanned
}
