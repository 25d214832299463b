package main

import (
	"slices"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/api/equality"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"github.com/moby/swarmkit/v2/protobuf/ptypes"
)

// A dispatcher stands between the store and the agent, as SwarmKit's does
// (manager/dispatcher/dispatcher.go), but for connections: it gathers changes before it sends them,
// and writes what the agent reports at the beats of a clock.
type dispatcher struct {
	node *node
	// phase is when the clock beat first; a real one's depends on when the manager became leader.
	phase time.Duration

	assigned map[string]*api.Task // what the agent was last told, or is about to be
	changes  []string             // the tasks that it is about to be told of, oldest change first
	sending  *entry

	reports  map[string]*api.TaskStatus // what the agent said and is not written yet
	reported []string                   // whose, in the order of the first report
	writing  *entry
}

func newDispatcher(n *node, phase time.Duration) *dispatcher {
	return &dispatcher{
		node: n, phase: phase,
		assigned: map[string]*api.Task{}, reports: map[string]*api.TaskStatus{},
	}
}

// observe looks at a transaction for what concerns the node (dispatcher.go:1151).
func (d *dispatcher) observe(c *commit) {
	changed := false
	for _, task := range c.tasks {
		changed = d.concerns(task) || changed
	}
	for _, task := range c.removedTasks {
		if d.assigned[task.ID] != nil {
			delete(d.assigned, task.ID)
			d.note(task.ID)
			changed = true
		}
	}
	if changed {
		d.sending.cancel()
		d.sending = d.node.agenda.after(duration(d.node.options.AssignS), d.send)
	}
}

// concerns says whether the agent must hear of a task (manager/dispatcher/assignments.go:211).
func (d *dispatcher) concerns(task *api.Task) bool {
	if task.NodeID != d.node.manager.nodeID || task.Status.State < api.TaskStateAssigned {
		return false
	}
	old := d.assigned[task.ID]
	d.assigned[task.ID] = task
	if old != nil && equality.TasksEqualStable(old, task) &&
		task.Status.State > api.TaskStateAssigned {
		return false
	}
	d.note(task.ID)
	return true
}

func (d *dispatcher) note(id string) {
	if !slices.Contains(d.changes, id) {
		d.changes = append(d.changes, id)
	}
}

// send tells the agent all changes (agent/worker.go:reconcileTaskState).
func (d *dispatcher) send() {
	changes := d.changes
	d.changes, d.sending = nil, nil
	for _, id := range changes {
		task, manager := d.assigned[id], d.node.managers[id]
		switch {
		case task == nil && manager != nil:
			delete(d.node.managers, id)
			manager.close()
		case task != nil && manager != nil:
			manager.update(task)
		case task != nil:
			newTaskManager(d.node, task)
		}
	}
}

// report takes a status from the agent (agent/reporter.go:66, dispatcher.go:602). Only a task's last
// one is written, so a state that was left within a beat is never seen.
func (d *dispatcher) report(id string, status *api.TaskStatus) {
	if old := d.reports[id]; old == nil {
		d.reported = append(d.reported, id)
	} else if old.State > status.State {
		return
	}
	d.reports[id] = status
	every := duration(d.node.options.ReportS)
	if every == 0 {
		d.write()
	} else if d.writing == nil {
		beats := (d.node.now()-d.phase)/every + 1
		d.writing = d.node.agenda.at(d.phase+beats*every, d.write)
	}
}

// write commits what was reported, in one transaction (dispatcher.go:711).
func (d *dispatcher) write() {
	ids, reports := d.reported, d.reports
	d.writing, d.reported, d.reports = nil, nil, map[string]*api.TaskStatus{}
	err := d.node.manager.store.Batch(func(batch *store.Batch) error {
		for _, id := range ids {
			apply := func(tx store.Tx) error { return d.apply(tx, id, reports[id]) }
			if err := batch.Update(apply); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		panic(err) // each task was read in the same transaction
	}
}

// apply writes one status (dispatcher.go:764).
func (d *dispatcher) apply(tx store.Tx, id string, status *api.TaskStatus) error {
	task := store.GetTask(tx, id)
	if task == nil || task.Status.State > status.State {
		return nil
	}
	task.Status = *status
	task.Status.AppliedBy = d.node.manager.nodeID
	task.Status.AppliedAt = ptypes.MustTimestampProto(time.Now())
	return store.UpdateTask(tx, task)
}
