package main

import (
	"errors"
	"math"
	"slices"
	"time"
)

// A memory is the control group that all containers share, as on cgroup v2: what they hold counts for
// it, and for the limit of each one's own group. Moments at which a limit is passed are computed.
type memory struct {
	node    *node
	limit   *int64       // nil: none
	members []*container // oldest first
	passing *entry
	// settling guards against a kill that settles the memory while it is being settled.
	settling bool
}

type usageAnswer struct {
	UsageBytes int64            `json:"usage_bytes"`
	Containers map[string]int64 `json:"containers"`
}

func (m *memory) describe() usageAnswer {
	usage := usageAnswer{Containers: map[string]int64{}}
	for _, c := range m.members {
		usage.Containers[c.id] = int64(m.held(c))
		usage.UsageBytes += usage.Containers[c.id]
	}
	return usage
}

func (m *memory) setLimit(bytes *int64) error {
	if bytes != nil && *bytes < 0 {
		return errors.New("a limit must be null, or at least 0 bytes")
	}
	m.limit = bytes
	m.settle()
	if bytes != nil && m.sum(m.members) > float64(*bytes) {
		return errors.New("the usage is above the limit, and there is nothing that could be killed")
	}
	return nil
}

func (m *memory) join(c *container) { m.members = append(m.members, c) }

func (m *memory) leave(c *container) {
	m.members = slices.DeleteFunc(m.members, func(other *container) bool { return other == c })
	m.settle()
}

func (m *memory) held(c *container) float64 {
	return float64(m.node.options.OverheadBytes) + c.application.curve.at(m.node.now())
}

func (m *memory) sum(members []*container) (bytes float64) {
	for _, c := range members {
		bytes += m.held(c)
	}
	return bytes
}

// A limited is a group whose limit counts.
type limited struct {
	limit   int64
	members []*container
}

func (m *memory) groups() []limited {
	var all []limited
	for _, c := range m.members {
		if own := c.limitBytes(); own > 0 {
			all = append(all, limited{own, []*container{c}})
		}
	}
	if m.limit != nil {
		all = append(all, limited{*m.limit, m.members})
	}
	return all
}

// settle kills until every limit is kept, and plans for the next time that one will be passed. It is
// called after every change of memory or limits.
func (m *memory) settle() {
	if m.settling {
		return
	}
	m.settling = true
	for m.killOne() {
	}
	m.settling = false
	m.passing.cancel()
	soonest := never
	for _, group := range m.groups() {
		soonest = min(soonest, m.untilPassed(group))
	}
	if soonest < never {
		m.passing = m.node.agenda.after(soonest, m.settle)
	}
}

// untilPassed is how long a group's memory grows until it is above the limit.
func (m *memory) untilPassed(group limited) time.Duration {
	now, rate := m.node.now(), 0.0
	for _, c := range group.members {
		if curve := c.application.curve; curve.at(now) < curve.most {
			rate += curve.bytesPerSecond
		}
	}
	// A limit that is reached to the byte is kept: it is the next byte that passes it.
	room := float64(group.limit) + 1 - m.sum(group.members)
	if rate <= 0 || room/rate > maxS {
		return never
	}
	return time.Duration(math.Ceil(room / rate * float64(time.Second)))
}

// A victim is one process that the kernel may kill.
type victim struct {
	container *container
	isChild   bool
	rss       float64
	score     float64
}

// killOne kills in the first group that is above its limit; false when there is none, or no victim.
func (m *memory) killOne() bool {
	for _, group := range m.groups() {
		if m.sum(group.members) <= float64(group.limit) {
			continue
		}
		var chosen victim
		for _, c := range group.members {
			for _, process := range m.processes(c, group.limit) {
				if chosen.container == nil || process.score > chosen.score {
					chosen = process
				}
			}
		}
		if chosen.container != nil {
			m.kill(chosen, group)
			return true
		}
	}
	return false
}

// processes of a container, with the kernel's measure of them: what is resident, and a share of the
// limit by their score (mm/oom_kill.c, oom_badness).
func (m *memory) processes(c *container, limit int64) []victim {
	if !c.application.alive {
		return nil
	}
	overhead, planned := float64(m.node.options.OverheadBytes), c.application.curve.at(m.node.now())
	inherited, own := float64(c.spec.OomScoreAdj), float64(c.spec.OomScoreAdj)
	if c.application.plan.hasScore {
		own = float64(c.application.plan.oomScoreAdj)
	}
	score := func(adjusted float64) float64 { return adjusted * float64(limit) / 1000 }
	if !c.application.plan.inChild {
		rss := overhead + planned
		return []victim{{c, false, rss, rss + score(own)}}
	}
	all := []victim{{c, false, overhead, overhead + score(inherited)}}
	if c.application.hasChild {
		all = append(all, victim{c, true, planned, planned + score(own)})
	}
	return all
}

func (m *memory) kill(chosen victim, group limited) {
	event := oomEvent{
		header:    header{AtS: inSeconds(m.node.now()), Kind: "oom"},
		Container: chosen.container.id, Task: chosen.container.task.ID, Process: "main",
		RSSBytes: int64(chosen.rss), UsageBytes: int64(m.sum(group.members)),
		LimitBytes: group.limit, Containers: m.describe().Containers,
	}
	if chosen.isChild {
		event.Process = "child"
	}
	m.node.timeline.addEvent(event)
	chosen.container.loseToOOM(chosen.isChild)
}
