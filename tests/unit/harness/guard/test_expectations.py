"""Labels, images and commits that a deploy should have brought."""

from __future__ import annotations

import msgspec
import pytest

from stamplab.harness.guard import Baseline, Outcome
from stamplab.harness.guard.expectations import DeployExpectations, is_image
from stamplab.lab.errors import UsageError
from stamplab.lab.model.swarm import STACK_LABEL, Service
from tests.builders import BASE, HEAD, NAME, STACK, STAMP, service, spec

SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST, OTHER = f"@sha256:{'a' * 64}", f"@sha256:{'b' * 64}"


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("nginx", "nginx:latest"),
        ("nginx", f"nginx:latest{DIGEST}"),
        ("nginx:1.25", f"nginx:1.25{DIGEST}"),
        ("docker.io/library/nginx:1.25", "nginx:1.25"),
        ("nginx:1.25", f"docker.io/library/nginx:1.25{DIGEST}"),
        ("docker.io/me/app:1", "me/app:1"),
        (f"nginx:1.25{DIGEST}", f"nginx:1.25{DIGEST}"),
        (f"nginx{DIGEST}", f"nginx:1.25{DIGEST}"),
        ("registry:5000/app:1", f"registry:5000/app:1{DIGEST}"),
        ("registry.example.org/a/b/app", "registry.example.org/a/b/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
    ],
)
def test_the_same_image_by_another_name(expected: str, actual: str) -> None:
    assert is_image(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("nginx:1.25", "nginx:1.24"),
        ("nginx", "nginx:1.25"),
        ("nginx:1.25", "apache:1.25"),
        ("me/nginx:1", "nginx:1"),
        (f"nginx:1.25{DIGEST}", f"nginx:1.25{OTHER}"),
        (f"nginx:1.25{DIGEST}", "nginx:1.25"),
        (f"nginx:1.25{DIGEST}", f"apache:1.25{DIGEST}"),
        ("registry:5000/app:1", "registry:5001/app:1"),
        ("localhost/app:1", "app:1"),
        ("registry.example.org/app:1", "app:1"),
    ],
)
def test_another_image(expected: str, actual: str) -> None:
    assert not is_image(expected, actual)


@pytest.mark.parametrize("item", ["", "=", "=value", "label", "label:value"])
def test_a_label_that_is_none_is_a_usage_error(item: str) -> None:
    with pytest.raises(UsageError, match="LABEL=VALUE"):
        DeployExpectations.parse([item], None, None)


def test_a_value_may_be_empty_or_hold_an_equals_sign() -> None:
    assert DeployExpectations.parse(["a=", "b=c=d"], None, None).labels == {"a": "", "b": "c=d"}


@pytest.mark.parametrize("commit", ["", "main", "0123456", "0123456g", SHA + "0"])
def test_a_commit_that_is_none_is_a_usage_error(commit: str) -> None:
    with pytest.raises(UsageError, match="8 to 40 hex digits"):
        DeployExpectations.parse([], None, commit)


def stamped(stamp: str | None, *, image: str = "image:head", name: str = NAME) -> Service:
    labels = {STACK_LABEL: STACK} | ({STAMP: stamp} if stamp else {})
    present = msgspec.structs.replace(spec("head"), labels=labels, image=image)
    return service(present, name=name)


@pytest.mark.parametrize("stamp", [SHA[:8], f"{SHA[:8]}+U"])
@pytest.mark.parametrize("commit", [SHA, SHA[:8], SHA[:12].upper()])
def test_the_stamp_names_the_commit_dirty_or_not(stamp: str, commit: str) -> None:
    wanted = DeployExpectations.parse([], None, commit)
    assert wanted.find_mismatch([stamped(stamp)], of_stack=False) is None


@pytest.mark.parametrize("stamp", ["fedcba98", "fedcba98+U", SHA[:7], f"{SHA[:8]}+X"])
def test_a_stamp_that_names_another_is_a_commit_mismatch_with_both(stamp: str) -> None:
    mismatch = DeployExpectations.parse([], None, SHA).find_mismatch(
        [stamped(stamp)], of_stack=False
    )
    assert mismatch is not None
    assert mismatch[0] is Outcome.COMMIT_MISMATCH
    assert stamp in mismatch[1]
    assert SHA[:12] in mismatch[1]
    assert "(HC1)" in mismatch[1]


def test_no_stamp_at_all_is_a_commit_mismatch() -> None:
    mismatch = DeployExpectations.parse([], None, SHA).find_mismatch([stamped(None)], of_stack=True)
    assert mismatch is not None
    assert mismatch[0] is Outcome.COMMIT_MISMATCH


def test_in_a_stack_every_stamp_that_there_is_counts_and_one_is_enough() -> None:
    wanted = DeployExpectations.parse([], None, SHA)
    right, none, wrong = stamped(SHA[:8]), stamped(None, name="b"), stamped("fedcba98", name="c")
    assert wanted.find_mismatch([right, none], of_stack=True) is None
    assert wanted.find_mismatch([right, wrong], of_stack=True) is not None


def test_in_a_stack_one_service_of_the_image_is_enough() -> None:
    wanted = DeployExpectations.parse([], "image:head", None)
    right, other = stamped(None), stamped(None, image="database:1", name="db")
    assert wanted.find_mismatch([right, other], of_stack=True) is None
    mismatch = wanted.find_mismatch([right, other], of_stack=False)
    assert mismatch == (
        Outcome.STAMP_MISMATCH,
        "the image image:head was expected, and db has database:1",
    )
    assert wanted.find_mismatch([other], of_stack=True) is not None


def test_which_labels_of_a_stack_are_a_services_own() -> None:
    wanted = DeployExpectations(labels={STAMP: "head", "other": "x"})
    assert wanted.labels_of(Baseline(name=NAME, service=service(BASE)), None) == {STAMP: "head"}
    assert wanted.labels_of(Baseline(name=NAME, service=None), service(HEAD)) == {STAMP: "head"}
    plain = service(msgspec.structs.replace(BASE, labels={}))
    assert wanted.labels_of(Baseline(name=NAME, service=plain), plain) == {}


def test_nothing_wanted_is_nothing_missed() -> None:
    assert DeployExpectations().find_mismatch([stamped(None)], of_stack=False) is None
    assert DeployExpectations().find_mismatch([], of_stack=True) is None
