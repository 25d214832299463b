"""C2: plays all stamping experiments and judges the claim."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stamplab.claims.discourse import Claim
from stamplab.harness.verdict import Verdict, merge
from stamplab.lab.abra.driver import AbraProgram
from stamplab.lab.errors import LabError
from stamplab.lab.live.lease import MARK, leased_scratch
from stamplab.lab.model.schema import encode_document
from stamplab.runner.stamping.play import StampRun, play_stamping
from stamplab.runner.stamping.verdict import Stamped, judge_stamping
from stamplab.scenarios.stamping.experiment import Experiment, StampingRepositories
from stamplab.scenarios.stamping.variants import COUNTER_EXAMPLES, VARIANTS, dirty

C2 = (*VARIANTS, *map(dirty, VARIANTS), *COUNTER_EXAMPLES)
"""What is played for the claim."""


def play_all(
    experiments: Sequence[Experiment],
    repositories: StampingRepositories,
    program: AbraProgram,
    folder: Path,
) -> tuple[Stamped, ...]:
    """Play and judge experiments, side by side; each leaves ``<name>.json`` with its commands.

    One that cannot be played is unknown, and says why. Raises LabError where there is no place for
    their ABRA_DIRs.
    """

    def play_and_judge(experiment: Experiment) -> Stamped:
        run: StampRun | str
        try:
            scratch = lab.scratch / experiment.name
            scratch.mkdir()
            run = play_stamping(experiment, repositories, program, scratch, {MARK: lab.lab_id})
            (folder / f"{experiment.name}.json").write_bytes(encode_document(run))
        except (LabError, OSError) as error:
            run = str(error)
        return judge_stamping(experiment, repositories, run)

    with leased_scratch() as lab, ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(play_and_judge, experiments))


def claim(stamped: Sequence[Stamped], whose: str, where: str) -> Claim:
    """C2 as one claim: every variant stamps head, every counter-example is told apart."""
    wrong = [
        f"{result.name}: {result.wrong}" for result in stamped if result.verdict is not Verdict.PASS
    ]
    return Claim(
        id="C2",
        text="abra stamps the commit that is checked out, +U when the tree is dirty",
        verdict=merge(result.verdict for result in stamped),
        evidence="; ".join([*(wrong or _in_words(stamped)), f"by {whose}"]),
        where=where,
    )


def _in_words(stamped: Sequence[Stamped]) -> list[str]:
    """Say once what experiments have in common: what they stamped, and how they ended."""
    names: dict[str, list[str]] = {}
    for result in stamped:
        names.setdefault(f"{result.stamp}, {result.whose}", []).append(result.name)
    ends = dict.fromkeys(result.bailed for result in stamped)
    stamps = [f"{' '.join(named)}: {stamp}" for stamp, named in names.items()]
    return [*stamps, f"all ended with: {' or '.join(ends)}"]
