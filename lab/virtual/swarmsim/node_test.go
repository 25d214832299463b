package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

func TestAnAbsentImageIsRejectedInTheEnginesWords(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := head()
	d.image = "shop/app:9"
	s.update(d)
	s.pass(20)
	rejected := s.tasks("shop_app")[1]
	equal(t, "state", rejected.Status.State, swarm.TaskStateRejected)
	equal(t, "error", rejected.Status.Err, "No such image: shop/app:9")
	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "rollback_started", "rollback_completed"})
}

// SwarmKit itself sees to it that no probe follows another without a pause.
func TestAHealthCheckWithoutAPauseIsRefused(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.more = func(spec *swarm.ServiceSpec) {
		spec.TaskTemplate.ContainerSpec.Healthcheck.Interval = time.Microsecond
	}
	equal(t, "refused", s.try("create", fields{"spec": d.spec()}).Refused, "rpc error: code = "+
		"InvalidArgument desc = ContainerSpec: Interval in HealthConfig cannot be less than 1ms")
}

func TestAnImageHasManyNames(t *testing.T) {
	s := begin(t, nil)
	s.ask("provide", fields{"images": []string{"docker.io/library/nginx"}})
	d := base()
	d.image = "nginx:latest"
	s.create(d)
}

func TestAHeadThatIsNeverHealthyInItsStartPeriodUpdatesForEver(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := head()
	d.env, d.startPeriod = []string{"STAMPLOAD_NEVER_READY=1"}, 20*time.Minute
	s.update(d)
	s.pass(19 * 60)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating"})
	equal(t, "state", s.tasks("shop_app")[1].Status.State, swarm.TaskStateStarting)
}

func TestAnUnhealthyTaskThatWillNotStopIsKilled(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := head()
	d.env = []string{"STAMPLOAD_NEVER_READY=1", "STAMPLOAD_STOP_S=60"}
	d.grace = 3 * time.Second
	s.update(d)
	s.pass(40)
	task := s.tasks("shop_app")[1]
	equal(t, "state", task.Status.State, swarm.TaskStateFailed)
	equal(t, "error", task.Status.Err,
		"task: non-zero exit (137): dockerexec: unhealthy container")
	equal(t, "events", s.actions("app:2"),
		[]string{"create", "start", "health_status: unhealthy", "kill", "kill", "die"})
	kills := s.find("container", "kill")
	if waited := kills[1].AtS - kills[0].AtS; waited < 3 || waited > 3.01 {
		t.Errorf("it was killed after %v s, not 3", waited)
	}
}

// An application that ends with 0 when it is told to stop is "complete", and that counts as a failure.
func TestAnUnhealthyTaskThatStopsWellIsComplete(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := head()
	d.env = []string{"STAMPLOAD_NEVER_READY=1"}
	s.update(d)
	s.pass(40)
	equal(t, "state", s.tasks("shop_app")[1].Status.State, swarm.TaskStateComplete)
	equal(t, "updates", s.updates("shop_app")[:3],
		[]string{"nil", "updating", "rollback_started"})
}

func TestATaskThatBecomesUnhealthyIsReplaced(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = []string{"STAMPLOAD_UNHEALTHY_AT_S=20"}
	s.create(d)
	s.pass(30)
	equal(t, "events", s.actions("app:1")[:3],
		[]string{"health_status: unhealthy", "kill", "die"})
	equal(t, "tasks", len(s.tasks("shop_app")), 2)
}

func TestTheFirstProbeComesAfterTheStartInterval(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.startPeriod = time.Minute
	s.create(d)
	s = begin(t, nil)
	s.ask("create", fields{"spec": d.spec()})
	s.pass(10)
	started := s.find("container", "start")[0].AtS
	first := s.find("container", "health_status: healthy")[0].AtS - started
	if first < 5 || first > 5.1 {
		t.Errorf("it was healthy after %v s, not after the 5 s of a start interval", first)
	}
}

func TestAReservationThatDoesNotFitStaysPending(t *testing.T) {
	s := begin(t, fields{"memory_bytes": 1000 * mb})
	s.create(base())
	d := head()
	d.more = func(spec *swarm.ServiceSpec) {
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{
			Reservations: &swarm.Resources{MemoryBytes: 2000 * mb},
		}
	}
	s.update(d)
	s.pass(600)
	task := s.tasks("shop_app")[1]
	equal(t, "state", task.Status.State, swarm.TaskStatePending)
	equal(t, "error", task.Status.Err, "no suitable node (insufficient resources on 1 node)")
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating"})
}

func TestAConstraintIsMetOnceTheNodeHasTheLabel(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.more = func(spec *swarm.ServiceSpec) {
		spec.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.labels.disk==ssd"}}
	}
	s.ask("create", fields{"spec": d.spec()})
	s.pass(20)
	task := s.tasks("shop_app")[0]
	equal(t, "error", task.Status.Err,
		"no suitable node (scheduling constraints not satisfied on 1 node)")
	s.ask("provide", fields{"labels": fields{"disk": "ssd"}})
	s.pass(20)
	equal(t, "state", s.tasks("shop_app")[0].Status.State, swarm.TaskStateRunning)
}

