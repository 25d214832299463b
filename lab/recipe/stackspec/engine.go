package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// engine is a swarm manager at which nothing is deployed yet. All that a stack takes for granted,
// its external networks, secrets and configs, is there; what is created is remembered.
type engine struct {
	created    []swarm.ServiceSpec
	networks   objects
	secrets    objects
	configs    objects
	unanswered []string
}

// object is a network, a secret or a config. External ones were there before.
type object struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	External bool   `json:"external"`
}

type objects map[string]object

func newEngine() *engine {
	return &engine{networks: objects{}, secrets: objects{}, configs: objects{}}
}

// services lists what was created by name: the client's own order is that of a map, and another one
// each time (command/stack/swarm/deploy_composefile.go:205).
func (e *engine) services() []swarm.ServiceSpec {
	return sorted(slices.Values(e.created), func(spec swarm.ServiceSpec) string { return spec.Name })
}

func (o objects) sorted() []object {
	return sorted(maps.Values(o), func(one object) string { return one.Name })
}

// sorted is never nil, for nil would be JSON's null.
func sorted[T any](all iter.Seq[T], name func(T) string) []T {
	return append([]T{}, slices.SortedFunc(all, func(a, b T) int {
		return cmp.Compare(name(a), name(b))
	})...)
}

// note remembers an object, as external where it was not created before.
func (o objects) note(kind, name string, external bool) object {
	if _, known := o[name]; !known {
		o[name] = object{ID: identity(kind, name), Name: name, External: external}
	}
	return o[name]
}

// identity gives an object the same id in each process, in the form of the swarm's own: 25 digits
// of base 36 (swarmkit/v2 identity/randomid.go:44).
func identity(kind, name string) string {
	digest := sha256.Sum256([]byte(kind + "\x00" + name))
	return new(big.Int).SetBytes(digest[:]).Text(36)[:25]
}

var versionOfPath = regexp.MustCompile(`^/v[0-9.]+/`)

// RoundTrip answers a request of the client's: the engine is this process.
func (e *engine) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
	}
	status, value := e.answer(request, body)
	answer, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode:    status,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       request,
	}, nil
}

func (e *engine) answer(request *http.Request, body []byte) (int, any) {
	path := versionOfPath.ReplaceAllString(request.URL.Path, "")
	kind, name, _ := strings.Cut(path, "/")
	switch route := request.Method + " " + kind; {
	case route == "GET info":
		return http.StatusOK, map[string]any{"Swarm": swarm.Info{ControlAvailable: true}}
	case route == "GET networks" && name == "", route == "GET services" && name == "":
		return http.StatusOK, []any{}
	case route == "GET networks":
		network := e.networks.note(kind, name, true)
		return http.StatusOK, map[string]string{"Id": network.ID, "Name": name, "Scope": "swarm"}
	case route == "GET secrets" && name == "", route == "GET configs" && name == "":
		return e.list(kind, request.URL.Query().Get("filters"))
	case route == "GET secrets", route == "GET configs":
		return http.StatusNotFound, map[string]string{"message": "it is not there yet"}
	case request.Method == http.MethodPost && name == "create":
		if status, value, known := e.create(kind, body); known {
			return status, value
		}
	}
	e.unanswered = append(e.unanswered, request.Method+" /"+path)
	return http.StatusNotImplemented, map[string]string{"message": "stackspec has no answer to that"}
}

// list answers for every name that is asked for: those not created are the external ones.
func (e *engine) list(kind, asked string) (int, any) {
	wanted, err := filters.FromJSON(asked)
	if err != nil {
		return http.StatusBadRequest, map[string]string{"message": err.Error()}
	}
	found := []map[string]any{}
	for _, name := range wanted.Get("name") {
		one := e.known(kind).note(kind, name, true)
		found = append(found, map[string]any{
			"ID": one.ID, "Spec": swarm.Annotations{Name: name},
		})
	}
	return http.StatusOK, found
}

func (e *engine) create(kind string, body []byte) (status int, value any, known bool) {
	if kind == "services" {
		var spec swarm.ServiceSpec
		if err := json.Unmarshal(body, &spec); err != nil {
			return http.StatusBadRequest, map[string]string{"message": err.Error()}, true
		}
		sortTies(spec.TaskTemplate.ContainerSpec)
		e.created = append(e.created, spec)
		return http.StatusCreated, map[string]string{"ID": identity(kind, spec.Name)}, true
	}
	made := e.known(kind)
	if made == nil {
		return 0, nil, false
	}
	var named swarm.Annotations
	if err := json.Unmarshal(body, &named); err != nil {
		return http.StatusBadRequest, map[string]string{"message": err.Error()}, true
	}
	id := made.note(kind, named.Name, false).ID
	return http.StatusCreated, map[string]string{"ID": id, "Id": id}, true
}

func (e *engine) known(kind string) objects {
	return map[string]objects{
		"networks": e.networks, "secrets": e.secrets, "configs": e.configs,
	}[kind]
}

// sortTies gives one order to a secret or config that is mounted in two places: the client sorts by
// name alone, after ranging over a map (compose/convert/service.go:281).
func sortTies(container *swarm.ContainerSpec) {
	if container == nil {
		return
	}
	slices.SortStableFunc(container.Secrets, func(a, b *swarm.SecretReference) int {
		return cmp.Or(cmp.Compare(a.SecretName, b.SecretName), cmp.Compare(a.File.Name, b.File.Name))
	})
	slices.SortStableFunc(container.Configs, func(a, b *swarm.ConfigReference) int {
		return cmp.Or(cmp.Compare(a.ConfigName, b.ConfigName), cmp.Compare(target(a), target(b)))
	})
}

// target is where a config is mounted, if it is: one of credentials is not.
func target(config *swarm.ConfigReference) string {
	if config.File == nil {
		return ""
	}
	return config.File.Name
}
