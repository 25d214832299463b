"""How the program says what it is, and how it is run once more."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stamplab import invocation
from stamplab.cli.main import stamplab
from stamplab.lab.live.engine import REQUIRED

ROOT = Path(__file__).parents[3]


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package lay where no checkout is."""
    place = tmp_path / "site-packages/stamplab/invocation.py"
    monkeypatch.setattr(invocation, "__file__", str(place))


def test_a_checkout_is_run_by_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/where/__main__.py", "repro", "discourse"])
    assert invocation.command_line() == (str(ROOT / "run"), "repro", "discourse")
    assert invocation.sudo_command_line() == f"sudo {ROOT / 'run'} repro discourse"


def test_a_package_names_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    monkeypatch.setenv("STAMPLAB_COMMAND", "/nix/store/x-stamplab/bin/stamplab")
    monkeypatch.setattr(sys, "argv", ["/nix/store/x-stamplab/bin/.stamplab-wrapped", "run", "a b"])
    assert invocation.sudo_command_line() == "sudo /nix/store/x-stamplab/bin/stamplab run 'a b'"


def test_else_it_is_what_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    monkeypatch.delenv("STAMPLAB_COMMAND", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bin/stamplab", "doctor"])
    assert invocation.command_line() == (str(tmp_path / "bin/stamplab"), "doctor")


def test_the_version_in_a_line() -> None:
    result = CliRunner().invoke(stamplab, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"stamplab, version 0\.1\.0.*\n", result.output)


def test_the_version_of_every_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAMPLAB_TOOLS", raising=False)
    result = CliRunner().invoke(stamplab, ["--version", "--verbose"])
    assert result.exit_code == 0
    listed = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()[1:]}
    assert {"python", *REQUIRED, "git", "abra", "stampload"} <= set(listed)
    version, path = listed["git"]
    assert re.match(r"\d+\.\d+", version)
    assert path == shutil.which("git")


def test_verbose_alone_is_a_mistake() -> None:
    result = CliRunner().invoke(stamplab, ["--verbose"])
    assert result.exit_code != 0
    assert "--verbose goes with --version" in result.output


def test_without_a_command_there_is_help() -> None:
    result = CliRunner().invoke(stamplab, [])
    assert result.exit_code == 0
    assert "repro" in result.output
