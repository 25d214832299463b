package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// A refusal is the swarm's own, in the engine's words.
type refusal struct{ words string }

func (r refusal) Error() string { return r.words }

// A connection reads requests and writes answers.
type connection struct {
	lines *bufio.Reader
	out   io.Writer
}

// serve answers requests until there are no more. Each `begin` opens a bubble that its `end` closes.
func serve(t *testing.T, in io.Reader, out io.Writer) error {
	c := &connection{lines: bufio.NewReaderSize(in, 1<<16), out: out}
	for {
		asked, err := c.next()
		if err != nil {
			return err
		}
		options, bad := readOptions(asked.Node)
		if asked.Do != "begin" {
			bad = fmt.Errorf("%q needs a swarm: begin one first", asked.Do)
		}
		if bad != nil {
			if err := c.write(answer(nil, bad)); err != nil {
				return err
			}
			continue
		}
		synctest.Test(t, func(*testing.T) { err = c.play(asked.Seed, options) })
		if err != nil {
			return err
		}
	}
}

// play is a bubble's own goroutine, from a begin to its end. Blocked on stdin it does not let virtual
// time pass.
func (c *connection) play(seed uint64, options options) error {
	w, err := newWorld(seed, options)
	if err != nil {
		return err
	}
	defer w.stop()
	line := answer(map[string]bool{"seeded": isSeeded}, nil)
	for {
		if err := c.write(line); err != nil {
			return err
		}
		asked, err := c.next()
		if err != nil {
			return err
		}
		if asked.Do == "end" {
			return c.write(answer(struct{}{}, nil))
		}
		line = answer(w.handle(asked))
	}
}

// next reads the next well-formed request; the others it answers itself.
func (c *connection) next() (request, error) {
	for {
		line, err := c.lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) == 0 && err != nil {
			return request{}, err
		}
		collect()
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
		bad = fmt.Errorf("this is not one request in JSON: %w", bad)
		if err := c.write(answer(nil, bad)); err != nil {
			return request{}, err
		}
	}
}

func (c *connection) write(line []byte) error {
	_, err := c.out.Write(line)
	return err
}

// answer is one line: what was asked for, what the swarm refused, or what the client did wrong.
func answer(result any, err error) []byte {
	reply := map[string]any{"ok": result}
	var refused refusal
	switch {
	case errors.As(err, &refused):
		reply = map[string]any{"refused": refused.words}
	case err != nil:
		reply = map[string]any{"error": err.Error()}
	}
	line, err := json.Marshal(reply)
	if err != nil {
		panic(err) // a reply is made of plain values
	}
	return append(line, '\n')
}
