"""docs/guard.md says what is so: its recipes parse, their commands and codes are ours."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
import yaml

from stamplab.cli.guard import guard
from stamplab.harness.guard import Outcome
from stamplab.harness.guard.report import DeployReport, Failure, GuardReport, ServiceVerdict

TEXT = (Path(__file__).parents[4] / "docs" / "guard.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def commands_of(document: object) -> Iterator[str]:
    """The commands of a pipeline, wherever it keeps them."""
    match document:
        case dict():
            for name, value in document.items():
                if name == "run" and isinstance(value, str):
                    yield value
                elif name == "commands" and isinstance(value, list):
                    yield from value
                else:
                    yield from commands_of(value)
        case list():
            for item in document:
                yield from commands_of(item)
        case _:
            pass


SHELL = [line for block in blocks("sh") for line in block.splitlines()]
PIPELINES = [yaml.safe_load(block) for block in blocks("yaml")]
GUARDS = [
    line
    for line in [*SHELL, *(command for pipeline in PIPELINES for command in commands_of(pipeline))]
    if line.startswith("stamplab guard")
]


def test_there_is_a_recipe_for_each() -> None:
    assert len(PIPELINES) == 3
    assert len(GUARDS) == 7


@pytest.mark.parametrize("line", GUARDS)
def test_a_recipes_command_is_understood(line: str) -> None:
    words = shlex.split(re.sub(r"\s(>|\|).*", "", line))[2:]
    context = click.Context(guard)
    guard.parse_args(context, words)
    assert context.params["targets"]
    deploy = context.meta["stamplab.deploy"]
    assert deploy[0] in ("docker", "abra")


@pytest.mark.parametrize("block", blocks("sh"))
def test_the_shell_understands_it(block: str) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-n"], input=block, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("python"))
def test_python_understands_it(block: str) -> None:
    ast.parse(block)


def test_every_exit_code_is_the_programs() -> None:
    table = TEXT.partition("## Exit codes")[2].partition("##")[0]
    documented = {
        int(number)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M)
        for number in row.split(",")
    }
    assert documented == {outcome.exit_code for outcome in Outcome} | {64, 130, 143}


def test_every_option_is_the_programs() -> None:
    documented = set(re.findall(r"^\| `(--[a-z-]+)", TEXT, re.M))
    assert documented == {
        option for parameter in guard.params for option in parameter.opts if option.startswith("-")
    }


@pytest.mark.parametrize("struct", [GuardReport, DeployReport, ServiceVerdict, Failure])
def test_every_field_of_the_document_is_explained(struct: type[msgspec.Struct]) -> None:
    part = TEXT.partition("## The JSON document")[2].partition("## In Python")[0]
    for field in struct.__struct_fields__:
        assert f"`{field}`" in part
