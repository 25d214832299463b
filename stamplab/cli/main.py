"""The command ``stamplab``.

Exit codes: 0 expectation met, 1 not met, 2 unknown (the apparatus failed), 64 usage, 77 not
possible on this machine, 130 interrupted by Ctrl-C (128 + signal for others).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from stamplab.cli import print_error, run_to_exit_code, unwind_on_signals
from stamplab.cli.lazy_group import LazyGroup
from stamplab.lab.errors import NeedsRoot


@click.group(
    cls=LazyGroup,
    places={
        "abra": "stamplab.cli.abra:abra",
        "doctor": "stamplab.cli.doctor:doctor",
        "end": "stamplab.cli.end:end",
        "explore": "stamplab.cli.explore:explore",
        "generations": "stamplab.cli.generations:generations",
        "guard": "stamplab.cli.guard:guard",
        "list": "stamplab.cli.bug_reports:list_",
        "parity": "stamplab.cli.parity:parity",
        "bug-reports": "stamplab.cli.bug_reports:bug_reports",
        "replay": "stamplab.cli.replay:replay",
        "repro": "stamplab.cli.repro:repro",
        "run": "stamplab.cli.run:run",
        "vet": "stamplab.cli.vet:vet",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.option("--version", is_flag=True, help="Print the version.")
@click.option("--verbose", is_flag=True, help="With --version: each program's version and path.")
@click.pass_context
def stamplab(context: click.Context, *, version: bool, verbose: bool) -> None:
    """Reproduce silent swarm rollbacks, and judge whether an upgrade was really deployed."""
    if verbose and not version:
        raise click.UsageError("--verbose goes with --version: it lists the programs of a lab")
    if version:
        _print_version(verbose=verbose)
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _print_version(*, verbose: bool) -> None:
    from stamplab.runner.evidence import stamplab_version

    click.echo(f"stamplab, version {stamplab_version()}")
    if verbose:
        from stamplab.lab.live.inventory import inventory
        from stamplab.render import show_inventory

        show_inventory(inventory())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    with unwind_on_signals():
        sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    return run_to_exit_code(
        lambda: _run_or_suggest_root(arguments),
        interrupted="interrupted: the lab was torn down, the evidence is kept",
        terminated="terminated: the lab was torn down",
    )


def _run_or_suggest_root(arguments: Sequence[str] | None) -> object:
    try:
        return stamplab.main(arguments, prog_name="stamplab", standalone_mode=False)
    except NeedsRoot as error:
        from stamplab.invocation import sudo_command_line

        return print_error(f"{error}. As root it is:\n  {sudo_command_line()}", error.exit_code)
