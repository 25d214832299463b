package main

import (
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

func TestAGlobalServiceHasOneTaskOnTheNodeAndIsUpdated(t *testing.T) {
	s := begin(t, nil)
	globally := func(d draft) draft {
		d.more = func(spec *swarm.ServiceSpec) {
			spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		}
		return d
	}
	s.create(globally(base()))
	s.ask("limit", fields{"bytes": 350 * mb})
	s.update(globally(head()))
	s.pass(30)
	equal(t, "updates", s.updates("shop_app"),
		[]string{"nil", "updating", "rollback_started", "rollback_completed"})
	s.ask("limit", fields{"bytes": nil})
	s.update(globally(head()))
	s.pass(30)
	equal(t, "stamp", s.inspect("shop_app").Spec.Labels["stamp"], "2")
}

func TestAJobRunsToItsEnd(t *testing.T) {
	for name, mode := range map[string]swarm.ServiceMode{
		"replicated": {ReplicatedJob: &swarm.ReplicatedJob{
			MaxConcurrent: uint64s(1), TotalCompletions: uint64s(3),
		}},
		"global": {GlobalJob: &swarm.GlobalJob{}},
	} {
		s := begin(t, nil)
		d := base()
		d.env, d.noCheck = []string{"STAMPLOAD_EXIT_AT_S=2", "STAMPLOAD_EXIT_CODE=0"}, true
		d.more = func(spec *swarm.ServiceSpec) {
			spec.Mode, spec.UpdateConfig, spec.RollbackConfig = mode, nil, nil
			spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{
				Condition: swarm.RestartPolicyConditionNone,
			}
		}
		s.ask("create", fields{"spec": d.spec()})
		s.pass(60)
		tasks := s.tasks("shop_app")
		for _, task := range tasks {
			equal(t, name+" job", task.Status.State, swarm.TaskStateComplete)
		}
		equal(t, name+" tasks", len(tasks), map[string]int{"replicated": 3, "global": 1}[name])
	}
}

func uint64s(value uint64) *uint64 { return &value }

// A port that is published on all nodes needs the ingress network and a virtual IP.
func TestAServiceWithAPublishedPortGetsAnAddress(t *testing.T) {
	s := begin(t, nil)
	d := base()
	d.more = func(spec *swarm.ServiceSpec) {
		spec.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 80}}}
	}
	s.create(d)
	endpoint := s.inspect("shop_app").Endpoint
	equal(t, "published port", endpoint.Ports[0].PublishedPort, 30000)
	equal(t, "virtual IPs", len(endpoint.VirtualIPs), 1)
}
