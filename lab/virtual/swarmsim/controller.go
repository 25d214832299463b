package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/swarmkit/v2/agent/exec"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/template"
)

// gossipDelay is how long a task that has a network is left alone before it is told to stop
// (docker daemon/cluster/executor/container/controller.go:27).
const gossipDelay = 2 * time.Second

// errNotYet is what an operation says that is under way: exec.Do changes nothing and wants to be
// asked again, as it does when an operation's context ends.
var errNotYet = context.Canceled

var (
	errImageRequired = errors.New("dockerexec: image required")      // executor/container/errors.go:9
	errUnhealthy     = errors.New("dockerexec: unhealthy container") // executor/container/errors.go:16
)

// An exitError is a container's bad end, in dockerd's words (controller.go:690).
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("task: non-zero exit (%v): %v", e.code, e.cause)
	}
	return fmt.Sprintf("task: non-zero exit (%v)", e.code)
}

func (e *exitError) ExitCode() int { return e.code }
func (e *exitError) Cause() error  { return e.cause }
func (e *exitError) Unwrap() error { return e.cause }

// An executor gives a task its controller, which works by the spec with its templates filled in, such as
// {{.Task.Slot}} (docker daemon/cluster/executor/container/container.go:52).
type executor struct{ manager *taskManager }

var _ exec.Executor = executor{}

func (x executor) Controller(task *api.Task) (exec.Controller, error) {
	if task.Spec.GetContainer().Image == "" {
		return nil, errImageRequired
	}
	spec, err := template.ExpandContainerSpec(x.manager.node.description, task)
	if err != nil {
		return nil, err
	}
	x.manager.controller = &controller{manager: x.manager, task: task, spec: spec}
	return x.manager.controller, nil
}

// Describe, Configure and SetNetworkBootstrapKeys are asked for by an agent alone.
func (x executor) Describe(context.Context) (*api.NodeDescription, error) { return nil, nil }
func (x executor) Configure(context.Context, *api.Node) error             { return nil }
func (x executor) SetNetworkBootstrapKeys([]*api.EncryptionKey) error     { return nil }

// An operation takes a while, and then has an outcome.
type operation struct {
	ended bool
	err   error
}

func (o *operation) outcome() error {
	if !o.ended {
		return errNotYet
	}
	return o.err
}

// A controller does with a container what exec.Do asks for, as dockerd's does
// (docker daemon/cluster/executor/container/controller.go). Nothing in it blocks: what takes time says
// errNotYet, and the task manager asks again when it was done.
type controller struct {
	manager   *taskManager
	task      *api.Task
	spec      *api.ContainerSpec
	container *container // nil until it is created

	// interrupted is true while the context of the operation under way ends.
	interrupted bool
	// What is under way or over; nil until it is begun. Fallen is stopped for being unhealthy.
	prepared, started, stopped, fallen *operation
}

var (
	_ exec.Controller        = (*controller)(nil)
	_ exec.ContainerStatuser = (*controller)(nil)
	_ exec.PortStatuser      = (*controller)(nil)
)

// Update is nothing to dockerd either (controller.go:91).
func (c *controller) Update(context.Context, *api.Task) error { return nil }

// begin does something after a while, unless the container is no longer wanted.
func (c *controller) begin(after time.Duration, work func() error) *operation {
	begun := &operation{}
	c.manager.node.agenda.after(after, func() {
		begun.err = work()
		begun.ended = true
		c.manager.goOn()
	})
	return begun
}

// Prepare finds the image and creates the container (controller.go:101). Nothing is ever pulled.
func (c *controller) Prepare(context.Context) error {
	n := c.manager.node
	if c.prepared == nil {
		c.prepared = c.begin(duration(n.options.PrepareS), func() error {
			image := c.spec.Image
			if !n.images[normalImage(image)] {
				return errors.New("No such image: " + familiarImage(image)) //nolint:staticcheck // its words
			}
			c.container = newContainer(n, c.task, c.spec, c.manager.goOn)
			return nil
		})
	}
	return c.prepared.outcome()
}

// Start starts the container and waits until it is healthy, where it has a health check
// (controller.go:198).
func (c *controller) Start(context.Context) error {
	if c.started == nil {
		c.started = c.begin(duration(c.manager.node.options.StartS), func() error {
			c.container.start()
			return nil
		})
	}
	if err := c.started.outcome(); err != nil {
		return err
	}
	switch {
	case c.container.health == nil || c.container.health.status == healthy:
		return nil
	case c.container.state == exited:
		return c.exit()
	case c.container.health.status == unhealthy:
		c.fall()
	}
	return errNotYet
}

// Wait waits for the container's end, and stops it when it becomes unhealthy (controller.go:296).
func (c *controller) Wait(context.Context) error {
	switch {
	case c.interrupted:
		return &exitError{code: -1, cause: context.Canceled}
	case c.container.state == exited:
		return c.exit()
	case c.container.isUnhealthy():
		c.fall()
	}
	return errNotYet
}

// fall stops a container that became unhealthy; its end is then waited for.
func (c *controller) fall() {
	if c.fallen == nil {
		c.fallen = c.shutDown()
	}
}

func (c *controller) exit() error {
	if c.container.exitCode == 0 {
		return nil
	}
	bad := &exitError{code: c.container.exitCode}
	if c.container.isUnhealthy() {
		bad.cause = errUnhealthy
	}
	return bad
}

// Shutdown stops the container (controller.go:361).
func (c *controller) Shutdown(context.Context) error {
	if c.stopped == nil {
		c.stopped = c.shutDown()
	}
	return c.stopped.outcome()
}

func (c *controller) shutDown() *operation {
	delay := time.Duration(0)
	if c.hasServiceBinding() {
		delay = gossipDelay
	}
	begun := &operation{}
	end := func() {
		begun.ended = true
		c.manager.goOn()
	}
	c.manager.node.agenda.after(delay, func() {
		if c.container == nil {
			end()
			return
		}
		c.container.stop(end)
	})
	return begun
}

// hasServiceBinding says whether the task is on a network of the swarm's (controller.go:342).
func (c *controller) hasServiceBinding() bool {
	for _, attached := range c.task.Networks {
		if attached.Network != nil && attached.Network.DriverState != nil &&
			attached.Network.DriverState.Name != "bridge" {
			return true
		}
	}
	return false
}

// isInterruptible says whether the operation under way ends with its context: waiting does, while
// creating, starting and stopping go on to their end.
func (c *controller) isInterruptible() bool {
	if c.manager.operated.DesiredState >= api.TaskStateShutdown {
		return false
	}
	switch c.manager.operated.Status.State {
	case api.TaskStateStarting:
		return c.started != nil && c.started.ended && c.fallen == nil
	case api.TaskStateRunning:
		return true
	}
	return false
}

// remove takes the container away, running or not.
func (c *controller) remove() { c.shutDown() }

// Terminate, Remove and Close are not asked for by exec.Do.
func (c *controller) Terminate(context.Context) error { return nil }
func (c *controller) Remove(context.Context) error    { return nil }
func (c *controller) Close() error                    { return nil }

// ContainerStatus is what a task's status says of its container.
func (c *controller) ContainerStatus(context.Context) (*api.ContainerStatus, error) {
	if c.container == nil {
		return nil, nil
	}
	return c.container.describe(), nil
}

// PortStatus is empty: ports are not published.
func (c *controller) PortStatus(context.Context) (*api.PortStatus, error) {
	return &api.PortStatus{}, nil
}
