"""Judges a stamping experiment: whose commit the stamp is, and whether it bailed out. Pure."""

from __future__ import annotations

import re

import msgspec

from stamplab.harness.verdict import Verdict
from stamplab.lab.abra.driver import last_line
from stamplab.lab.abra.label_names import DIRTY_MARK, SMALL_SHA_DIGITS
from stamplab.runner.stamping.play import StampRun
from stamplab.scenarios.stamping.experiment import CommitRole, Experiment, StampingRepositories

_BAIL = re.compile(r"secret not (?:generated|inserted \(#generate=false\)): \S+")


class Stamped(msgspec.Struct, frozen=True, kw_only=True):
    """How one experiment came out; printed with --json as it is."""

    name: str
    title: str
    verdict: Verdict
    stamp: str | None = None
    whose: str = "unknown"
    """Whose commit the stamp names."""
    bailed: str = "not played"
    """With which words the chaos deploy ended, and its exit code."""
    took_s: float = 0.0
    by: str = ""
    """Which abra stamped, a stand-in with the go-git that it speaks for."""
    wrong: str = ""
    """What is not as it must be."""


def describe_stamp(stamp: str, repositories: StampingRepositories) -> str:
    """Say whose commit a stamp names, and whether its tree was dirty: what a stamp gives away."""
    sha = stamp.removesuffix(DIRTY_MARK)
    named = [
        whose
        for whose, commit in repositories.commits.items()
        if len(sha) == SMALL_SHA_DIGITS and commit.startswith(sha)
    ]
    return str(named[0] if named else CommitRole.NOBODYS)


def judge_stamping(
    experiment: Experiment, repositories: StampingRepositories, run: StampRun | str
) -> Stamped:
    """Judge what was played; a text says why it was not."""
    if isinstance(run, str):
        name, title = experiment.name, experiment.title
        return Stamped(name=name, title=title, verdict=Verdict.UNKNOWN, wrong=run)
    wrong = _wrong(experiment, repositories, run)
    deploy = run.chaos_deploy
    bail = _bail(deploy.output, repositories) if deploy else ""
    return Stamped(
        name=experiment.name,
        title=experiment.title,
        verdict=Verdict.of(None if run.stamp is None else not wrong),
        stamp=run.stamp,
        whose="unknown" if run.stamp is None else describe_stamp(run.stamp, repositories),
        bailed=f"{bail or 'no bail-out'}, exit code {deploy.exit_code}"
        if deploy
        else "no chaos deploy",
        took_s=run.took_s,
        by=deploy.by if deploy else "",
        wrong=wrong,
    )


def _wrong(experiment: Experiment, repositories: StampingRepositories, run: StampRun) -> str:
    """Say what is not as it must be; empty when all is."""
    deploy, wanted = run.chaos_deploy, experiment.stamp(repositories)
    if deploy is None:
        return "the chaos deploy was not reached"
    if run.stamp is None:
        return f"it named no stamp: {last_line(deploy.output) or 'nothing said'}"
    if run.stamp != wanted:
        return f"it took {run.stamp}, {describe_stamp(run.stamp, repositories)}, not {wanted}"
    if deploy.exit_code == 0:
        return "it exited with 0"
    if run.refused and repositories.asks_secrets:
        return f"it asked the swarm for {run.refused[0]}"
    if not _bail(deploy.output, repositories):
        return f"it did not end for want of a secret: {last_line(deploy.output) or 'nothing said'}"
    sound = repositories.head[:SMALL_SHA_DIGITS] + DIRTY_MARK
    if experiment.is_counter and run.stamp == sound:
        return f"a counter-example took {sound}, as a sound run of the CI does"
    return ""


def _bail(output: str, repositories: StampingRepositories) -> str:
    """Return the words with which a deploy ended as it should; empty where it did not.

    A recipe that asks for no secret ends in whatever way: the empty swarm takes nothing.
    """
    match = _BAIL.search(output)
    if match:
        return match[0]
    return "" if repositories.asks_secrets else last_line(output) or "nothing said"
