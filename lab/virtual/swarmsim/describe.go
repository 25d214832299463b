package main

import (
	"fmt"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
)

// The engine API's shapes, made by dockerd's own converter.

func describeService(service *api.Service) (swarm.Service, error) {
	described, err := convert.ServiceFromGRPC(*service)
	if err != nil {
		return described, fmt.Errorf("dockerd cannot describe service %s: %w", service.ID, err)
	}
	return described, nil
}

func describeTask(task *api.Task) (swarm.Task, error) {
	described, err := convert.TaskFromGRPC(*task)
	if err != nil {
		return described, fmt.Errorf("dockerd cannot describe task %s: %w", task.ID, err)
	}
	return described, nil
}

func describeAll[T, S any](objects []*T, describe func(*T) (S, error)) ([]S, error) {
	described := make([]S, 0, len(objects))
	for _, object := range objects {
		description, err := describe(object)
		if err != nil {
			return nil, err
		}
		described = append(described, description)
	}
	return described, nil
}

type header struct {
	AtS  float64 `json:"at_s"`
	Kind string  `json:"kind"`
}

type commitEvent struct {
	header
	Services     []swarm.Service `json:"services"`
	Removed      []string        `json:"removed"`
	Tasks        []swarm.Task    `json:"tasks"`
	RemovedTasks []string        `json:"removed_tasks"`
}

// containerEvent is an event of a container: create, start, ready (its port is open),
// "health_status: …", kill (with the signal), oom, die (with the rest).
type containerEvent struct {
	header
	Action    string   `json:"action"`
	Container string   `json:"container"`
	Task      string   `json:"task"`
	Service   string   `json:"service"`
	Image     string   `json:"image"`
	Signal    int      `json:"signal,omitempty"`
	ExitCode  *int     `json:"exit_code,omitempty"`
	OOM       *bool    `json:"oom,omitempty"`
	StartedS  *float64 `json:"started_s,omitempty"`
}

// oomEvent is what a kernel logs of a kill: the victim, and the memory of all containers just before.
type oomEvent struct {
	header
	Container  string           `json:"container"`
	Task       string           `json:"task"`
	Process    string           `json:"process"`
	RSSBytes   int64            `json:"rss_bytes"`
	UsageBytes int64            `json:"usage_bytes"`
	LimitBytes int64            `json:"limit_bytes"`
	Containers map[string]int64 `json:"containers"`
}

func (i item) describe() (any, error) {
	if i.commit == nil {
		return i.event, nil
	}
	services, err := describeAll(i.commit.services, describeService)
	if err != nil {
		return nil, err
	}
	tasks, err := describeAll(i.commit.tasks, describeTask)
	if err != nil {
		return nil, err
	}
	return commitEvent{
		header:   header{AtS: inSeconds(i.at), Kind: "commit"},
		Services: services, Removed: idsOf(i.commit.removedServices),
		Tasks: tasks, RemovedTasks: idsOf(i.commit.removedTasks),
	}, nil
}

func idsOf[T interface{ GetID() string }](objects []T) []string {
	ids := make([]string, 0, len(objects))
	for _, object := range objects {
		ids = append(ids, object.GetID())
	}
	return ids
}
