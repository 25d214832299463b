package main

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/libnetwork/cnmallocator"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/identity"
	"github.com/moby/swarmkit/v2/manager/allocator"
	"github.com/moby/swarmkit/v2/manager/allocator/networkallocator"
	"github.com/moby/swarmkit/v2/manager/controlapi"
	"github.com/moby/swarmkit/v2/manager/orchestrator/constraintenforcer"
	"github.com/moby/swarmkit/v2/manager/orchestrator/global"
	"github.com/moby/swarmkit/v2/manager/orchestrator/jobs"
	"github.com/moby/swarmkit/v2/manager/orchestrator/replicated"
	"github.com/moby/swarmkit/v2/manager/orchestrator/taskreaper"
	"github.com/moby/swarmkit/v2/manager/scheduler"
	"github.com/moby/swarmkit/v2/manager/state/store"
)

// taskHistory is how many tasks a slot keeps (manager/manager.go:57).
const taskHistory = 5

// A manager is SwarmKit's own, without raft, certificates and connections: the parts that
// manager/manager.go:1012 starts on a leader, in the same order.
type manager struct {
	store  *store.MemoryStore
	server *controlapi.Server
	nodeID string
	stops  []func()
}

func startManager(log *timeline, options options) (*manager, error) {
	networks := cnmallocator.NewProvider(nil)
	allocating, err := networks.NewAllocator(nil)
	if err != nil {
		return nil, fmt.Errorf("SwarmKit's network allocator does not start: %w", err)
	}
	m := &manager{store: store.NewMemoryStore(log), nodeID: identity.NewID()}
	m.server = controlapi.NewServer(m.store, nil, nil, networks, nil)
	if err := m.store.Update(func(tx store.Tx) error {
		return m.createCluster(tx, networks, options)
	}); err != nil {
		return nil, fmt.Errorf("SwarmKit's store does not take a new cluster: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	addresses, schedules, constraints := allocator.New(m.store, allocating), scheduler.New(m.store),
		constraintenforcer.New(m.store)
	reaper, replicas := taskreaper.New(m.store), replicated.NewReplicatedOrchestrator(m.store)
	jobs, globals := jobs.NewOrchestrator(m.store), global.NewGlobalOrchestrator(m.store)
	m.run(func() error { return addresses.Run(ctx) }, addresses.Stop)
	m.run(func() error { return schedules.Run(ctx) }, schedules.Stop)
	m.run(func() error { constraints.Run(); return nil }, constraints.Stop)
	m.run(func() error { reaper.Run(ctx); return nil }, reaper.Stop)
	m.run(func() error { return replicas.Run(ctx) }, replicas.Stop)
	m.run(func() error { jobs.Run(ctx); return nil }, jobs.Stop)
	m.run(func() error { return globals.Run(ctx) }, globals.Stop)
	m.stops = append(m.stops, cancel, func() { m.store.Close() })
	return m, nil
}

func (m *manager) run(part func() error, stop func()) {
	m.stops = append(m.stops, stop)
	go func() {
		if err := part(); err != nil {
			panic(fmt.Sprintf("a part of SwarmKit's manager failed: %v", err))
		}
	}()
}

// stop ends every goroutine of SwarmKit: a bubble must be empty in the end.
func (m *manager) stop() {
	for _, stop := range m.stops {
		stop()
	}
}

// createCluster writes what a new cluster of one node has in its store (manager/manager.go:951).
func (m *manager) createCluster(tx store.Tx, provider networkallocator.Provider, options options) error {
	cluster := &api.Cluster{ID: identity.NewID(), Spec: api.ClusterSpec{
		Annotations:   api.Annotations{Name: store.DefaultClusterName},
		Orchestration: api.OrchestrationConfig{TaskHistoryRetentionLimit: taskHistory},
	}}
	if err := store.CreateCluster(tx, cluster); err != nil {
		return err
	}
	if err := store.CreateNode(tx, describeNode(m.nodeID, options)); err != nil {
		return err
	}
	ingress := &api.Network{ID: identity.NewID(), Spec: api.NetworkSpec{
		Ingress:      true,
		Annotations:  api.Annotations{Name: "ingress"},
		DriverConfig: &api.Driver{},
		IPAM:         &api.IPAMOptions{Driver: &api.Driver{}},
	}}
	if err := store.CreateNetwork(tx, ingress); err != nil {
		return err
	}
	for _, local := range provider.PredefinedNetworks() {
		if err := store.CreateNetwork(tx, &api.Network{ID: identity.NewID(), Spec: api.NetworkSpec{
			Annotations: api.Annotations{
				Name:   local.Name,
				Labels: map[string]string{networkallocator.PredefinedLabel: "true"},
			},
			DriverConfig: &api.Driver{Name: local.Driver},
		}}); err != nil {
			return err
		}
	}
	return nil
}

// describeNode is the one node as its engine would describe it
// (docker daemon/cluster/executor/container/executor.go:58).
func describeNode(id string, options options) *api.Node {
	var plugins []api.PluginDescription
	for _, kind := range []struct {
		name    string
		plugins []string
	}{
		{"Log", []string{"json-file", "local", "none"}},
		{"Network", []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"}},
		{"Volume", []string{"local"}},
	} {
		for _, name := range kind.plugins {
			plugins = append(plugins, api.PluginDescription{Type: kind.name, Name: name})
		}
	}
	return &api.Node{
		ID: id,
		Spec: api.NodeSpec{
			Annotations:  api.Annotations{Labels: options.Labels},
			DesiredRole:  api.NodeRoleManager,
			Membership:   api.NodeMembershipAccepted,
			Availability: api.NodeAvailabilityActive,
		},
		Role:   api.NodeRoleManager,
		Status: api.NodeStatus{State: api.NodeStatus_READY, Addr: "127.0.0.1"},
		Description: &api.NodeDescription{
			Hostname: "virtual",
			Platform: &api.Platform{Architecture: "x86_64", OS: "linux"},
			Engine:   &api.EngineDescription{EngineVersion: engineVersion, Plugins: plugins},
			Resources: &api.Resources{
				MemoryBytes: options.MemoryBytes,
				NanoCPUs:    int64(options.CPUs * float64(time.Second)),
			},
		},
	}
}

// engineVersion is the dockerd whose libraries these are (go.mod has them as its vendor.mod does).
const engineVersion = "28.5.2"
