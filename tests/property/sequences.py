"""Random observation sequences from a small alphabet: most are nonsense, and none may fool us."""

from __future__ import annotations

from hypothesis import strategies as st

from stamplab.lab.model.history import (
    Deployed,
    MemorySample,
    Observation,
    Record,
    RecorderLost,
    ServiceSeen,
    StageBegan,
    TasksSeen,
)
from stamplab.lab.model.swarm import Service, ServiceSpec, Task
from tests.builders import (
    BASE,
    HEAD,
    RELABELLED,
    Story,
    container_event,
    deployed,
    listed,
    memory,
    policy,
    probe,
    seen,
    service,
    spec,
    status,
    task,
)

DEADLINE_S = 60.0

PAIR = spec("head", stamp="pair", replicas=2)
NONE = spec("base", stamp="none", replicas=0)
SLOW = spec("slow", update=policy(monitor_s=2, delay_s=9))
SPECS: tuple[ServiceSpec, ...] = (BASE, HEAD, RELABELLED, PAIR, NONE, SLOW)

STATES = (
    "updating",
    "completed",
    "paused",
    "rollback_started",
    "rollback_completed",
    "rollback_paused",
)

specs = st.sampled_from(SPECS)
statuses = st.none() | st.builds(
    status, st.sampled_from(STATES), st.sampled_from(("t0", "t1", "t2"))
)
services: st.SearchStrategy[Service] = st.builds(
    service,
    specs,
    st.none() | specs,
    statuses,
    service_id=st.sampled_from(("service1", "service1", "service1", "service2")),
)
baselines: st.SearchStrategy[Service | None] = st.none() | st.builds(
    service, st.just(BASE), st.none() | specs, st.none() | st.just(status("completed", "t0"))
)
tasks: st.SearchStrategy[Task] = st.builds(
    task,
    st.sampled_from(("one", "two", "three")),
    specs,
    st.sampled_from(("running", "running", "starting", "pending", "failed")),
)

looks: st.SearchStrategy[ServiceSeen] = st.builds(
    seen, st.one_of(services, services, services, st.none())
)
listings: st.SearchStrategy[TasksSeen] = st.lists(tasks, max_size=3, unique_by=lambda t: t.id).map(
    lambda drawn: listed(*drawn)
)
deploys: st.SearchStrategy[Deployed] = st.builds(deployed, st.sampled_from((0, 0, 0, 1)))
losses: st.SearchStrategy[RecorderLost] = st.builds(
    RecorderLost, recorder=st.just("events"), reason=st.just("gone")
)
gaps = st.sampled_from((0.0, 0.5, 1.0, 3.0, 5.0, 7.0, 12.0))

PLAUSIBLE: tuple[Observation, ...] = (
    deployed(),
    seen(service(HEAD, BASE)),
    seen(service(HEAD, BASE, "updating")),
    seen(service(HEAD, BASE, "completed")),
    seen(service(RELABELLED, BASE)),
    seen(service(BASE, BASE)),
    seen(service(BASE, HEAD)),
    seen(service(BASE)),
    seen(service(BASE, None, "rollback_started")),
    seen(service(BASE, None, "rollback_completed")),
    listed(task("one", BASE)),
    listed(task("one", BASE), task("two", HEAD)),
    listed(task("two", HEAD)),
    listed(task("three", HEAD)),
)
"""What a real swarm might well show; the wild ones seldom get far."""

observations: st.SearchStrategy[Observation] = st.one_of(
    st.sampled_from(PLAUSIBLE),
    st.sampled_from(PLAUSIBLE),
    looks,
    listings,
    deploys,
)


@st.composite
def stories(draw: st.DrawFn, *, of: st.SearchStrategy[Observation] = observations) -> list[Record]:
    """A history of up to a dozen observations, seconds apart."""
    story = Story()
    at_s = 0.0
    for gap_s, what in draw(st.lists(st.tuples(gaps, of), min_size=1, max_size=12)):
        at_s += gap_s
        story.at(at_s, what)
    return story.records


@st.composite
def upgrades(draw: st.DrawFn) -> list[Record]:
    """A history that begins as an upgrade does: baseline, deploy returned, and a look."""
    first = draw(
        st.sampled_from([record for record in PLAUSIBLE if isinstance(record, ServiceSeen)])
    )
    story = Story((0, seen(service(BASE))), (0, listed(task("one", BASE))), (1, deployed()))
    story.at(1, first)
    for record in draw(stories()):
        story.at(1 + record.seen_s, record.what)
    return story.records


IRRELEVANT: tuple[Observation, ...] = (
    memory(first=1, second=2),
    memory(),
    probe(ok=True),
    probe(ok=False),
    StageBegan(stage="upgrade"),
    container_event("one", "die"),
    container_event("two", "oom"),
    seen(None, name="shop_db"),
    seen(service(SLOW, HEAD, "paused", name="shop_db", service_id="other"), name="shop_db"),
    listed(task("one", HEAD, "failed"), name="shop_db"),
    MemorySample(usage_bytes=0, limit_bytes=0, containers={}),
)


@st.composite
def with_noise(draw: st.DrawFn, history: list[Record]) -> list[Record]:
    """The same history with irrelevant records between, before and after its own."""
    noise = draw(
        st.lists(
            st.tuples(st.floats(0, DEADLINE_S), st.sampled_from(IRRELEVANT)),
            min_size=1,
            max_size=12,
        )
    )
    merged = [(record.seen_s, 0, number, record.what) for number, record in enumerate(history)]
    merged += [(at_s, 1, number, what) for number, (at_s, what) in enumerate(noise)]
    return Story(
        *((at_s, what) for at_s, _, _, what in sorted(merged, key=lambda m: m[:3]))
    ).records
