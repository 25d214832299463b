package main

import (
	"context"
	"testing"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/orchestrator/restart"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// A flaw of SwarmKit's that stops a whole manager, alone with the two parts that it takes
// (docs/public-record.md). The updater delays the start of a task that it finds in READY anew, in a
// transaction (updater.go:461), and waits there for the goroutine that has delayed it so far
// (restart.go:448). If that one's delay has just ended, it waits for the transaction to end
// (restart.go:509). No bubble here: time stands still in one where somebody waits for a mutex.
func TestAStartThatIsDelayedAnewJustAsItsDelayEndsStopsTheManager(t *testing.T) {
	for _, c := range []struct {
		name    string
		held    time.Duration // how long the transaction has lasted when it delays the start anew
		stopped bool
	}{
		{"before the delay ends", 0, false},
		{"as the delay ends", 3 * delay, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory := store.NewMemoryStore(nil)
			supervisor := restart.NewSupervisor(memory)
			delayStart := func(after time.Duration) func(*store.Batch) error {
				return func(*store.Batch) error {
					time.Sleep(after)
					supervisor.DelayStart(context.Background(), nil, nil, "task", delay, true)
					return nil
				}
			}
			if err := memory.Batch(delayStart(0)); err != nil {
				t.Fatal(err)
			}
			go memory.Batch(delayStart(c.held))
			time.Sleep(c.held + delay/2) // it is at it, or stuck

			written := make(chan error)
			go func() {
				written <- memory.Update(func(tx store.Tx) error {
					return store.CreateNode(tx, &api.Node{ID: "node"})
				})
			}()
			select {
			case err := <-written:
				if c.stopped || err != nil {
					t.Errorf("the store still takes writes (%v): is that flaw mended?", err)
				}
			case <-time.After(20 * delay):
				if !c.stopped {
					t.Error("the store takes no writes any more")
				}
			}
		})
	}
}

const delay = 200 * time.Millisecond
