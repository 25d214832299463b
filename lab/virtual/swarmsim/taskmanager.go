package main

import (
	"context"
	"reflect"
	"time"

	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/api/equality"
)

// retryAfter is when the agent goes on with a task whose operation it cancelled (agent/task.go:163):
// so a running container is told to stop a second late.
const retryAfter = time.Second

// A taskManager takes one task from state to state, as agent/task.go does. What the next state is, and
// with which words, SwarmKit's exec.Do says; it is asked again whenever the container has gone on.
type taskManager struct {
	node       *node
	task       *api.Task // as the agent knows it: its status is the agent's own
	controller *controller
	operated   *api.Task // what the operation under way began with; nil: none is
	retrying   *entry    // a cancelled operation is taken up again then
	closed     bool

	reported   *api.TaskStatus
	reportedAt time.Duration
}

func newTaskManager(n *node, task *api.Task) {
	m := &taskManager{node: n, task: task.Copy()}
	n.managers[task.ID] = m
	_, status, err := exec.Resolve(context.Background(), m.task, executor{m})
	m.task.Status = *status
	m.report()
	if err == nil {
		m.operate()
	}
}

// update takes a change from the manager (agent/task.go:186).
func (m *taskManager) update(task *api.Task) {
	if m.controller == nil || equality.TasksEqualStable(task, m.task) ||
		task.DesiredState < m.task.DesiredState {
		return
	}
	status := m.task.Status
	m.task = task.Copy()
	m.task.Status = status
	switch {
	case m.operated == nil:
		m.retrying.cancel()
		m.operate()
	case m.controller.isInterruptible():
		m.interrupt()
		m.retrying = m.node.agenda.after(retryAfter, m.operate)
	}
}

// interrupt cancels the operation under way. What it then says of itself is reported as well: a
// container that is waited for "has" the exit code -1.
func (m *taskManager) interrupt() {
	m.controller.interrupted = true
	status, _ := exec.Do(context.Background(), m.operated, m.controller)
	m.controller.interrupted = false
	m.operated = nil
	m.task.Status = *status
	m.report()
}

// operate begins the next operation.
func (m *taskManager) operate() {
	m.retrying = nil
	m.operated = m.task.Copy()
	m.goOn()
}

// goOn takes the operation under way as far as it goes by now.
func (m *taskManager) goOn() {
	for m.operated != nil && !m.closed {
		status, err := exec.Do(context.Background(), m.operated, m.controller)
		if err == exec.ErrTaskRetry {
			return // it takes its time: the controller calls again
		}
		m.operated = nil
		m.task.Status = *status
		m.report()
		if err == exec.ErrTaskNoop {
			return
		}
		m.operated = m.task.Copy()
	}
}

// report tells the status, changed or not, as the agent does: a task that is only *wanted* to be
// something else is written anew. The same is not told twice at one moment (agent/reporter.go:71).
func (m *taskManager) report() {
	status := m.task.Status.Copy()
	if m.reportedAt == m.node.now() && reflect.DeepEqual(m.reported, status) {
		return
	}
	m.reported, m.reportedAt = status, m.node.now()
	m.node.dispatcher.report(m.task.ID, status)
}

// close ends a task that is no longer the node's (agent/worker.go:closeManager).
func (m *taskManager) close() {
	m.closed = true
	m.retrying.cancel()
	if m.controller != nil {
		m.controller.remove()
	}
}
