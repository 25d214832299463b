"""Every command of the README is one that works; its exit codes and dependencies are the code's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from stamplab.cli.main import stamplab

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def commands_in(text: str) -> list[str]:
    """The lines of a text's shell blocks, without their comments."""
    return [
        re.sub(r"(^|\s+)#.*", "", line).strip()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    ]


COMMANDS = [command for command in commands_in(README) if not command.startswith("nix ")]
"""For those of nix see tests/nix."""


def test_the_readme_has_commands_and_all_are_of_the_bootstrap_script() -> None:
    assert COMMANDS[:2] == ["./run repro discourse", "./run test"]
    assert all(command.startswith("./run ") for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in (*COMMANDS, *commands_in(CONTRIBUTING))
        if command.split()[1] not in ("test", "setup")
    ],
)
def test_a_command_of_the_documents_is_understood(command: str) -> None:
    """Parsed by the real command line, options and all; tests/cli/test_repro.py runs them."""
    result = CliRunner().invoke(stamplab, [*shlex.split(command)[1:], "--help"])
    assert result.exit_code == 0, result.output


def test_an_unknown_option_would_not_be_understood() -> None:
    result = CliRunner().invoke(stamplab, ["repro", "discourse", "--no-such-thing", "--help"])
    assert result.exit_code != 0


def test_every_exit_code_of_the_readme_is_the_programs() -> None:
    from stamplab.harness.verdict import Verdict
    from stamplab.lab.errors import LabError, NotPossibleHere, UsageError

    codes = [str(verdict.exit_code) for verdict in Verdict]
    codes += [str(error.exit_code) for error in (LabError, NotPossibleHere, UsageError)]
    for code in codes:
        assert f"| {code} |" in README


def test_every_dependency_has_its_reason_in_an_adr() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[><=~ ]", item)[0] for item in project["dependencies"]}
    record = (ROOT / "docs" / "adr" / "0052-dependencies-and-their-reasons.md").read_text()
    assert {name for name in names if f"| {name} |" not in record} == set()
