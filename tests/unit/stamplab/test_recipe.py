"""Somebody else's recipe: looked at before any lab, played by its own policy, judged by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest

from stamplab.claims.plan import plan_of_recipe
from stamplab.claims.recipe import in_words, is_armed
from stamplab.cli.repro_recipe import (
    PreparedRecipe,
    RecipeRequest,
    prepare,
    report_on,
)
from stamplab.harness.verdict import Verdict
from stamplab.lab.errors import LabError, RecipeRefused, UsageError
from stamplab.lab.model.history import OverlayWritten, PolicyRead
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.lab.recipe.source import RecipeSource
from stamplab.lab.recipe.trust import Grant
from stamplab.runner.evidence import EvidenceFolder
from stamplab.runner.play_record import PlayRecord
from stamplab.runner.worlds import Virtual
from stamplab.scenarios.discourse.plays import Settings
from tests import recipes
from tests.recipes import bare_clone
from tests.unit.stamplab.playing import play_virtual, tampered, with_upgrade, without

FAST = Settings(fast=True)
ALL_GRANTS = frozenset(Grant)


def request_of(source: RecipeSource, service: str = "app", **more: object) -> RecipeRequest:
    request = RecipeRequest(
        source=source, service=service, settings=FAST, runs=Path("runs"), argv=("x",)
    )
    return msgspec.structs.replace(request, **more)


class Prepared(msgspec.Struct):
    """A recipe that was looked at, and all of its plays."""

    request: RecipeRequest
    recipe: PreparedRecipe
    played: dict[str, PlayRecord]


def prepared_recipe(history: RecipeHistory, folder: Path) -> tuple[RecipeRequest, PreparedRecipe]:
    request = request_of(bare_clone(history, folder).source(), trust=ALL_GRANTS)
    (folder / "scratch").mkdir()
    return request, prepare(request, folder / "scratch")


def play_all(
    prepared: PreparedRecipe, virtual: Virtual, folder: Path, settings: Settings = FAST
) -> dict[str, PlayRecord]:
    played = {}
    for entry in plan_of_recipe(prepared.subject, prepared.policy, settings):
        played[entry.key] = play_virtual(entry.scenario, virtual, folder / entry.folder, ALL_GRANTS)
    return played


RecipeOf = Callable[[RecipeHistory], Prepared]


@pytest.fixture(scope="module")
def recipe_of(virtual: Virtual, tmp_path_factory: pytest.TempPathFactory) -> RecipeOf:
    """Look at a recipe and play it, once."""

    @cache
    def prepared(name: str) -> Prepared:
        folder = tmp_path_factory.mktemp(name)
        (history,) = (each for each in recipes.ALL if each.name == name)
        request, recipe = prepared_recipe(history, folder)
        return Prepared(request, recipe, play_all(recipe, virtual, folder))

    return lambda history: prepared(history.name)


def verdicts(prepared: Prepared, **changed: PlayRecord) -> dict[str, tuple[Verdict | None, str]]:
    plays = {key: [play] for key, play in {**prepared.played, **changed}.items()}
    evidence = EvidenceFolder(Path("runs"))
    report = report_on(prepared.request, prepared.recipe, plays, evidence, "")
    return {claim.id: (claim.verdict, claim.evidence) for claim in report.claims}


@pytest.mark.parametrize(
    "history", [recipes.KEYCLOAK, recipes.N8N], ids=lambda history: history.name
)
def test_an_armed_recipe_is_put_through_all_four_plays(
    history: RecipeHistory, recipe_of: RecipeOf
) -> None:
    prepared = recipe_of(history)
    assert is_armed(prepared.recipe.policy)
    assert "".join(prepared.played) == "abcd"
    results = verdicts(prepared)
    assert set(results) == {"control", "C1", "C3", "C4", "C5", "C7", "C8"}
    assert {name: verdict for name, (verdict, _) in results.items() if verdict != "pass"} == {}


def test_of_an_unarmed_recipe_only_its_own_policy_is_played(recipe_of: RecipeOf) -> None:
    prepared = recipe_of(recipes.WIKI)
    assert not is_armed(prepared.recipe.policy)
    assert "".join(prepared.played) == "ac"
    results = verdicts(prepared)
    assert set(results) == {"control", "C1", "C8"}
    assert {verdict for verdict, _ in results.values()} == {Verdict.PASS}
    assert "not armed: it takes rollback and start-first both" in results["C1"][1]


def test_what_an_unarmed_policy_does_must_be_said(recipe_of: RecipeOf) -> None:
    prepared = recipe_of(recipes.WIKI)
    paused = with_upgrade(prepared.played["c"], "fail", "the update is paused")
    assert verdicts(prepared, c=paused)["C8"][0] is Verdict.PASS
    unseen = tampered(paused, without(PolicyRead))
    assert verdicts(prepared, c=unseen)["C1"][0] is Verdict.UNKNOWN
    skipped = with_upgrade(prepared.played["c"], "skipped", "install did not pass")
    assert verdicts(prepared, c=skipped)["C8"][0] is Verdict.UNKNOWN


def test_the_harness_lays_nothing_over_a_policy_but_its_fix(recipe_of: RecipeOf) -> None:
    names = {
        key: {
            record.what.name for record in play.history if isinstance(record.what, OverlayWritten)
        }
        for key, play in recipe_of(recipes.KEYCLOAK).played.items()
    }
    assert names["a"] == names["b"] == names["c"] == {"compose.standin.yml"}
    assert names["d"] == {"compose.ccci.yml", "compose.standin.yml"}


def test_both_commits_commands_are_in_the_image(tmp_path: Path) -> None:
    _, prepared = prepared_recipe(recipes.WIKI, tmp_path)
    assert {"/bin/ps", "/bin/grep", "/bin/redis-cli", "/bin/curl"} <= prepared.commands
    assert prepared.subject.own.monitor_s == 90.0
    assert prepared.subject.own.stop_grace_s == 10.0


def test_times_left_to_the_recipe_are_stretched(tmp_path: Path) -> None:
    _, prepared = prepared_recipe(recipes.WIKI, tmp_path)
    entries = plan_of_recipe(prepared.subject, prepared.policy, Settings(time_scale=2))
    assert {entry.scenario.timing.monitor_s for entry in entries} == {180.0}


def test_a_policy_in_words_names_the_defaults() -> None:
    silent = PolicyRead(
        commit="7ae7b0f7" * 5,
        path="compose.yml",
        service="app",
        failure_action=None,
        order=None,
        monitor=None,
        start_period=None,
    )
    assert in_words(silent).startswith(
        "compose.yml at 7ae7b0f77ae7: failure_action pause (by default), order stop-first (by "
        "default), monitor 5s (by default), start_period none: not armed"
    )


def changed(history: RecipeHistory, **files: str) -> RecipeHistory:
    """The same recipe with another head."""
    head = RecipeCommit(message="another", files={"compose.yml": files["compose"]})
    return msgspec.structs.replace(history, commits=(*history.commits, head))


@pytest.mark.parametrize(
    ("compose", "error", "message"),
    [
        ("services: [", RecipeRefused, "is no YAML"),
        ("services: {db: {image: x}}\n", UsageError, "no service 'app' at head; it has: db"),
        ("services: {}\n", UsageError, "no service 'app' at head; it has: none"),
        ("services: {app: {privileged: true}}\n", RecipeRefused, "is a privileged container"),
        ("services: {app: {image: '${X:?}'}}\n", LabError, "cannot be"),
    ],
)
def test_a_head_that_cannot_be_played_is_said_before_any_lab(
    tmp_path: Path, compose: str, error: type[Exception], message: str
) -> None:
    clone = bare_clone(changed(recipes.KEYCLOAK, compose=compose), tmp_path)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(error, match=message) as caught:
        prepare(request_of(clone.source()), tmp_path / "scratch")
    assert "\n" not in str(caught.value)


def test_a_service_without_a_stamp_cannot_be_judged(tmp_path: Path) -> None:
    request = request_of(bare_clone(recipes.KEYCLOAK, tmp_path).source(), "db")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(UsageError, match="abra stamps the service 'app' alone"):
        prepare(request, tmp_path / "scratch")


def test_what_is_not_trusted_is_refused_before_any_lab(tmp_path: Path) -> None:
    request = request_of(bare_clone(recipes.TRAEFIK, tmp_path).source())
    (tmp_path / "scratch").mkdir()
    with pytest.raises(RecipeRefused, match="--trust host-paths would allow that"):
        prepare(request, tmp_path / "scratch")


def test_a_recipe_of_one_file_without_any_sample_is_one(virtual: Virtual, tmp_path: Path) -> None:
    compose = "services: {{app: {{image: 'a:{}', healthcheck: {{test: 'true x'}}}}}}\n"
    history = RecipeHistory(
        name="bare",
        commits=tuple(
            RecipeCommit(message=str(n), files={"compose.yml": compose.format(n)}) for n in (1, 2)
        ),
    )
    shas = build_repository(history, tmp_path / "bare")
    (tmp_path / "scratch").mkdir()
    source = RecipeSource(recipe=str(tmp_path / "bare"), base=shas[0], head=shas[1])
    prepared = prepare(request_of(source), tmp_path / "scratch")
    played = play_all(prepared, virtual, tmp_path)
    assert (played["a"].upgrade.end, played["a"].upgrade.reason) == ("pass", "")
    assert prepared.commands == {"/bin/true", "/bin/x"}
