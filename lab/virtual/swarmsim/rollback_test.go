package main

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// The two versions of the incident: 100 MB steady, and a boot peak of 300 MB in a second.
func base() draft {
	return draft{
		stamp: "1", image: "app:1", env: heavy(100, 300, 1), order: "start-first",
		onFailure: "rollback", monitor: 5 * time.Second,
	}
}

func head() draft {
	d := base()
	d.stamp, d.image = "2", "app:2"
	return d
}

func TestAnOOMKillBeforeHealthyRollsBackAndTheOldTaskKeepsServing(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	old := s.tasks("shop_app")[0]
	s.ask("limit", fields{"bytes": 350 * mb})
	s.update(head())
	s.pass(30)

	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "rollback_started", "rollback_completed"})
	service := s.inspect("shop_app")
	equal(t, "stamp", service.Spec.Labels["stamp"], "1")
	equal(t, "previous spec", service.PreviousSpec, (*swarm.ServiceSpec)(nil))
	tasks := s.tasks("shop_app")
	victim := tasks[1]
	states := s.states(victim.ID)
	equal(t, "states of the new task", states[:3], []string{"new", "pending", "assigned"})
	equal(t, "its last states", states[len(states)-2:], []string{"starting", "failed"})
	equal(t, "its error", victim.Status.Err, "task: non-zero exit (137)")
	equal(t, "its exit code", victim.Status.ContainerStatus.ExitCode, 137)
	equal(t, "events of the old container", s.actions("app:1"), []string{})
	equal(t, "events of the new container", s.actions("app:2"),
		[]string{"create", "start", "oom", "die"})
	kills := s.find("oom", "")
	equal(t, "OOM kills", len(kills), 1)
	equal(t, "the victim", kills[0].Task, victim.ID)
	equal(t, "the limit", kills[0].LimitBytes, 350*mb)
	if old.ID != tasks[0].ID || tasks[0].Status.State != swarm.TaskStateRunning {
		t.Errorf("the old task is %s, in state %s", tasks[0].ID, tasks[0].Status.State)
	}
}

func TestAnOOMKillWithinTheMonitorRollsBackWhenTheOldTaskIsGone(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = heavy(100, 100, 1)
	s.create(d)
	d = head()
	d.env, d.noCheck = heavy(100, 300, 1, "STAMPLOAD_HOLD_S=600"), true
	s.update(d)
	s.pass(4)
	s.ask("limit", fields{"bytes": 250 * mb}) // the new one holds its peak, the old one is gone
	s.pass(30)

	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "rollback_started", "rollback_completed"})
	var olds []swarm.Task
	for _, task := range s.tasks("shop_app") {
		if task.Spec.ContainerSpec.Image == "app:1" {
			olds = append(olds, task)
		} else if task.Status.State == swarm.TaskStateFailed {
			states := s.states(task.ID)
			equal(t, "last states of the new task", states[len(states)-2:], []string{"running", "failed"})
		}
	}
	equal(t, "tasks of the old spec", len(olds), 2)
	equal(t, "states of the old task", s.states(olds[0].ID), []string{"running", "shutdown"})
	equal(t, "the last task", olds[1].Status.State, swarm.TaskStateRunning)
}

func TestAnOOMKillAfterTheMonitorIsAFalseSuccess(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.update(head())
	s.pass(20)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "completed"})
	s.ask("limit", fields{"bytes": 90 * mb})
	s.pass(60)

	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "completed"})
	equal(t, "stamp", s.inspect("shop_app").Spec.Labels["stamp"], "2")
	if kills := len(s.find("oom", "")); kills < 4 {
		t.Errorf("a restart loop has more than %d kills in a minute", kills)
	}
	// SwarmKit keeps five tasks of a slot; the one that will come next is among them.
	if kept := len(s.tasks("shop_app")); kept > 6 {
		t.Errorf("%d tasks of one slot were kept", kept)
	}
}

func TestStopFirstFitsWhereStartFirstDoesNot(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.ask("limit", fields{"bytes": 350 * mb})
	d := head()
	d.order = "stop-first"
	s.update(d)
	s.pass(30)

	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "completed"})
	equal(t, "OOM kills", len(s.find("oom", "")), 0)
	gone, began := s.find("container", "die")[0], s.find("container", "start")[0]
	if gone.AtS >= began.AtS {
		t.Errorf("the new container started at %v, the old one died at %v", began.AtS, gone.AtS)
	}
}

func TestALabelAloneIsNoUpdate(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := base()
	d.stamp = "2"
	s.update(d)
	s.pass(60)
	service := s.inspect("shop_app")
	equal(t, "stamp", service.Spec.Labels["stamp"], "2")
	equal(t, "status", service.UpdateStatus, (*swarm.UpdateStatus)(nil))
	equal(t, "previous stamp", service.PreviousSpec.Labels["stamp"], "1")
}

func TestTheSameSpecInMidUpdateHidesItsEnd(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.update(head())
	s.pass(1)
	s.update(head())
	s.pass(60)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "nil"})
	equal(t, "previous stamp", s.inspect("shop_app").PreviousSpec.Labels["stamp"], "2")
}

func TestAPausedUpdateGoesOnCrashing(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := crashing()
	d.onFailure = "pause"
	s.update(d)
	s.pass(40)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "paused"})
	service := s.inspect("shop_app")
	if !strings.HasPrefix(service.UpdateStatus.Message, "update paused due to failure") {
		t.Errorf("message: %q", service.UpdateStatus.Message)
	}
	if deaths := len(s.find("container", "die")); deaths < 4 {
		t.Errorf("only %d containers died in 40 s", deaths)
	}
}

func TestContinueEndsInCompletedWithABrokenHead(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	d := crashing()
	d.onFailure = "continue"
	s.update(d)
	s.pass(60)
	equal(t, "updates", s.updates("shop_app"), []string{"nil", "updating", "completed"})
}

func crashing() draft {
	d := head()
	d.env = []string{"STAMPLOAD_EXIT_AT_S=0.2", "STAMPLOAD_EXIT_CODE=3"}
	return d
}

func TestACrashAtBootRollsBack(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.update(crashing())
	s.pass(20)
	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "rollback_started", "rollback_completed"})
	equal(t, "error", s.tasks("shop_app")[1].Status.Err, "task: non-zero exit (3)")
}

func TestARollbackByHandSwapsTheSpecs(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.update(head())
	s.pass(20)
	s.ask("update", fields{"service": "shop_app", "rollback": "previous"})
	s.pass(30)
	service := s.inspect("shop_app")
	equal(t, "stamp", service.Spec.Labels["stamp"], "1")
	equal(t, "previous stamp", service.PreviousSpec.Labels["stamp"], "2")
	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "completed", "rollback_started", "rollback_completed"})
}
