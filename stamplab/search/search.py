"""Searches for a schedule that breaks a law, and shrinks what it finds. One process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from stamplab.lab.virtual.conditions import Conditions, NodeOptions, PeriodicTaskLists
from stamplab.search import laws
from stamplab.search.laws import Law
from stamplab.search.schedule import Schedule
from stamplab.search.trial import Trial

Play = Callable[[Schedule], Trial]
OnOutcome = Callable[[str], None]
"""Is given the outcome of each trial that was drawn."""


class BrokenLaw(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that breaks a law: the smallest one that the search came to."""

    law: str
    broken: str
    schedule: Schedule
    after_examples: int
    """Trials until the first that broke it; 0 for a schedule that was known before."""
    shrunk_by: int = 0
    """Trials that shrinking took."""
    repeatable: bool = True
    """False where the same schedule did not break it again: SwarmKit's own races differ."""


class Stopped(BaseException):
    """Somebody else has found what was searched."""


class _Failed(BaseException):
    """A play failed, or a law: that is no find, and Hypothesis must not take it for one."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Broken(Exception):
    """A law was broken; one class a law, so that shrinking keeps to it."""


_BROKEN: dict[str, type[_Broken]] = {name: type(name, (_Broken,), {}) for name in laws.LAWS}


def outcome(trial: Trial) -> str:
    """Return what became of an upgrade in truth, in a word or two."""
    if len(trial.results.stages) < 2 or trial.end == "skipped":
        return "not installed"
    if laws.has_other_update(trial):
        return "superseded"
    if trial.truth.rolled_back_s is not None:
        return "rolled back"
    if trial.truth.held_head(trial.end_s, trial.watched_until_s):
        return "converged"
    state = trial.truth.at(trial.end_s)
    if state is not None and state.update_state == "paused":
        return "paused"
    return "broken otherwise"


QUICK = Conditions(
    node=NodeOptions(prepare_s=0.05, start_s=0.05),
    visibility=PeriodicTaskLists(every_s=0.5),
    deploy_before_s=0.5,
    deploy_after_s=1.0,
)
"""A quick node, and a deploy command that takes its time: whatever fails, fails early."""
SLOW = Conditions(node=NodeOptions(prepare_s=2.0, start_s=2.0, reap_s=2.0))
"""The other way round: whatever fails, fails late. A loaded machine takes seconds for each."""


class Search(msgspec.Struct, eq=False):
    """One search: its laws, and how a schedule is played."""

    laws: Sequence[Law]
    play: Play
    on_outcome: OnOutcome
    robust: bool = False
    """Whether only what breaks a law on a quick node and on a slow one as well is a find.

    Such a schedule breaks it on a real engine too, whose times nobody can set. What breaks a law in
    one moment alone is a find all the same where the law is to hold.
    """
    trials: int = 0
    first: int | None = None
    """The number of the first trial that broke a law."""
    last: tuple[Schedule, Law, str] | None = None
    """What broke a law last, and how."""

    def known(self, schedules: Iterable[Schedule]) -> BrokenLaw | None:
        """Try schedules that broke a law before."""
        for schedule in schedules:
            breach = self._broken(schedule, self.play(schedule))
            if breach is not None:
                law, broken = breach
                return BrokenLaw(law=law.name, broken=broken, schedule=schedule, after_examples=0)
        return None

    def run(self, drawn: SearchStrategy[Schedule], examples: int, seed: int) -> BrokenLaw | None:
        """Draw schedules until one breaks a law, and shrink it. Raises LabError."""

        @seeded(seed)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(drawn)
        def holds(schedule: Schedule) -> None:
            self._try(schedule)

        try:
            holds()
        except _Broken:
            return self._broken_law(repeatable=True)
        except Flaky:
            return self._broken_law(repeatable=False)
        except _Failed as failed:
            raise failed.error from failed.error.__cause__
        return None

    def _try(self, schedule: Schedule) -> None:
        try:
            trial = self.play(schedule)
            breach = self._broken(schedule, trial)
        except Exception as error:
            raise _Failed(error) from error
        self.trials += 1
        if self.first is None:
            self.on_outcome(outcome(trial))
        if breach is not None:
            law, broken = breach
            self.first = self.first or self.trials
            self.last = (schedule, law, broken)
            raise _BROKEN[law.name](broken)

    def _broken(self, schedule: Schedule, trial: Trial) -> tuple[Law, str] | None:
        """Return the first law that a schedule breaks, if it counts as a find."""
        for law in self.laws:
            broken = law.check(trial)
            if broken is not None and (not self.robust or self._breaks_anyhow(schedule, law)):
                return law, broken
        return None

    def _breaks_anyhow(self, schedule: Schedule, law: Law) -> bool:
        return all(
            law.check(self.play(msgspec.structs.replace(schedule, conditions=conditions)))
            for conditions in (QUICK, SLOW)
        )

    def _broken_law(self, *, repeatable: bool) -> BrokenLaw:
        if self.last is None or self.first is None:
            raise RuntimeError("a law was broken, and nobody has noted by what")
        schedule, law, broken = self.last
        return BrokenLaw(
            law=law.name,
            broken=broken,
            schedule=schedule,
            after_examples=self.first,
            shrunk_by=self.trials - self.first,
            repeatable=repeatable,
        )
