package main

import (
	"time"

	gogotypes "github.com/gogo/protobuf/types"
)

type healthStatus int

const (
	starting healthStatus = iota
	healthy
	unhealthy
)

// Defaults of a health check (docker daemon/health.go:22).
const (
	defaultInterval      = 30 * time.Second
	defaultTimeout       = 30 * time.Second
	defaultStartInterval = 5 * time.Second
	defaultRetries       = 3
)

// A monitor probes a container, as docker daemon/health.go does: it waits between the end of a probe
// and the next one, and its own verdict changes only after several failures.
type monitor struct {
	container *container
	status    healthStatus
	failures  int
	startedAt time.Duration

	interval, timeout, startPeriod, startInterval time.Duration

	retries int
	next    *entry
}

// newMonitor begins to probe; nil where the container has no health check (health.go:317). Any test
// counts as the question that /health answers.
func newMonitor(c *container) *monitor {
	check := c.spec.Healthcheck
	if check == nil || len(check.Test) == 0 || check.Test[0] == "NONE" {
		return nil
	}
	h := &monitor{
		container: c, startedAt: c.node.now(),
		interval:      positive(check.Interval, defaultInterval),
		timeout:       positive(check.Timeout, defaultTimeout),
		startPeriod:   positive(check.StartPeriod, 0),
		startInterval: positive(check.StartInterval, defaultStartInterval),
		retries:       int(check.Retries),
	}
	if h.retries <= 0 {
		h.retries = defaultRetries
	}
	h.wait()
	return h
}

func positive(set *gogotypes.Duration, otherwise time.Duration) time.Duration {
	d, err := gogotypes.DurationFromProto(set)
	if set == nil || err != nil || d == 0 {
		return otherwise
	}
	return d
}

func (h *monitor) stop() {
	if h != nil {
		h.next.cancel()
	}
}

// wait plans the next probe (health.go:267).
func (h *monitor) wait() {
	interval := h.interval
	if h.status == starting && h.container.node.now()-h.startedAt < h.startPeriod {
		interval = h.startInterval
	}
	h.next = h.container.node.agenda.after(interval, h.probe)
}

func (h *monitor) probe() {
	begun := h.container.node.now()
	takes := duration(h.container.node.options.ProbeS)
	timedOut := takes > h.timeout
	h.next = h.container.node.agenda.after(min(takes, h.timeout), func() {
		h.judge(begun, h.container.application.answersHealthy() && !timedOut)
		h.wait()
	})
}

// judge counts a probe's result (health.go:185). Failures in the start period do not count while the
// container was never healthy.
func (h *monitor) judge(begun time.Duration, good bool) {
	before := h.status
	switch {
	case good:
		h.failures = 0
		h.status = healthy
	case h.status == starting && begun-h.startedAt < h.startPeriod:
	default:
		if h.failures++; h.failures >= h.retries {
			h.status = unhealthy
		}
	}
	if h.status == before {
		return
	}
	said := map[healthStatus]string{healthy: "healthy", unhealthy: "unhealthy"}[h.status]
	h.container.tell("health_status: "+said, nil)
	h.container.goOn()
}
