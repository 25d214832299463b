package main

import (
	"time"

	"github.com/moby/swarmkit/v2/api"
)

type containerState int

const (
	created containerState = iota
	running
	exited
)

const (
	signalTerminate = 15
	signalKill      = 9
	exitKilled      = 128 + signalKill
	// defaultStopTimeout is for tasks that state none (docker container/container_unix.go:26).
	defaultStopTimeout = 10 * time.Second
)

// A container is what the engine knows of one run of an application.
type container struct {
	node        *node
	id          string
	task        *api.Task
	spec        *api.ContainerSpec
	application *application
	health      *monitor // nil without a health check
	goOn        func()   // for whoever waits for its health or its end

	state     containerState
	pid       int32
	startedAt time.Duration
	exitCode  int
	oomKilled bool // some process of it was, at some time
	atEnd     []func()
}

func newContainer(n *node, task *api.Task, spec *api.ContainerSpec, goOn func()) *container {
	c := &container{node: n, id: newContainerID(n.ids), task: task, spec: spec, goOn: goOn}
	c.application = newApplication(c)
	c.report("create", nil)
	return c
}

func (c *container) start() {
	c.state, c.startedAt = running, c.node.now()
	c.node.lastPID++
	c.pid = c.node.lastPID
	c.report("start", nil)
	c.health = newMonitor(c)
	c.node.memory.join(c)
	c.application.start()
	c.node.memory.settle()
}

// stop tells the application to end, and makes it end when it does not in time
// (docker daemon/stop.go:48). `done` is called when it has ended.
func (c *container) stop(done func()) {
	if c.state != running {
		done()
		return
	}
	c.atEnd = append(c.atEnd, done)
	timeout := defaultStopTimeout
	if own := c.spec.StopGracePeriod; own != nil {
		// Whole seconds only (docker daemon/cluster/executor/container/adapter.go:426).
		timeout = time.Duration(own.Seconds) * time.Second
	}
	c.reportSignal(signalTerminate)
	c.application.terminate()
	c.node.agenda.after(timeout, c.kill)
}

func (c *container) kill() {
	if c.application.alive {
		c.reportSignal(signalKill)
		c.end(exitKilled)
	}
}

// end is the end of the first process, and with it of all others. The engine hears of it a bit later.
func (c *container) end(code int) {
	c.application.halt()
	c.node.memory.leave(c)
	c.exitCode = code
	c.node.agenda.after(duration(c.node.options.ReapS), c.reap)
}

func (c *container) reap() {
	c.state = exited
	c.health.stop()
	c.report("die", func(event *containerEvent) {
		startedS := inSeconds(c.startedAt)
		event.ExitCode, event.OOM, event.StartedS = &c.exitCode, &c.oomKilled, &startedS
	})
	waiting := c.atEnd
	c.atEnd = nil
	for _, done := range waiting {
		done()
	}
	c.goOn()
}

// loseToOOM is the kernel's kill of one of its processes.
func (c *container) loseToOOM(isChild bool) {
	c.oomKilled = true
	c.report("oom", nil)
	if isChild {
		c.application.loseChild()
	} else {
		c.end(exitKilled)
	}
}

func (c *container) isUnhealthy() bool { return c.health != nil && c.health.status == unhealthy }

// limitBytes is the limit of its own control group; 0: it has none.
func (c *container) limitBytes() int64 {
	if resources := c.task.Spec.Resources; resources != nil && resources.Limits != nil {
		return resources.Limits.MemoryBytes
	}
	return 0
}

func (c *container) describe() *api.ContainerStatus {
	status := &api.ContainerStatus{ContainerID: c.id}
	switch c.state {
	case running:
		status.PID = c.pid
	case exited:
		status.ExitCode = int32(c.exitCode)
	}
	return status
}

func (c *container) reportSignal(signal int) {
	c.report("kill", func(event *containerEvent) { event.Signal = signal })
}

func (c *container) report(action string, add func(*containerEvent)) {
	event := containerEvent{
		header: header{AtS: inSeconds(c.node.now()), Kind: "container"}, Action: action,
		Container: c.id, Task: c.task.ID, Service: c.task.ServiceAnnotations.Name,
		Image: c.spec.Image,
	}
	if add != nil {
		add(&event)
	}
	c.node.timeline.addEvent(event)
}
