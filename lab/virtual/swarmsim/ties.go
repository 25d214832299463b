package main

import (
	"time"

	"github.com/docker/docker/api/types/swarm"
	gogotypes "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api/defaults"
)

// Durations of a service, where one event may set off two of SwarmKit's timers: a failure both the
// restart delay and, after the roll-back, its monitor, 5 s each by default. They would be due at one
// moment, and a bubble fires such timers in random order. So each kind is longer by a few nanoseconds
// inside; a client never sees that. Their sum stays below the `spacing` of moments.
const (
	monitorTie = 1 * time.Nanosecond
	restartTie = 17 * time.Nanosecond
	delayTie   = 293 * time.Nanosecond
)

func init() {
	lengthen := func(d **gogotypes.Duration, by time.Duration) {
		set, err := gogotypes.DurationFromProto(*d)
		if err != nil {
			panic(err)
		}
		*d = gogotypes.DurationProto(set + by)
	}
	lengthen(&defaults.Service.Update.Monitor, monitorTie)
	lengthen(&defaults.Service.Rollback.Monitor, monitorTie)
	lengthen(&defaults.Service.Task.Restart.Delay, restartTie)
}

// breakTies lengthens a spec's durations; mendTies is its exact inverse. A zero stands for a default,
// or for no delay, and stays zero.
func breakTies(spec *swarm.ServiceSpec) { stretchSpec(spec, 1) }

func mendTies(spec *swarm.ServiceSpec) { stretchSpec(spec, -1) }

func stretchSpec(spec *swarm.ServiceSpec, sign time.Duration) {
	for _, policy := range []**swarm.UpdateConfig{&spec.UpdateConfig, &spec.RollbackConfig} {
		if *policy == nil {
			continue
		}
		own := **policy
		stretch(&own.Monitor, sign*monitorTie)
		stretch(&own.Delay, sign*delayTie)
		*policy = &own
	}
	stretchTask(&spec.TaskTemplate, sign)
}

func stretchTask(spec *swarm.TaskSpec, sign time.Duration) {
	if spec.RestartPolicy == nil || spec.RestartPolicy.Delay == nil {
		return
	}
	own, delay := *spec.RestartPolicy, *spec.RestartPolicy.Delay
	stretch(&delay, sign*restartTie)
	own.Delay = &delay
	spec.RestartPolicy = &own
}

func stretch(d *time.Duration, by time.Duration) {
	if *d > 0 {
		*d += by
	}
}