// Stop-first waits a minute for the old task, no longer (SwarmKit restart.go:20).
func TestALongStopOverlapsAfterAMinute(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = append(d.env, "STAMPLOAD_STOP_S=90")
	d.grace = 2 * time.Minute
	s.create(d)
	began := s.now
	d = head()
	d.order = "stop-first"
	s.update(d)
	s.pass(120)
	start, die := s.find("container", "start")[0], s.find("container", "die")[0]
	if waited := start.AtS - began; waited < 60 || waited > 62 {
		t.Errorf("the new container started %v s after the update", waited)
	}
	if start.AtS >= die.AtS {
		t.Errorf("they did not overlap: started %v, died %v", start.AtS, die.AtS)
	}
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "completed"})
}

// A task on a network is left alone for two seconds more (docker's controller.go:27).
func TestATaskOnANetworkIsStoppedLater(t *testing.T) {
	stopped := map[string]float64{}
	for _, network := range []string{"", "net"} {
		s := begin(t, nil)
		s.ask("provide", fields{"networks": []fields{{"id": "n1", "name": "net"}}})
		d := base()
		d.network = network
		s.create(d)
		began := s.now
		s.ask("remove", fields{"service": "shop_app"})
		s.until(began + 20)
		stopped[network] = s.find("container", "kill")[0].AtS - began
	}
	if more := stopped["net"] - stopped[""]; more < 1.99 || more > 2.01 {
		t.Errorf("stopped %v s after the removal", stopped)
	}
}

func TestAKilledChildLeavesItsTaskAlive(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.ask("limit", fields{"bytes": 350 * mb})
	d := head()
	d.env = heavy(100, 300, 1, "STAMPLOAD_IN_CHILD=1")
	d.startPeriod = time.Minute
	s.update(d)
	s.pass(20)
	kills := s.find("oom", "")
	equal(t, "kills", len(kills), 1)
	equal(t, "process", kills[0].Process, "child")
	equal(t, "state", s.tasks("shop_app")[1].Status.State, swarm.TaskStateStarting)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating"})
}

func TestAScoreMakesTheSmallerOneTheVictim(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = append(d.env, "STAMPLOAD_OOM_SCORE_ADJ=1000")
	s.create(d)
	s.ask("limit", fields{"bytes": 350 * mb})
	s.update(head())
	s.pass(1.5)
	kills := s.find("oom", "")
	equal(t, "victim", kills[0].Container, s.tasks("shop_app")[0].Status.ContainerStatus.ContainerID)
}

func TestALimitBelowTheUsageKillsAtOnce(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.ask("limit", fields{"bytes": 50 * mb})
	before := s.now
	s.step(before + 1)
	equal(t, "first", s.history[0].Kind, "oom")
	if s.now-before > 0.01 {
		t.Errorf("it was killed %v s late", s.now-before)
	}
}

func TestAContainersOwnLimitCounts(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := head()
	d.more = func(spec *swarm.ServiceSpec) {
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{
			Limits: &swarm.Limit{MemoryBytes: 200 * mb},
		}
	}
	s.update(d)
	s.pass(20)
	equal(t, "limit", s.find("oom", "")[0].LimitBytes, 200*mb)
	equal(t, "stamp", s.inspect("shop_app").Spec.Labels["stamp"], "1")
}

func TestUsageFollowsThePlan(t *testing.T) {
	s := begin(t, fields{"overhead_bytes": 0, "prepare_s": 0, "start_s": 0})
	d := base()
	d.env = []string{"STAMPLOAD_STEADY_BYTES=4096000", "STAMPLOAD_PEAK_BYTES=40960000",
		"STAMPLOAD_BOOT_S=10", "STAMPLOAD_HOLD_S=5"}
	d.noCheck = true
	s.ask("create", fields{"spec": d.spec()})
	for len(s.find("container", "start")) == 0 {
		s.step(100)
	}
	started := s.now
	for _, moment := range []struct{ uptime, most, least float64 }{
		{0, 5000, 0}, {5, 20500000, 20470000}, {10, 40960000, 40900000}, {14.9, 40960000, 40960000},
		{15.01, 4096000, 4096000}, {60, 4096000, 4096000},
	} {
		s.until(started + moment.uptime)
		used := s.usage()
		if used > moment.most || used < moment.least {
			t.Errorf("after %v s: %v bytes, not from %v to %v",
				moment.uptime, used, moment.least, moment.most)
		}
	}
}

func TestALimitThatIsReachedToTheByteIsNotPassedThere(t *testing.T) {
	s := begin(t, fields{"overhead_bytes": 0})
	const pages = 100 << 20
	s.ask("limit", fields{"bytes": pages})
	d := base()
	d.env = []string{
		fmt.Sprintf("STAMPLOAD_STEADY_BYTES=%d", pages),
		fmt.Sprintf("STAMPLOAD_PEAK_BYTES=%d", 2*pages),
		"STAMPLOAD_BOOT_S=1",
	}
	s.ask("create", fields{"spec": d.spec()})
	s.pass(1.5) // it would not come back
	equal(t, "victims", len(s.find("oom", "")), 1)
	equal(t, "limit", s.find("oom", "")[0].LimitBytes, pages)
}
