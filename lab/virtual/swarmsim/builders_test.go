package main

import (
	"fmt"
	"time"

	api "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

const mb = 1_000_000

// A draft is a service of one container, and what a test may want to differ.
type draft struct {
	stamp, image string
	env          []string
	order        string
	onFailure    string
	monitor      time.Duration
	noCheck      bool
	startPeriod  time.Duration
	retries      int
	grace        time.Duration
	replicas     uint64
	network      string
	more         func(*swarm.ServiceSpec)
}

// heavy is an application with a boot peak, in megabytes and seconds.
func heavy(steady, peak int, boot float64, more ...string) []string {
	return append([]string{
		fmt.Sprintf("STAMPLOAD_STEADY_BYTES=%d", steady*mb),
		fmt.Sprintf("STAMPLOAD_PEAK_BYTES=%d", peak*mb),
		fmt.Sprintf("STAMPLOAD_BOOT_S=%g", boot),
	}, more...)
}

func (d draft) spec() swarm.ServiceSpec {
	replicas := max(d.replicas, 1)
	restart := 5 * time.Second
	spec := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: "shop_app", Labels: map[string]string{"stamp": d.stamp}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{Image: d.image, Env: d.env},
			RestartPolicy: &swarm.RestartPolicy{
				Condition: swarm.RestartPolicyConditionAny, Delay: &restart,
			},
		},
		Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		UpdateConfig: &swarm.UpdateConfig{
			Parallelism: 1, FailureAction: d.onFailure, Monitor: d.monitor, Order: d.order,
		},
		EndpointSpec: &swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR},
	}
	if !d.noCheck {
		spec.TaskTemplate.ContainerSpec.Healthcheck = &api.HealthConfig{
			Test: []string{"CMD", "probe"}, Interval: 300 * time.Millisecond,
			StartPeriod: d.startPeriod, Retries: max(d.retries, 20),
		}
	}
	if d.grace > 0 {
		spec.TaskTemplate.ContainerSpec.StopGracePeriod = &d.grace
	}
	if d.network != "" {
		spec.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: d.network}}
	}
	if d.more != nil {
		d.more(&spec)
	}
	return spec
}

// create makes the service and waits until its task is running.
func (s *story) create(d draft) {
	s.t.Helper()
	s.ask("create", fields{"spec": d.spec()})
	s.until(s.now + 10)
	for _, task := range s.tasks("shop_app") {
		if task.Status.State != swarm.TaskStateRunning {
			s.t.Fatalf("the first task is %s: %s", task.Status.State, task.Status.Err)
		}
	}
	s.history = nil
}

func (s *story) update(d draft) {
	s.t.Helper()
	s.ask("update", fields{"service": "shop_app", "spec": d.spec()})
}
