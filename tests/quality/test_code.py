"""The code's own rules: lint, format, types, and who may import whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.size import PRODUCT, TESTS, names_in, old_vocabulary, python_files
from stamplab.lab.support.cache import cache_folder

ROOT = Path(__file__).parents[2]
FOLDERS = ("lab", "harness", "scenarios", "stamplab")
PROGRAM = ("claims", "cli", "invocation", "parity", "render", "runner", "search")
ABOVE = {
    "lab": ("harness", "scenarios", *PROGRAM),
    "harness": ("scenarios", *PROGRAM),
    "scenarios": PROGRAM,
}
"""What each folder may not import: imports go ``lab ← harness ← scenarios ← stamplab``."""
PURE = (
    "harness/guard/__init__.py",
    "harness/guard/deploy_watch.py",
    "harness/guard/expectations.py",
    "harness/guard/outcome.py",
    "harness/guard/report.py",
    "harness/guard/rules.py",
    "harness/guard/view.py",
    "harness/checks",
    "harness/ci/hc1.py",
)
"""Judges do no I/O: none of these modules may reach the machine."""
MYPY_CACHE = f"--cache-dir={cache_folder() / 'mypy'}"
"""Kept, so that only what has changed since the last time is checked again."""
IMPURE = {"docker", "git", "os", "pathlib", "psutil", "shutil", "socket", "subprocess", "threading"}


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", ".")


def test_everything_is_formatted() -> None:
    check("ruff", "format", "--check", ".")


def test_types_are_strict() -> None:
    check("mypy", MYPY_CACHE)


@pytest.mark.parametrize("folder", ABOVE)
def test_imports_go_one_way(folder: str) -> None:
    above = tuple(f"stamplab.{name}" for name in ABOVE[folder])
    assert importers([folder], "tests", *above) == []


def test_everything_is_imported_as_a_part_of_the_one_package() -> None:
    everywhere = (*FOLDERS, "tests", "benchmarks")
    assert importers(everywhere, "lab", "harness", "scenarios") == []


@pytest.mark.parametrize("folder", ["lab", "harness", "scenarios"])
def test_the_package_links_to_the_folders_at_the_top(folder: str) -> None:
    assert (ROOT / "stamplab" / folder).resolve() == ROOT / folder


def test_judges_do_no_input_or_output() -> None:
    assert importers(PURE, *IMPURE, "stamplab.lab.live") == []


def test_the_harness_has_no_clock_no_sleep_and_no_docker() -> None:
    clocks = ("time", "threading", "docker", "subprocess")
    assert importers(["harness"], *clocks, "stamplab.lab.live") == []


def test_every_name_of_the_design_is_where_its_readers_look() -> None:
    from stamplab.harness.ci import generic, lifecycle, naming

    for name in (
        "fetch_recipe",
        "deploy_app",
        "chaos_redeploy",
        "wait_healthy",
        "deployed_identity",
        "assert_upgrade_converged",
        "update_status_started",
    ):
        assert callable(getattr(lifecycle, name))
    assert callable(generic.perform_upgrade)
    assert callable(naming.app_domain)


def test_what_is_public_and_no_one_liner_has_a_docstring() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for folder in FOLDERS
        for path in modules(ROOT / folder)
        for scope in ast.walk(parsed(path))
        if isinstance(scope, ast.Module | ast.ClassDef)
        for node in scope.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if len(node.body) > 1 and ast.get_docstring(node) is None
        if not any(
            isinstance(mark, ast.Name) and mark.id == "override" for mark in node.decorator_list
        )
    ]
    assert bare == []


def test_files_stay_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in FOLDERS
        for path in modules(ROOT / folder)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_no_path_of_a_machine_and_no_index_is_in_the_project() -> None:
    # Written in pieces, or this test would find itself.
    forbidden = re.compile(
        "|".join(("/ro" + "ot/", "/wo" + "rk/", "pypi" + r"\.org", "files" + ".pythonhosted"))
    )
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("no git checkout: there is no list of the project's files")
    offenders = [
        name
        for name in listed
        if (ROOT / name).is_file() and forbidden.search((ROOT / name).read_text(errors="replace"))
    ]
    assert offenders == []


def check(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"


def modules(place: Path) -> Iterator[Path]:
    """The Python files of a place; links to other folders are not followed."""
    yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def importers(places: Iterable[str], *forbidden: str) -> list[str]:
    """Who in these files and folders imports one of these modules, or a part of one."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for place in places
        for path in modules(ROOT / place)
        for name in imported(path)
        if any(f"{name}.".startswith(f"{module}.") for module in forbidden)
    ]


@cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax tree; read once for all tests."""
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> tuple[str, ...]:
    """What a module imports, by full names; read once for all tests."""
    names: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(names)


def test_scenarios_are_data() -> None:
    """Runners, judges and rendering are elsewhere: nothing here reaches a machine or is long."""
    effects = ("stamplab.lab.live", "stamplab.lab.virtual", "stamplab.lab.remote", "rich", "click")
    assert importers(["scenarios"], *IMPURE - {"pathlib"}, *effects) == []
    long = [
        f"{path.relative_to(ROOT)}: {function.name} has {lines} lines"
        for path in modules(ROOT / "scenarios")
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef)
        if (lines := _code_lines(function)) > SCENARIO_LINES
    ]
    assert long == []


SCENARIO_LINES = 25
"""Of a function in ``scenarios``, without its docstring."""


def _code_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_bug_report_needs_the_incident() -> None:
    incident = ("stamplab.scenarios.discourse", "stamplab.scenarios.scenario")
    assert importers(["scenarios/bug_reports"], *incident) == []


def test_no_identifier_of_the_old_vocabulary_is_left() -> None:
    vocabulary = old_vocabulary((ROOT / "docs" / "naming.md").read_text())
    assert {"told", "Judged"} <= vocabulary
    left = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in (*PRODUCT, *TESTS)
        for path in python_files(ROOT / folder)
        for name in {path.stem, *names_in(path.read_text())} & vocabulary
    ]
    assert left == []
