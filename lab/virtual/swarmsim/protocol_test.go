package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

func TestALineThatIsNoRequestIsAnsweredAndForgotten(t *testing.T) {
	p := launch(t)
	for _, line := range []string{
		"", "{", "7", "null", `"begin"`, `{"do":"begin"} {}`, `{"do":"begin","sed":7}`, `{"do":"dance"}`,
		`{"do":"advance","until_s":1}`, `{"do":"end"}`, `{"do":"begin","node":{"prepare_s":-1}}`,
		`{"do":"begin","node":{"prepare":1}}`, `{"do":"begin","seed":-1}`,
	} {
		if got := p.line(line); got.Error == "" || got.OK != nil || got.Refused != "" {
			t.Errorf("%q was answered with %+v", line, got)
		}
	}
	p.ask("begin", nil)
	for _, line := range []string{
		`{"do":"begin"}`, `{"do":"advance"}`, `{"do":"advance","until_s":-1}`, `{"do":"create"}`,
		`{"do":"advance","until_s":1e300}`, `{"do":"create","spec":{}}`, `{"do":"create","spec":[]}`,
		`{"do":"limit","bytes":-1}`,
	} {
		if got := p.line(line); got.Error == "" {
			t.Errorf("%q was answered with %+v", line, got)
		}
	}
	p.ask("end", nil)
	equal(t, "exit code", p.close(), 0)
	equal(t, "stderr", p.stderr.String(), "")
}

func TestTheEndOfTheInputEndsItInTheMiddleOfAScenario(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	s.update(head())
	s.pass(1)
	equal(t, "exit code", s.close(), 0)
	equal(t, "stderr", s.stderr.String(), "")
}

func TestAnUnfinishedLineAtTheEndIsAnswered(t *testing.T) {
	p := launch(t)
	_, err := p.stdin.Write([]byte(`{"do":"beg`))
	must(t, err)
	must(t, p.stdin.Close())
	line, err := p.stdout.ReadString('\n')
	must(t, err)
	if !strings.Contains(line, `"error"`) {
		t.Errorf("answer: %s", line)
	}
	equal(t, "exit code", p.close(), 0)
}

func TestWhatTheSwarmRefusesIsInTheEnginesWords(t *testing.T) {
	s := begin(t, nil)
	s.create(base())
	version := s.inspect("shop_app").Version.Index
	jobs := head().spec()
	jobs.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
	secret := head().spec()
	secret.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{
		SecretID: "s1", SecretName: "key",
		File: &swarm.SecretReferenceFileTarget{Name: "key", UID: "0", GID: "0", Mode: 0o444},
	}}
	strange := head()
	strange.network = "nowhere"
	for _, refused := range []struct {
		do    string
		what  fields
		words string
	}{
		{"create", fields{"spec": base().spec()}, "rpc error: code = AlreadyExists desc = name " +
			"conflicts with an existing object: service shop_app already exists"},
		{"update", fields{"service": "shop_app", "spec": head().spec(), "version": version - 1},
			"rpc error: code = Unknown desc = update out of sequence"},
		{"update", fields{"service": "nobody", "spec": head().spec()}, "service nobody not found"},
		{"update", fields{"service": "shop_app", "rollback": "previous"},
			"rpc error: code = FailedPrecondition desc = service " + s.inspect("shop_app").ID +
				" does not have a previous spec"},
		{"update", fields{"service": "shop_app", "spec": jobs},
			"rpc error: code = Unimplemented desc = service mode change is not allowed"},
		{"update", fields{"service": "shop_app", "spec": secret},
			"rpc error: code = InvalidArgument desc = secret not found: key"},
		{"update", fields{"service": "shop_app", "spec": strange.spec()}, "network nowhere not found"},
		{"remove", fields{"service": "nobody"}, "service nobody not found"},
	} {
		equal(t, refused.do, s.try(refused.do, refused.what).Refused, refused.words)
	}
	s.ask("provide", fields{"secrets": []fields{{"id": "s1", "name": "key"}}})
	s.ask("update", fields{"service": "shop_app", "spec": secret, "version": version})
}

func TestASpecComesBackAsItWasGiven(t *testing.T) {
	s := begin(t, nil)
	wanted := head()
	wanted.monitor, wanted.grace, wanted.startPeriod = 7*time.Second+3, 9*time.Second, time.Minute
	spec := wanted.spec()
	s.ask("create", fields{"spec": spec})
	// dockerd makes a few defaults explicit (daemon/cluster/convert/service.go).
	spec.TaskTemplate.ForceUpdate, spec.TaskTemplate.Runtime = 0, swarm.RuntimeContainer
	got := s.inspect("shop_app").Spec
	got.TaskTemplate.ContainerSpec.Isolation = ""
	got.TaskTemplate.ContainerSpec.Privileges = nil
	got.TaskTemplate.RestartPolicy.MaxAttempts = nil
	got.TaskTemplate.Resources, got.TaskTemplate.Placement = nil, nil
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(spec)
	equal(t, "the spec", string(a), string(b))
}

func TestAMomentIsReachedWhateverItsDigits(t *testing.T) {
	s := begin(t, nil)
	for _, moment := range []float64{0.1 + 0.2, 1.0000000001, 123456.7890123456, 8e6 + 1e-9} {
		s.until(moment)
		if s.now < moment {
			t.Errorf("%v was reached as %v", moment, s.now)
		}
	}
}

// Else a request at that moment would race with SwarmKit.
func TestWhatIsDueAtAMomentIsDoneWhenItIsReached(t *testing.T) {
	completed := func(until float64) *story {
		s := begin(t, nil)
		s.create(base())
		s.update(head())
		s.until(until)
		equal(t, "state", s.inspect("shop_app").UpdateStatus.State, swarm.UpdateStateCompleted)
		return s
	}
	items := completed(30).history
	last := items[len(items)-1]
	equal(t, "what happened last", len(last.Services), 1)
	completed(last.AtS)
}

func TestArgumentsAreRefused(t *testing.T) {
	p := launch(t, "--help")
	equal(t, "exit code", p.close(), exitUsage)
}
