"""How fast the virtual world is: schedules a second, the simulator's share, and the live world.

Figures are ratios of one run. CPU time is that of our process and of swarmsim's; the two take
turns, so their sum is what one core spends on a schedule.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec
import psutil

from stamplab.cli.explore import shares
from stamplab.lab.errors import NotPossibleHere
from stamplab.lab.live.lab import prepare
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.staging import Stage, play_staged
from stamplab.runner.worlds import Live, virtual
from stamplab.scenarios.discourse import plays
from stamplab.search.explorable import EXPLORABLE, SchedulePlayer, schedule_player
from stamplab.search.laws import LAWS
from stamplab.search.schedule import Schedule
from stamplab.search.search import outcome
from stamplab.search.strategies import schedules
from stamplab.search.trial import Trial
from tests.property.drawing import drawn_by

_SCHEDULES = 300
Done = TypeVar("Done")
_PLACES = {
    "harness/guard": "guard",
    "harness": "harness",
    "lab/virtual/swarmsim": "asking swarmsim (encoding, pipes)",
    "lab/virtual": "virtual world (mirror, recorder)",
    "lab/model": "reading the engine's JSON",
    "stamplab/search": "truth, laws, rehearsed deploys",
}


class Spent(msgspec.Struct, frozen=True):
    """What a row of plays took."""

    wall_s: float
    ours_s: float
    """CPU time of this process."""
    sim_s: float
    """CPU time of swarmsim's."""
    swarm_s: float
    """Virtual seconds that were played."""


def main(arguments: Sequence[str]) -> None:
    """Measure and print; an argument is the number of schedules."""
    count = int(arguments[0]) if arguments else _SCHEDULES
    with schedule_player(EXPLORABLE["discourse"], virtual()) as player:
        drawn_s, drawn = _timed(lambda: drawn_by(schedules(player.stamp_label), count))
        _play(player, drawn[: count // 10])  # what is loaded once is loaded
        spent, outcomes = _measure(player, drawn)
        _print_rates(spent, outcomes, count, drawn_s)
        _print_places(player, drawn[: max(1, count // 3)])
        _print_beside_live(player)


def _print_rates(spent: Spent, outcomes: Counter[str], count: int, drawn_s: float) -> None:
    core_s = spent.ours_s + spent.sim_s
    print(f"{count} schedules: {shares(outcomes)}")
    print(f"schedules a second and core, harness and judging included: {count / core_s:.0f}")
    print(
        f"  of the time: swarmsim {spent.sim_s / core_s:.0%}, our own {spent.ours_s / core_s:.0%}"
    )
    print(f"  drawing them took {drawn_s / core_s:.0%} of that besides")
    print(f"virtual seconds a second: {spent.swarm_s / spent.wall_s:.0f}")


def _print_places(player: SchedulePlayer, drawn: Sequence[Schedule]) -> None:
    profile = cProfile.Profile()
    profile.runcall(_play, player, drawn)
    places: Counter[str] = Counter()
    for (file, _, name), (_, _, own_s, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        places["waiting for swarmsim" if "select" in name else _place(file)] += own_s
    total_s = sum(places.values())
    print("where our process's time goes:")
    for place, seconds in places.most_common():
        print(f"  {seconds / total_s:4.0%}  {place}")


def _place(file: str) -> str:
    return next((name for part, name in _PLACES.items() if part in file), "Python and libraries")


def _print_beside_live(player: SchedulePlayer) -> None:
    """Print how long one play (claim C4's, with the true monitor of 5 s) takes in both worlds."""
    scenario = plays.honest(plays.Settings())
    schedule = Schedule(
        memory=scenario.memory,
        timing=msgspec.structs.replace(scenario.timing, retries=1000),
        policy=scenario.policy,
        pressure=scenario.pressure,
    )
    took_s, trial = _timed(lambda: player.play(schedule, guard=True))
    try:
        stage = Stage(means=Live(prepare()), argv=("bench",), on_progress=lambda _: None)
    except NotPossibleHere as reason:
        print(f"beside the live world: not measured, {reason}")
        return
    with TemporaryDirectory() as scratch:
        folder = EvidenceFolder.create(Path(scratch), "bench")
        live_s, played = _timed(lambda: play_staged(scenario, stage, folder))
    print(f"the same play: {trial.end_s:.1f} s of swarm time virtual, {played.ended_s:.1f} s live")
    print(f"  live takes {played.ended_s / took_s:.0f} times as long")
    print(f"  and {live_s / took_s:.0f} times, if its lab's start and end count")


def _measure(player: SchedulePlayer, drawn: Sequence[Schedule]) -> tuple[Spent, Counter[str]]:
    sim = psutil.Process(player.sim.pid)
    before = sim.cpu_times()
    ours_s = time.process_time()
    wall_s, trials = _timed(lambda: _play(player, drawn))
    after = sim.cpu_times()
    spent = Spent(
        wall_s=wall_s,
        ours_s=time.process_time() - ours_s,
        sim_s=after.user + after.system - before.user - before.system,
        swarm_s=sum(trial.end_s for trial in trials),
    )
    return spent, Counter(map(outcome, trials))


def _play(player: SchedulePlayer, drawn: Sequence[Schedule]) -> list[Trial]:
    trials = [player.play(schedule, guard=True) for schedule in drawn]
    for trial in trials:
        for law in LAWS.values():
            law.check(trial)
    return trials


def _timed(work: Callable[[], Done]) -> tuple[float, Done]:
    began_s = time.perf_counter()
    done = work()
    return time.perf_counter() - began_s, done
