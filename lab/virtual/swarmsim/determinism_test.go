package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// scripts is how many random scenarios are played twice: a tenth where time is short.
func scripts() uint64 {
	if testing.Short() {
		return 30
	}
	return 300
}

func TestOneSeedGivesOneHistory(t *testing.T) {
	if !isSeeded {
		t.Skip("built without -tags seeded (see the command in the folder seeded): races end anyhow")
	}
	first, second := launch(t), launch(t)
	for seed := range scripts() {
		playRandomly(first, seed)
		playRandomly(second, seed)
		if a, b := first.answered.String(), second.answered.String(); a != b {
			t.Fatalf("seed %d gave two histories, which differ from here on:\n%s\n%s",
				seed, around(a, b), around(b, a))
		}
		first.answered.Reset()
		second.answered.Reset()
	}
}

// around shows a text where it begins to differ from another.
func around(text, other string) string {
	at := 0
	for at < min(len(text), len(other)) && text[at] == other[at] {
		at++
	}
	return text[max(0, at-200):min(len(text), at+200)]
}

func TestSeveralReplicasGoThroughAllOfIt(t *testing.T) {
	p := launch(t)
	for seed := range scripts() / 10 {
		random := rand.New(rand.NewPCG(seed, 1))
		p.ask("begin", fields{"seed": seed})
		p.ask("provide", fields{
			"images":   []string{"app:1", "app:2"},
			"networks": []fields{{"id": "n1", "name": "net"}},
		})
		s := &story{program: p}
		d := randomDraft(random)
		d.replicas = 2 + random.Uint64N(4)
		s.ask("create", fields{"spec": d.spec()})
		s.pass(30)
		d = randomDraft(random)
		d.replicas = 1 + random.Uint64N(5)
		s.update(d)
		s.ask("limit", fields{"bytes": 100*mb + random.Int64N(1500*mb)})
		s.pass(200)
		p.ask("end", nil)
	}
	equal(t, "exit code", p.close(), 0)
}

// playRandomly plays a scenario that follows from a seed: a stack, and what is done to it.
func playRandomly(p *program, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	p.ask("begin", fields{"seed": seed, "node": fields{"memory_bytes": 4000 * mb}})
	p.ask("provide", fields{
		"images":   []string{"app:1", "app:2"},
		"networks": []fields{{"id": "n1", "name": "net"}},
	})
	s := &story{program: p}
	names := []string{"a_app", "a_db", "b_app"}[:1+random.IntN(3)]
	for _, name := range names {
		p.ask("create", fields{"spec": randomSpec(random, name)})
	}
	s.pass(random.Float64() * 20)
	for range 3 + random.IntN(8) {
		name := names[random.IntN(len(names))]
		switch random.IntN(6) {
		case 0, 1, 2:
			p.try("update", fields{"service": name, "spec": randomSpec(random, name)})
		case 3:
			p.ask("limit", fields{"bytes": 50*mb + random.Int64N(700*mb)})
		case 4:
			p.ask("limit", fields{"bytes": nil})
		case 5:
			p.try("update", fields{"service": name, "rollback": "previous"})
		}
		s.pass([]float64{0, 0.3, 2, 7, 30, 60}[random.IntN(6)])
	}
	p.ask("remove", fields{"service": names[0]})
	s.pass(20)
	p.ask("services", nil)
	p.ask("tasks", nil)
	p.ask("end", nil)
}

func randomSpec(random *rand.Rand, name string) swarm.ServiceSpec {
	d := randomDraft(random)
	d.replicas = pick(random, 1, 1, 1, uint64(3))
	spec := d.spec()
	spec.Name = name
	return spec
}

// pick chooses one of several.
func pick[T any](random *rand.Rand, all ...T) T { return all[random.IntN(len(all))] }

func randomDraft(random *rand.Rand) draft {
	steady := 10 + random.IntN(150)
	env := heavy(steady, steady+random.IntN(300), pick(random, 0, 0.3, 2.5))
	env = append(env, pick(random, "", "STAMPLOAD_EXIT_AT_S=0.2", "STAMPLOAD_NEVER_READY=1",
		"STAMPLOAD_EXIT_AT_S=12", "STAMPLOAD_UNHEALTHY_AT_S=9", "STAMPLOAD_STOP_S=70",
		"STAMPLOAD_IN_CHILD=1", "STAMPLOAD_OOM_SCORE_ADJ=500", "STAMPLOAD_READY_S=3", ""))
	return draft{
		stamp: fmt.Sprint(random.IntN(9)), image: pick(random, "app:1", "app:2", "app:2", "gone:1"),
		env: env, order: pick(random, "start-first", "stop-first"),
		onFailure: pick(random, "rollback", "rollback", "pause", "continue"),
		monitor:   pick(random, 0, time.Second, 5*time.Second), noCheck: random.IntN(4) == 0,
		startPeriod: pick(random, 0, time.Minute), grace: pick(random, 0, 3*time.Second, 2*time.Minute),
		network: pick(random, "", "net"), more: func(spec *swarm.ServiceSpec) {
			spec.UpdateConfig.Delay = pick(random, 0, 5*time.Second)
			spec.TaskTemplate.RestartPolicy.Delay = pick(random, nil, &restartLater, &restartSoon)
		},
	}
}

var restartLater, restartSoon = 5 * time.Second, 2 * time.Second
