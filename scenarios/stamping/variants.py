"""The three variants of claim C2, and the counter-examples which show that they could fail."""

from __future__ import annotations

import msgspec

from stamplab.lab.abra.driver import CHAOS_FLAGS, DEPLOY_FLAGS
from stamplab.scenarios.stamping.experiment import OVERLAY, RECIPE, CommitRole, Experiment, Step


def _git(*words: str) -> Step:
    return Step(("git", "-C", RECIPE, *words))


def _check_out(ref: str) -> Step:
    return _git("checkout", "--quiet", "--force", "--detach", ref)


_COPY = Step(("cp", "-a", "{canonical}", RECIPE))
_CLONE = Step(("git", "clone", "--quiet", "{mirror}", RECIPE))
_TAGS = _git("fetch", "--quiet", "{upstream}", "refs/tags/*:refs/tags/*")
_DEPLOY_PINNED = Step(("abra", "app", "deploy", *DEPLOY_FLAGS, "{domain}"))
_DEPLOY_BASE = Step((*_DEPLOY_PINNED.words, "{base}"))
_CHAOS = Step(("abra", "app", "deploy", *CHAOS_FLAGS, "{domain}"))
_OVERLAY_IN = Step(("printf", r'version: "3.8"\n'), f"{RECIPE}/{OVERLAY}")

COPY = Experiment(
    name="stamp_copy",
    title="(a) a copy of the canonical recipe, tag and then head checked out by hand",
    steps=(_COPY, _check_out("{base}"), _check_out("{head}"), _CHAOS),
)
BASE_THEN_HEAD = Experiment(
    name="stamp_base_then_head",
    title="(b) a real deploy of the base without chaos, head checked out again, chaos deploy",
    steps=(_COPY, _DEPLOY_BASE, _check_out("{head}"), _CHAOS),
)
MIRROR = Experiment(
    name="stamp_mirror",
    title="(c) the mirror cloned at head, tags from its upstream, base deploy, head again, chaos",
    steps=(_CLONE, _check_out("{head}"), _TAGS, _DEPLOY_BASE, _check_out("{head}"), _CHAOS),
)
VARIANTS = (COPY, BASE_THEN_HEAD, MIRROR)


def dirty(variant: Experiment) -> Experiment:
    """Copy the harness's overlay in before the chaos deploy, as the CI does."""
    return msgspec.structs.replace(
        variant,
        name=f"{variant.name}_dirty",
        title=f"{variant.title}, with the harness's overlay in it",
        steps=(*variant.steps[:-1], _OVERLAY_IN, variant.steps[-1]),
        is_dirty=True,
    )


COUNTER_EXAMPLES = (
    Experiment(
        name="forgotten_checkout",
        title="the re-checkout of head is forgotten",
        steps=(_CLONE, _TAGS, _DEPLOY_BASE, _CHAOS),
        whose=CommitRole.BASE,
        is_counter=True,
    ),
    Experiment(
        name="tag_repointed",
        title="the base's tag is re-pointed in the mirror, and deployed as it is there",
        steps=(
            Step(("git", "clone", "--quiet", "{mirror_repointed}", RECIPE)),
            _check_out("refs/tags/{base}"),
            _CHAOS,
        ),
        whose=CommitRole.MIRRORS_TAG,
        is_counter=True,
    ),
    Experiment(
        name="env_pin",
        title="the env file pins the base, and a deploy without chaos comes in between",
        steps=(_CLONE, _TAGS, _check_out("{head}"), _DEPLOY_PINNED, _CHAOS),
        whose=CommitRole.BASE,
        is_pinned=True,
        is_counter=True,
    ),
    Experiment(
        name="clean_tree",
        title="the harness's overlay is not copied in: no +U",
        steps=(_CLONE, _TAGS, _check_out("{head}"), _CHAOS),
        is_counter=True,
    ),
    Experiment(
        name="mirror_behind",
        title="the mirror is behind its upstream, and its branch is taken for the head",
        steps=(
            Step(("git", "clone", "--quiet", "{mirror_behind}", RECIPE)),
            _TAGS,
            _check_out("origin/main"),
            _CHAOS,
        ),
        whose=CommitRole.MIRRORS_TIP,
        is_counter=True,
    ),
)
EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (*VARIANTS, *map(dirty, VARIANTS), *COUNTER_EXAMPLES)
}
