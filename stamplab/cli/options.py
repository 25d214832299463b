"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
from click.decorators import FC

from stamplab.lab.abra import go_git
from stamplab.lab.errors import UsageError
from stamplab.runner.worlds import WORLDS


def add_options(*options: Callable[[FC], FC]) -> Callable[[FC], FC]:
    """Return a decorator that adds options; the help lists them in this order."""

    def add(command: FC) -> FC:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def source_options(*, required: bool) -> Callable[[FC], FC]:
    """Return a decorator with the options for a recipe and two of its commits."""
    return add_options(
        click.option(
            "--recipe",
            required=required,
            metavar="URL|PATH",
            help="The repository that has the head; only what is committed counts.",
        ),
        click.option(
            "--upstream",
            metavar="URL|PATH",
            help="Where the tags come from.  [default: from --recipe]",
        ),
        click.option("--base", required=required, metavar="REF", help="What is installed first."),
        click.option("--head", required=required, metavar="REF", help="What it is upgraded to."),
    )


def _choose_go_git(
    context: click.Context, _parameter: click.Parameter, version: str | None
) -> str | None:
    """Choose a version for as long as the command runs."""
    if version:
        context.with_resource(go_git.choosing(version))
    return version


def require_stand_in(version: str | None, abra: Path | None) -> None:
    """Raise UsageError where a go-git is chosen for a real abra, which has its own."""
    if version and abra:
        raise UsageError(
            f"--go-git is of the stand-in, and --abra or STAMPLAB_ABRA names a real abra, {abra}, "
            "which has a go-git of its own: leave one of the two out"
        )


abra_option = click.option(
    "--abra",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="STAMPLAB_ABRA",
    help="A real abra.  [default: for stampings the one on PATH, else a stand-in]",
)
go_git_option = click.option(
    "--go-git",
    type=click.Choice(list(go_git.PROGRAMS)),
    callback=_choose_go_git,
    help="Which go-git the stand-in for abra reads checkouts by, and so stamps as."
    f"  [default: {go_git.DEFAULT_VERSION}]",
)
engine_option = click.option(
    "--engine",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="STAMPLAB_ENGINE",
    help="A folder with an unpacked docker engine.",
)
world_option = click.option(
    "--world",
    type=click.Choice(WORLDS),
    default="auto",
    show_default=True,
    help="A real private engine, or the real SwarmKit in virtual time; auto: live where it can be.",
)
runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    envvar="STAMPLAB_RUNS",
    help="Where evidence is kept.",
)
fast_option = click.option(
    "--fast", is_flag=True, help="Shorter monitors (1 s) and boots; said in the output."
)
memory_scale_option = click.option(
    "--memory-scale",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="Multiply all sizes of the workload.",
)
time_scale_option = click.option(
    "--time-scale",
    type=click.FloatRange(1, 100),
    default=1.0,
    show_default=True,
    help="Multiply all times, time-outs too, for a slow machine; said in the output.",
)
keep_option = click.option(
    "--keep", is_flag=True, help="Leave the last lab up and print its DOCKER_HOST."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON on stdout."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress on stderr.")


def time_notes(*, fast: bool, time_scale: float) -> Iterator[str]:
    """Yield notes for the user about times that are not the recipe's own."""
    if fast:
        yield "--fast: both monitors are 1 s instead of the recipe's own, boots are short"
    if time_scale != 1:
        times = f"{time_scale:g} times as long"
        yield f"--time-scale {time_scale:g}: all times and time-outs are {times}"
