package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

func TestAPlanIsReadAsTheWorkloadReadsIt(t *testing.T) {
	light := plan{exitCode: 1, exitAt: never, unhealthyAt: never}
	for _, read := range []struct {
		environment []string
		wanted      plan
	}{
		{nil, light},
		{[]string{"HOME=/", "STAMPLOAD", "X=STAMPLOAD_BOOT_S=1"}, light},
		{
			[]string{"STAMPLOAD_STEADY_BYTES=1", "STAMPLOAD_BOOT_S=1.5", "STAMPLOAD_BOOT_S=9"},
			plan{peakBytes: 4096, steadyBytes: 4096, boot: 1500 * time.Millisecond, exitCode: 1,
				exitAt: never, unhealthyAt: never},
		},
		{
			[]string{"STAMPLOAD_PEAK_BYTES=8193", "STAMPLOAD_OOM_SCORE_ADJ=0",
				"STAMPLOAD_EXIT_AT_S=0", "STAMPLOAD_NEVER_READY=1", "STAMPLOAD_IN_CHILD=0"},
			plan{peakBytes: 12288, hasScore: true, exitCode: 1, neverReady: true,
				unhealthyAt: never},
		},
		{
			[]string{"STAMPLOAD_EXIT_AT_S=1", "STAMPLOAD_SLOT=2", "STAMPLOAD_FAULT_SLOT=2"},
			plan{exitCode: 1, exitAt: time.Second, unhealthyAt: never, slot: 2, faultSlot: 2},
		},
		{
			[]string{"STAMPLOAD_EXIT_AT_S=1", "STAMPLOAD_NEVER_READY=1", "STAMPLOAD_UNHEALTHY_AT_S=1",
				"STAMPLOAD_SLOT=1", "STAMPLOAD_FAULT_SLOT=2"},
			plan{exitCode: 1, exitAt: never, unhealthyAt: never, slot: 1, faultSlot: 2},
		},
	} {
		got, err := readPlan(read.environment)
		must(t, err)
		equal(t, fmt.Sprint(read.environment), fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", read.wanted))
	}
}

func TestAPlanThatTheWorkloadDoesNotTakeIsNotTaken(t *testing.T) {
	for _, environment := range [][]string{
		{"STAMPLOAD_PEEK_BYTES=1"}, {"STAMPLOAD_PEAK_BYTES="}, {"STAMPLOAD_PEAK_BYTES=-1"},
		{"STAMPLOAD_PEAK_BYTES=+1"}, {"STAMPLOAD_PEAK_BYTES=1e3"}, {"STAMPLOAD_EXIT_CODE=256"},
		{"STAMPLOAD_BOOT_S=1e3"}, {"STAMPLOAD_BOOT_S=.5"}, {"STAMPLOAD_BOOT_S=1."},
		{"STAMPLOAD_BOOT_S=inf"}, {"STAMPLOAD_BOOT_S=0x1"}, {"STAMPLOAD_NEVER_READY=yes"},
		{"STAMPLOAD_VERSION="}, {"STAMPLOAD_PORT=0"}, {"STAMPLOAD_OOM_SCORE_ADJ=-5"},
		{"STAMPLOAD_PEAK_BYTES=1", "STAMPLOAD_STEADY_BYTES=2"}, {"STAMPLOAD_SLOT={{.Task.Slot}}"},
	} {
		if got, err := readPlan(environment); err == nil {
			t.Errorf("%v was read as %+v", environment, got)
		}
	}
}

func TestAContainerWithAPlanThatCannotBeReadEndsAsTheWorkloadDoes(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = []string{"STAMPLOAD_BOOTS=1"}
	s.ask("create", fields{"spec": d.spec()})
	s.pass(3)
	equal(t, "error", s.tasks("shop_app")[0].Status.Err, "task: non-zero exit (64)")
}

func TestAFaultOfOneSlotIsDecidedByTheTemplateThatTheEngineFillsIn(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.replicas, d.noCheck = 2, true
	d.env = []string{"STAMPLOAD_EXIT_AT_S=60", "STAMPLOAD_SLOT={{.Task.Slot}}", "STAMPLOAD_FAULT_SLOT=2"}
	s.create(d)
	s.pass(58)
	failures := map[int]int{}
	for _, task := range s.tasks("shop_app") {
		if task.Status.State == swarm.TaskStateFailed {
			failures[task.Slot]++
		}
	}
	equal(t, "failed tasks by slot", failures, map[int]int{2: 1})
}

func TestATemplateThatFailsForOneTaskRejectsIt(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.env = []string{`X={{if eq .Node.Hostname "virtual"}}{{.Task.Nothing}}{{end}}`}
	s.ask("create", fields{"spec": d.spec()})
	s.pass(3)
	task := s.tasks("shop_app")[0]
	equal(t, "state", task.Status.State, swarm.TaskStateRejected)
	if !strings.Contains(task.Status.Err, "expanding env failed") {
		t.Errorf("it was rejected because %s", task.Status.Err)
	}
}
