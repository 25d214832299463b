package main

import (
	"math/rand/v2"

	"github.com/distribution/reference"
	"github.com/moby/swarmkit/v2/api"
)

// A node is the swarm's one machine: its agent, its containers and their memory. SwarmKit's agent is
// modelled, for it would bring sockets and files; what it *decides* is its own code (agent/exec).
type node struct {
	*world
	options     options
	description *api.NodeDescription
	ids         *rand.ChaCha8
	images      map[string]bool
	dispatcher  *dispatcher
	memory      *memory
	managers    map[string]*taskManager
	lastPID     int32
}

func newNode(w *world, options options, seed uint64) *node {
	n := &node{
		world: w, options: options, description: describeNode("", options).Description,
		ids:    randomness(seed, "containers"),
		images: map[string]bool{}, managers: map[string]*taskManager{}, lastPID: 1000,
	}
	phase := rand.New(randomness(seed, "phase")).Float64()
	n.dispatcher = newDispatcher(n, duration(phase*options.ReportS))
	n.memory = &memory{node: n}
	return n
}

// normalImage is an image's full name, under which "nginx" and "docker.io/library/nginx:latest" are
// one. What is no name at all stands for itself.
func normalImage(image string) string {
	name, err := reference.ParseDockerRef(image)
	if err != nil {
		return image
	}
	return name.String()
}

// familiarImage is how the engine names an image in its words (docker daemon/images/errors.go).
func familiarImage(image string) string {
	name, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.FamiliarString(reference.TagNameOnly(name))
}
