package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A provision is what a stack presupposes.
type provision struct {
	Images   []string          `json:"images"`
	Secrets  []named           `json:"secrets"`
	Configs  []named           `json:"configs"`
	Networks []named           `json:"networks"`
	Labels   map[string]string `json:"labels"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func decodeStrictly(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// handle performs a request. It returns the answer, a refusal by the swarm, or a client's error.
func (w *world) handle(asked request) (any, error) {
	switch asked.Do {
	case "advance":
		return w.handleAdvance(asked.UntilS)
	case "create", "update", "remove", "provide", "limit":
		answer, err := w.change(asked)
		w.settle()
		return answer, err
	case "inspect":
		return w.manager.inspect(asked.Service)
	case "services":
		return w.manager.services()
	case "tasks":
		return w.manager.tasks()
	case "usage":
		return w.node.memory.describe(), nil
	case "begin":
		return nil, errors.New("there is a swarm already: end it first")
	}
	return nil, fmt.Errorf("there is no request %q", asked.Do)
}

func (w *world) change(asked request) (any, error) {
	switch asked.Do {
	case "create":
		id, err := w.manager.create(asked.Spec)
		return map[string]string{"id": id}, err
	case "update":
		return struct{}{}, w.manager.update(asked)
	case "remove":
		return struct{}{}, w.manager.remove(asked.Service)
	case "provide":
		for _, image := range asked.Images {
			w.node.images[normalImage(image)] = true
		}
		return struct{}{}, w.manager.provide(asked.provision)
	default:
		return struct{}{}, w.node.memory.setLimit(asked.Bytes)
	}
}

// notBefore is a moment that, said in seconds again, is not before what was asked for.
func notBefore(untilS float64) time.Duration {
	until := duration(untilS)
	for inSeconds(until) < untilS {
		until++
	}
	return until
}

// advanced is the answer to advance: a moment, and its events.
type advanced struct {
	NowS     float64 `json:"now_s"`
	Happened []any   `json:"happened"`
}

func (w *world) handleAdvance(untilS *float64) (any, error) {
	if untilS == nil {
		return nil, errors.New("advance needs until_s, a moment in seconds since begin")
	}
	if !(*untilS >= 0 && *untilS <= maxS) {
		return nil, fmt.Errorf("until_s must be from 0 to %g, not %g", maxS, *untilS)
	}
	answer := advanced{Happened: []any{}}
	for _, item := range w.advance(notBefore(*untilS)) {
		event, err := item.describe()
		if err != nil {
			return nil, err
		}
		answer.Happened = append(answer.Happened, event)
	}
	answer.NowS = inSeconds(w.now())
	return answer, nil
}
