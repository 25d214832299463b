package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/manager/state/store"
	"google.golang.org/grpc/status"
)

// What dockerd does between its API and SwarmKit's (docker daemon/cluster/services.go), without
// registries: images are taken as they are named.

func (m *manager) create(raw json.RawMessage) (string, error) {
	spec, err := m.readSpec(raw)
	if err != nil {
		return "", err
	}
	request := &api.CreateServiceRequest{Spec: spec}
	response, err := m.server.CreateService(context.Background(), request)
	if err != nil {
		return "", refusedBy(err)
	}
	return response.Service.ID, nil
}

func (m *manager) update(asked request) error {
	present, err := m.find(asked.Service)
	if err != nil {
		return err
	}
	request := &api.UpdateServiceRequest{
		ServiceID: present.ID, Spec: &present.Spec, ServiceVersion: &present.Meta.Version,
	}
	if asked.Version != nil {
		request.ServiceVersion = &api.Version{Index: *asked.Version}
	}
	switch asked.Rollback {
	case "", "none":
	case "previous":
		request.Rollback = api.UpdateServiceRequest_PREVIOUS
	default:
		return refusal{fmt.Sprintf("unrecognized rollback option %s", asked.Rollback)}
	}
	// A client that rolls back sends the present spec along, which then counts for nothing.
	if len(asked.Spec) > 0 || request.Rollback == api.UpdateServiceRequest_NONE {
		if request.Spec, err = m.readSpec(asked.Spec); err != nil {
			return err
		}
		if own := request.Spec.Task.GetContainer(); own != nil {
			own.PullOptions = present.Spec.Task.GetContainer().PullOptions
		}
	}
	_, err = m.server.UpdateService(context.Background(), request)
	return refusedBy(err)
}

func (m *manager) remove(name string) error {
	present, err := m.find(name)
	if err != nil {
		return err
	}
	request := &api.RemoveServiceRequest{ServiceID: present.ID}
	_, err = m.server.RemoveService(context.Background(), request)
	return refusedBy(err)
}

// provide puts into the store what is not there yet.
func (m *manager) provide(what provision) error {
	err := m.store.Update(func(tx store.Tx) error {
		var all []error
		for _, secret := range what.Secrets {
			all = append(all, store.CreateSecret(tx, &api.Secret{
				ID: secret.ID, Spec: api.SecretSpec{Annotations: api.Annotations{Name: secret.Name}},
			}))
		}
		for _, config := range what.Configs {
			all = append(all, store.CreateConfig(tx, &api.Config{
				ID: config.ID, Spec: api.ConfigSpec{Annotations: api.Annotations{Name: config.Name}},
			}))
		}
		for _, network := range what.Networks {
			all = append(all, store.CreateNetwork(tx, &api.Network{
				ID: network.ID, Spec: api.NetworkSpec{
					Annotations:  api.Annotations{Name: network.Name},
					DriverConfig: &api.Driver{Name: "overlay"}, Attachable: true,
				},
			}))
		}
		all = append(all, m.labelNode(tx, what.Labels))
		return errors.Join(all...)
	})
	return refusedBy(err)
}

func (m *manager) labelNode(tx store.Tx, labels map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	node := store.GetNode(tx, m.nodeID)
	if node.Spec.Annotations.Labels == nil {
		node.Spec.Annotations.Labels = map[string]string{}
	}
	for name, value := range labels {
		node.Spec.Annotations.Labels[name] = value
	}
	return store.UpdateNode(tx, node)
}

// readSpec reads a spec of the engine's API as dockerd does (services.go:176).
func (m *manager) readSpec(raw json.RawMessage) (*api.ServiceSpec, error) {
	if len(raw) == 0 {
		return nil, errors.New("this needs a spec: the engine API's ServiceSpec")
	}
	var spec swarm.ServiceSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("the spec is not the engine API's ServiceSpec: %w", err)
	}
	if spec.Name == "" {
		return nil, errors.New("the spec needs a Name: the engine would give it a random one")
	}
	attached := spec.TaskTemplate.Networks
	if len(attached) == 0 {
		attached = spec.Networks //nolint:staticcheck // as dockerd, for old clients
	}
	for i := range attached {
		id, err := m.networkID(attached[i].Target)
		if err != nil {
			return nil, err
		}
		attached[i].Target = id
	}
	converted, err := convert.ServiceSpecToGRPC(spec)
	if err != nil {
		return nil, refusal{err.Error()}
	}
	if converted.Task.GetContainer() == nil {
		return nil, refusal{"service does not use container tasks"}
	}
	return &converted, nil
}

// networkID finds a network by id or name (docker daemon/cluster/helpers.go:getNetwork).
func (m *manager) networkID(name string) (string, error) {
	var all []*api.Network
	m.store.View(func(tx store.ReadTx) { all, _ = store.FindNetworks(tx, store.All) })
	for _, by := range []func(*api.Network) string{
		func(n *api.Network) string { return n.ID },
		func(n *api.Network) string { return n.Spec.Annotations.Name },
	} {
		for _, network := range all {
			if by(network) == name {
				return network.ID, nil
			}
		}
	}
	return "", refusal{fmt.Sprintf("network %s not found", name)}
}

// find gets a service by id or name (docker daemon/cluster/helpers.go:62).
func (m *manager) find(name string) (*api.Service, error) {
	all, err := m.all()
	if err != nil {
		return nil, err
	}
	for _, service := range all {
		if service.ID == name || service.Spec.Annotations.Name == name {
			return service, nil
		}
	}
	return nil, refusal{fmt.Sprintf("service %s not found", name)}
}

func (m *manager) all() (all []*api.Service, err error) {
	m.store.View(func(tx store.ReadTx) { all, err = store.FindServices(tx, store.All) })
	return all, err
}

func (m *manager) inspect(name string) (any, error) {
	service, err := m.find(name)
	if errors.As(err, new(refusal)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return describeService(service)
}

func (m *manager) services() (any, error) {
	all, err := m.all()
	if err != nil {
		return nil, err
	}
	return describeAll(all, describeService)
}

func (m *manager) tasks() (any, error) {
	var all []*api.Task
	var err error
	m.store.View(func(tx store.ReadTx) { all, err = store.FindTasks(tx, store.All) })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *api.Task) int { return cmp.Compare(a.ID, b.ID) })
	return describeAll(all, describeTask)
}

// refusedBy gives an error the form in which it comes out of dockerd, which asks SwarmKit by gRPC.
func refusedBy(err error) error {
	if err == nil {
		return nil
	}
	return refusal{status.Convert(err).Err().Error()}
}
