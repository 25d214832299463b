package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// The test binary is the program itself when this is set.
const playProgram = "SWARMSIM_TEST_IS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(playProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A program is a running swarmsim and the ends of its pipes.
type program struct {
	t        *testing.T
	command  *exec.Cmd
	stdin    io.WriteCloser
	stdout   *bufio.Reader
	stderr   *strings.Builder
	answered strings.Builder // every answer, byte for byte
}

func launch(t *testing.T, arguments ...string) *program {
	t.Helper()
	p := &program{t: t, command: exec.Command(os.Args[0], arguments...), stderr: &strings.Builder{}}
	p.command.Env = append(os.Environ(), playProgram+"=1")
	p.command.Stderr = p.stderr
	stdin, err := p.command.StdinPipe()
	must(t, err)
	stdout, err := p.command.StdoutPipe()
	must(t, err)
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	must(t, p.command.Start())
	t.Cleanup(func() { p.close() })
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// close ends the program by the end of its input, and says with which exit code it ended.
func (p *program) close() int {
	_ = p.stdin.Close() // it may be closed already
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode()
}

type reply struct {
	OK      json.RawMessage `json:"ok"`
	Refused string          `json:"refused"`
	Error   string          `json:"error"`
}

// line sends one line as it is.
func (p *program) line(text string) reply {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, text+"\n"); err != nil {
		p.t.Fatalf("%v; stderr: %s", err, p.stderr)
	}
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		p.command.Wait()
		p.t.Fatalf("no answer to %s: %v; stderr: %s", text, err, p.stderr)
	}
	p.answered.WriteString(line)
	var got reply
	must(p.t, json.Unmarshal([]byte(line), &got))
	return got
}

type fields map[string]any

// try asks, whatever the answer.
func (p *program) try(do string, what fields) reply {
	p.t.Helper()
	asked := fields{"do": do}
	for name, value := range what {
		asked[name] = value
	}
	text, err := json.Marshal(asked)
	must(p.t, err)
	return p.line(string(text))
}

// ask expects to be obeyed.
func (p *program) ask(do string, what fields) json.RawMessage {
	p.t.Helper()
	got := p.try(do, what)
	if got.OK == nil {
		p.t.Fatalf("%s %v: refused %q, error %q", do, what, got.Refused, got.Error)
	}
	return got.OK
}

// event is any item of an advance's answer.
type event struct {
	AtS          float64          `json:"at_s"`
	Kind         string           `json:"kind"`
	Services     []swarm.Service  `json:"services"`
	Removed      []string         `json:"removed"`
	Tasks        []swarm.Task     `json:"tasks"`
	RemovedTasks []string         `json:"removed_tasks"`
	Action       string           `json:"action"`
	Container    string           `json:"container"`
	Task         string           `json:"task"`
	Service      string           `json:"service"`
	Image        string           `json:"image"`
	Process      string           `json:"process"`
	Signal       int              `json:"signal"`
	ExitCode     *int             `json:"exit_code"`
	OOM          *bool            `json:"oom"`
	StartedS     *float64         `json:"started_s"`
	RSSBytes     int64            `json:"rss_bytes"`
	UsageBytes   int64            `json:"usage_bytes"`
	LimitBytes   int64            `json:"limit_bytes"`
	Containers   map[string]int64 `json:"containers"`
}

// A story is one swarm, with all that has happened in it.
type story struct {
	*program
	now     float64
	history []event
}

// begin opens a swarm that has the images app:1, app:2 and app:3, and two networks.
func begin(t *testing.T, node fields) *story {
	t.Helper()
	s := &story{program: launch(t)}
	s.ask("begin", fields{"seed": 7, "node": node})
	s.ask("provide", fields{"images": []string{"app:1", "app:2", "app:3"}})
	return s
}

// until lets time pass, up to a moment, and remembers what happened.
func (s *story) until(moment float64) {
	s.t.Helper()
	for s.step(moment) {
	}
}

func (s *story) step(moment float64) bool {
	s.t.Helper()
	var got struct {
		NowS     float64 `json:"now_s"`
		Happened []event `json:"happened"`
	}
	must(s.t, json.Unmarshal(s.ask("advance", fields{"until_s": moment}), &got))
	if got.NowS < s.now || (len(got.Happened) == 0 && got.NowS < moment) {
		s.t.Fatalf("advance until %v gave %v after %v", moment, got.NowS, s.now)
	}
	s.now = got.NowS
	s.history = append(s.history, got.Happened...)
	return len(got.Happened) > 0
}

// pass lets so many seconds pass.
func (s *story) pass(seconds float64) { s.until(s.now + seconds) }

func (s *story) inspect(name string) *swarm.Service {
	s.t.Helper()
	var service *swarm.Service
	must(s.t, json.Unmarshal(s.ask("inspect", fields{"service": name}), &service))
	return service
}

// tasks are those of a service, oldest first.
func (s *story) tasks(service string) []swarm.Task {
	s.t.Helper()
	var all, own []swarm.Task
	must(s.t, json.Unmarshal(s.ask("tasks", nil), &all))
	id := s.inspect(service).ID
	for _, task := range all {
		if task.ServiceID == id {
			own = append(own, task)
		}
	}
	for i := range own {
		for j := i; j > 0 && own[j].CreatedAt.Before(own[j-1].CreatedAt); j-- {
			own[j], own[j-1] = own[j-1], own[j]
		}
	}
	return own
}

// updates are the update states that a service went through.
func (s *story) updates(name string) (states []string) {
	last := ""
	for _, event := range s.history {
		for _, service := range event.Services {
			if service.Spec.Name != name {
				continue
			}
			state := "nil"
			if service.UpdateStatus != nil {
				state = string(service.UpdateStatus.State)
			}
			if state != last {
				states, last = append(states, state), state
			}
		}
	}
	return states
}

// states are those that a task went through, as the store saw them.
func (s *story) states(id string) (states []string) {
	last := ""
	for _, event := range s.history {
		for _, task := range event.Tasks {
			if state := string(task.Status.State); task.ID == id && state != last {
				states, last = append(states, state), state
			}
		}
	}
	return states
}

// actions are the events of all containers of an image.
func (s *story) actions(image string) (actions []string) {
	for _, event := range s.history {
		if event.Kind == "container" && event.Image == image {
			actions = append(actions, event.Action)
		}
	}
	return actions
}

// find gives the items of some kind, with some action.
func (s *story) find(kind, action string) (events []event) {
	for _, event := range s.history {
		if event.Kind == kind && event.Action == action {
			events = append(events, event)
		}
	}
	return events
}

// equal compares by what is printed, which is what a reader sees.
func equal(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		t.Errorf("%s: got %s, wanted %s", what, g, w)
	}
}

func (s *story) usage() float64 {
	s.t.Helper()
	var usage usageAnswer
	must(s.t, json.Unmarshal(s.ask("usage", nil), &usage))
	return float64(usage.UsageBytes)
}
