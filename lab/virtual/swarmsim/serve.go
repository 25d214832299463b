package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
)

// A request is one line of a client. Which fields count depends on what is to be done.
type request struct {
	Do       string          `json:"do"`
	Seed     uint64          `json:"seed"`
	Node     json.RawMessage `json:"node"`
	Spec     json.RawMessage `json:"spec"`
	Service  string          `json:"service"`
	Version  *uint64         `json:"version"`
	Rollback string          `json:"rollback"`
	Bytes    *int64          `json:"bytes"`
	UntilS   *float64        `json:"until_s"`
	provision
}

// A refusal is what the swarm itself says no with, in the engine's own words.
type refusal struct{ words string }

func (r refusal) Error() string { return r.words }

// A connection reads requests and writes answers.
type connection struct {
	lines  *bufio.Reader
	out    io.Writer
	scenes int
}

// collectEvery is after how many scenarios the memory of old ones is given back.
const collectEvery = 20

// serve answers requests until there are no more. Each `begin` opens a bubble that its `end` closes.
func serve(t *testing.T, in io.Reader, out io.Writer) error {
	c := &connection{lines: bufio.NewReaderSize(in, 1<<16), out: out}
	for {
		asked, err := c.next()
		if err != nil {
			return err
		}
		if asked.Do != "begin" {
			err = c.answer(nil, fmt.Errorf("%q needs a swarm: begin one first", asked.Do))
		} else {
			err = c.scene(t, asked)
		}
		if err != nil {
			return err
		}
	}
}

// scene plays one swarm from its begin to its end.
func (c *connection) scene(t *testing.T, begin request) error {
	options, err := readOptions(begin.Node)
	if err != nil {
		return c.answer(nil, err)
	}
	if c.scenes++; c.scenes%collectEvery == 0 {
		runtime.GC()
	}
	synctest.Test(t, func(*testing.T) { err = c.play(begin.Seed, options) })
	return err
}

// play is the bubble's own goroutine. Blocked on stdin it does not let virtual time pass.
func (c *connection) play(seed uint64, options options) error {
	w, err := newWorld(seed, options)
	if err != nil {
		return c.answer(nil, err)
	}
	defer w.stop()
	err = c.answer(struct{}{}, nil)
	for err == nil {
		var asked request
		if asked, err = c.next(); err != nil {
			break
		}
		if asked.Do == "end" {
			return c.answer(struct{}{}, nil)
		}
		err = c.answer(w.handle(asked))
	}
	return err
}

// next reads the next well-formed request; the others it answers itself.
func (c *connection) next() (request, error) {
	for {
		line, err := c.lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) == 0 && err != nil {
			return request{}, err
		}
		var asked request
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		bad := decoder.Decode(&asked)
		if bad == nil && decoder.More() {
			bad = errors.New("a second value follows")
		}
		if bad == nil {
			return asked, nil
		}
		if err := c.answer(nil, fmt.Errorf("this is not one request in JSON: %w", bad)); err != nil {
			return request{}, err
		}
	}
}

// answer writes one line: what was asked for, what the swarm refused, or what the client did wrong.
func (c *connection) answer(result any, err error) error {
	said := map[string]any{"ok": result}
	var refused refusal
	switch {
	case errors.As(err, &refused):
		said = map[string]any{"refused": refused.words}
	case err != nil:
		said = map[string]any{"error": err.Error()}
	}
	line, err := json.Marshal(said)
	if err != nil {
		return fmt.Errorf("an answer cannot be written as JSON: %w", err)
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}
