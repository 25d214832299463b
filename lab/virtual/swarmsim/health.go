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
// and the next one, and its own verdict changes only after several failures. Probes that cannot change
// anything are counted, not played: a healthy container costs nothing.
type monitor struct {
	container *container
	status    healthStatus
	failures  int
	startedAt time.Duration
	endedAt   time.Duration // the last probe's end, at first the container's start
	next      *entry

	interval, timeout, startPeriod, startInterval, takes time.Duration

	retries int
}

// newMonitor begins to probe; nil where the container has no health check (health.go:317). Any test
// counts as the question that /health answers.
func newMonitor(c *container) *monitor {
	check := c.spec.Healthcheck
	if check == nil || len(check.Test) == 0 || check.Test[0] == "NONE" {
		return nil
	}
	h := &monitor{
		container: c, startedAt: c.node.now(), endedAt: c.node.now(),
		interval:      positive(check.Interval, defaultInterval),
		timeout:       positive(check.Timeout, defaultTimeout),
		startPeriod:   positive(check.StartPeriod, 0),
		startInterval: positive(check.StartInterval, defaultStartInterval),
		takes:         duration(c.node.options.ProbeS),
		retries:       int(check.Retries),
	}
	if h.retries <= 0 {
		h.retries = defaultRetries
	}
	h.plan()
	return h
}

// positive is a duration that was set, and not to 0.
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

// plan plans the end of the next probe that may change something; it is called anew whenever the
// application's answer has changed.
func (h *monitor) plan() {
	if h == nil || h.container.state != running {
		return
	}
	h.next.cancel()
	now := h.container.node.now()
	good, earliest := h.finds(), now
	switch {
	case good && h.status == healthy && h.failures == 0, !good && h.status == unhealthy:
		return // until the answer changes
	case !good && h.status == starting:
		earliest = max(now, h.startedAt+h.startPeriod)
	}
	begun := h.endedAt + h.pause()
	lasts := min(h.takes, h.timeout)
	if late := earliest - begun - lasts; late > 0 {
		period := h.pause() + lasts
		begun += (late + period - 1) / period * period
	}
	h.next = h.container.node.agenda.after(begun+lasts-now, func() {
		h.endedAt = begun + lasts
		h.judge(begun, h.finds())
		h.plan()
	})
}

// finds says how a probe that ends now ends.
func (h *monitor) finds() bool {
	return h.container.application.answersHealthy() && h.takes <= h.timeout
}

// pause is from the end of the last probe to the next one's begin (health.go:267).
func (h *monitor) pause() time.Duration {
	if h.status == starting && h.endedAt-h.startedAt < h.startPeriod {
		return h.startInterval
	}
	return h.interval
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
	word := map[healthStatus]string{healthy: "healthy", unhealthy: "unhealthy"}[h.status]
	h.container.report("health_status: "+word, nil)
	h.container.goOn()
}
