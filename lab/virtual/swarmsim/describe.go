package main

import (
	"fmt"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
)

// The engine API's shapes, made by dockerd's own converter.

func describeService(service *api.Service) (swarm.Service, error) {
	said, err := convert.ServiceFromGRPC(*service)
	if err != nil {
		return said, fmt.Errorf("dockerd cannot describe service %s: %w", service.ID, err)
	}
	return said, nil
}

func describeTask(task *api.Task) (swarm.Task, error) {
	said, err := convert.TaskFromGRPC(*task)
	if err != nil {
		return said, fmt.Errorf("dockerd cannot describe task %s: %w", task.ID, err)
	}
	return said, nil
}

func describeAll[T, S any](objects []*T, describe func(*T) (S, error)) ([]S, error) {
	said := make([]S, 0, len(objects))
	for _, object := range objects {
		one, err := describe(object)
		if err != nil {
			return nil, err
		}
		said = append(said, one)
	}
	return said, nil
}

type header struct {
	AtS  float64 `json:"at_s"`
	Kind string  `json:"kind"`
}

type commitSaid struct {
	header
	Services     []swarm.Service `json:"services"`
	Removed      []string        `json:"removed"`
	Tasks        []swarm.Task    `json:"tasks"`
	RemovedTasks []string        `json:"removed_tasks"`
}

// containerSaid is an event of a container: create, start, ready (its port is open),
// "health_status: …", kill (with the signal), oom, die (with the rest).
type containerSaid struct {
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

// oomSaid is what a kernel's log says of a kill: who died, and all that there was just before.
type oomSaid struct {
	header
	Container  string           `json:"container"`
	Task       string           `json:"task"`
	Process    string           `json:"process"`
	RSSBytes   int64            `json:"rss_bytes"`
	UsageBytes int64            `json:"usage_bytes"`
	LimitBytes int64            `json:"limit_bytes"`
	Containers map[string]int64 `json:"containers"`
}

func (happened item) describe() (any, error) {
	if happened.commit == nil {
		return happened.told, nil
	}
	services, err := describeAll(happened.commit.services, describeService)
	if err != nil {
		return nil, err
	}
	tasks, err := describeAll(happened.commit.tasks, describeTask)
	if err != nil {
		return nil, err
	}
	return commitSaid{
		header:   header{AtS: inSeconds(happened.at), Kind: "commit"},
		Services: services, Removed: idsOf(happened.commit.removedServices),
		Tasks: tasks, RemovedTasks: idsOf(happened.commit.removedTasks),
	}, nil
}

func idsOf[T interface{ GetID() string }](objects []T) []string {
	ids := make([]string, 0, len(objects))
	for _, object := range objects {
		ids = append(ids, object.GetID())
	}
	return ids
}
