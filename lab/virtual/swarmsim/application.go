package main

import "time"

// An application is the processes of one container, which live by their plan. It does what
// lab/workload/serve.c does, in the same order, and nothing else.
type application struct {
	container *container
	plan      plan
	broken    error // why its plan cannot be read

	alive    bool // its first process is
	hasChild bool // a child is alive, and holds the memory
	steady   bool // it has reached, or was in, the steady state

	listening, failing, stopping bool

	curve   curve
	growing *entry   // the next step of its memory or towards its port; none while it stops
	planned []*entry // what is planned for an uptime
}

// A curve is memory that grows evenly from a moment on, to a most.
type curve struct {
	from           time.Duration
	bytes, most    float64
	bytesPerSecond float64
}

func flat(bytes int64) curve { return curve{bytes: float64(bytes), most: float64(bytes)} }

func (c curve) at(moment time.Duration) float64 {
	return min(c.bytes+c.bytesPerSecond*(moment-c.from).Seconds(), c.most)
}

func newApplication(c *container) *application {
	a := &application{container: c}
	a.plan, a.broken = readPlan(c.spec.Env)
	return a
}

func (a *application) start() {
	a.alive = true
	// Lowering the score needs a privilege that containers lack.
	if a.broken != nil || (a.plan.hasScore && a.plan.oomScoreAdj < a.container.spec.OomScoreAdj) {
		a.container.end(exitUsageOfPlan)
		return
	}
	a.hasChild = a.plan.inChild
	a.atUptime(a.plan.exitAt, func() { a.container.end(int(a.plan.exitCode)) })
	a.atUptime(a.plan.unhealthyAt, func() {
		a.failing = a.failing || !a.stopping
		a.container.health.plan()
	})
	a.grow()
}

func (a *application) atUptime(uptime time.Duration, do func()) {
	if uptime < never {
		a.planned = append(a.planned, a.container.node.agenda.after(uptime, do))
	}
}

// grow takes memory evenly up to the peak, holds it, gives back what is above the steady state, and
// then opens the port.
func (a *application) grow() {
	agenda, peak := a.container.node.agenda, float64(a.plan.peakBytes)
	if a.plan.boot > 0 {
		rate := peak / a.plan.boot.Seconds()
		a.take(curve{from: agenda.now(), most: peak, bytesPerSecond: rate})
	} else {
		a.take(flat(a.plan.peakBytes))
	}
	a.growing = agenda.after(a.plan.boot, func() {
		a.take(flat(a.plan.peakBytes))
		a.growing = agenda.after(a.plan.hold, func() {
			a.take(flat(a.plan.steadyBytes))
			a.steady = true
			if !a.plan.neverReady && a.alive {
				a.growing = agenda.after(a.plan.ready, a.listen)
			}
		})
	})
}

func (a *application) take(memory curve) {
	a.curve = memory
	a.container.node.memory.settle()
}

func (a *application) listen() {
	a.listening = true
	a.container.report("ready", nil)
	a.container.health.plan()
}

// terminate is what SIGTERM does: no new clients, but all of the memory until the end.
func (a *application) terminate() {
	if !a.alive || a.stopping {
		return
	}
	a.stopping, a.listening = true, false
	a.container.health.plan()
	a.growing.cancel()
	held := a.curve.at(a.container.node.now())
	a.take(curve{bytes: held, most: held})
	stop := a.container.node.agenda.after(a.plan.stop, func() { a.container.end(0) })
	a.planned = append(a.planned, stop)
}

// halt is the end of all of its processes.
func (a *application) halt() {
	a.alive, a.hasChild, a.listening = false, false, false
	a.curve = curve{}
	a.growing.cancel()
	for _, entry := range a.planned {
		entry.cancel()
	}
}

// loseChild is the death of the child that holds the memory: the application lives on, unhealthy. If
// it was not steady yet it never will be, and never ready.
func (a *application) loseChild() {
	a.hasChild, a.failing = false, true
	a.container.health.plan()
	if !a.steady {
		a.growing.cancel()
	}
	a.take(curve{})
}

// answersHealthy says what a health probe meets now.
func (a *application) answersHealthy() bool { return a.alive && a.listening && !a.failing }
