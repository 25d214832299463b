"""``stamplab guard``: was what a command deploys really deployed? For any swarm and script."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from stamplab.cli import Terminated, print_error, run_to_exit_code, unwind_on_signals
from stamplab.harness.guard import Outcome
from stamplab.harness.guard.deploy_watch import DeployWatch, follow
from stamplab.harness.guard.expectations import DeployExpectations, WatchPlan
from stamplab.harness.guard.report import DeployReport, GuardReport, StackVerdict
from stamplab.lab.errors import SIGNAL_EXIT_BASE, LabError
from stamplab.lab.model.history import Deployed

if TYPE_CHECKING:
    from stamplab.lab.remote.deploy_command import DeployCommand
    from stamplab.lab.remote.watcher import SwarmWatcher

_AFTER_DASHES = "stamplab.deploy"


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command as a program, and exit with its code."""
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone; the exit code says the same
            stream.flush()
    os._exit(code)  # faster than Python's own end (ADR 0043)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    with unwind_on_signals():
        return run_to_exit_code(
            lambda: guard.main(list(arguments), prog_name="stamplab guard", standalone_mode=False),
            interrupted="interrupted: nothing is claimed",
            terminated="terminated: nothing is claimed",
        )


class _CommandWithDeploy(click.Command):
    """A command line of which everything after ``--`` is another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words after ``--`` in the context, and parse the others."""
        words = list(args)
        if "--" in words:
            at = words.index("--")
            ctx.meta[_AFTER_DASHES] = tuple(words[at + 1 :])
            words = words[:at]
        return super().parse_args(ctx, words)


@click.command(cls=_CommandWithDeploy, options_metavar="[OPTIONS]", short_help="Guard a deploy.")
@click.argument("targets", nargs=-1, required=True, metavar="STACK|SERVICE… [-- DEPLOY COMMAND…]")
@click.option(
    "--expect",
    multiple=True,
    metavar="LABEL=VALUE",
    help="A service label that must be there in the end; may be repeated. In a stack it counts for "
    "the services that carry it.",
)
@click.option("--expect-image", metavar="REF", help="The image that must be there in the end.")
@click.option(
    "--commit",
    metavar="SHA",
    help="The commit that the coop-cloud chaos-version label must name in the end (HC1).",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up after this long, the deploy command included.",
)
@click.option(
    "--hold",
    "hold_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long what was deployed must run unchanged.  [default: as long as the swarm watches]",
)
@click.option(
    "--context",
    metavar="NAME",
    help="The docker context to use.  [default: DOCKER_HOST, DOCKER_CONTEXT, the current one]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def guard(
    ctx: click.Context,
    *,
    targets: tuple[str, ...],
    expect: tuple[str, ...],
    expect_image: str | None,
    commit: str | None,
    timeout_s: float,
    hold_s: float,
    context: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Follow a deploy to its end, and say whether it is really there, and if not, why.

    Takes the baseline of the services and stacks that are named, runs the deploy command, and waits
    until the swarm cannot go back any more. Without a command it judges the update that is in
    course, or the last one. It changes nothing: all its calls to the swarm are GETs.

    Exit codes: 0 converged, 2 unknown, 10 rolled back, 11 paused, 12 stalled, 13 timed out, 14
    another label or image, 15 another commit, 16 superseded, 17 the deploy command failed, 18 the
    services of a stack ended differently, 19 removed, 64 usage, 130 and 143 interrupted.
    """
    this = _GuardRun(
        targets=targets,
        argv=ctx.meta.get(_AFTER_DASHES, ()),
        timeout_s=timeout_s,
        hold_s=hold_s,
        context=context,
        as_json=as_json,
        quiet=quiet,
    )
    try:
        return this.finish(DeployExpectations.parse(expect, expect_image, commit))
    except LabError as error:
        this.print_no_verdict(str(error), error.exit_code)
        raise
    except KeyboardInterrupt:
        return this.interrupted(signal.SIGINT)
    except Terminated as stop:
        return this.interrupted(stop.number)


class _GuardRun(msgspec.Struct, kw_only=True, eq=False):
    """One run of the command, and what it prints."""

    targets: tuple[str, ...]
    argv: tuple[str, ...]
    timeout_s: float
    hold_s: float
    context: str | None
    as_json: bool
    quiet: bool
    printed: dict[str, str] = {}
    """Of each service, what its progress said last."""
    watcher: SwarmWatcher | None = None
    command: DeployCommand | None = None

    def finish(self, expected: DeployExpectations) -> int:
        """Take the baseline, deploy, follow, report; return the exit code."""
        from stamplab.lab.remote.watcher import watching

        plan = WatchPlan(
            targets=self.targets,
            deadline_s=self.timeout_s,
            expected=expected,
            hold_s=self.hold_s,
            deploys=bool(self.argv),
            prunes="--prune" in self.argv,
        )
        with watching(self.context, os.environ, self.targets) as watcher:
            self.watcher = watcher
            watch = DeployWatch(plan, watcher.node)
            watch.begin(watcher.baseline())
            self._print_targets(watch)
            verdict = self._deploy_and_follow(watcher, watch)
            if self.command is not None and self.command.was_interrupted:
                return self.interrupted(signal.SIGINT)
            try:
                self._print(verdict)
            except BrokenPipeError:  # nobody reads it, but the exit code says the same
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return verdict.outcome.exit_code

    def interrupted(self, number: int) -> int:
        """Say that nothing is claimed; return the exit code."""
        code = SIGNAL_EXIT_BASE + number
        name = "SIGINT" if number == signal.SIGINT else f"signal {number}"
        reason = f"interrupted by {name} before the swarm had made up its mind: nothing is claimed"
        self.print_no_verdict(reason, code)
        return print_error(reason, code)

    def print_no_verdict(self, reason: str, code: int) -> None:
        """Print a document where one was asked for: there is one, whatever happened."""
        if self.as_json:
            nothing = StackVerdict(outcome=Outcome.UNKNOWN, reason=reason, services=())
            click.echo(self._report(nothing, code).to_json())

    def _deploy_and_follow(self, watcher: SwarmWatcher, watch: DeployWatch) -> StackVerdict:
        """Run the deploy command, if there is one, and follow what it brings about."""
        from stamplab.lab.remote.deploy_command import DeployCommand
        from stamplab.lab.remote.endpoint import for_children

        if not self.argv:
            return follow(watcher, watch, self._print_progress)
        self.command = DeployCommand(
            self.argv,
            for_children(self.context, os.environ),
            self.timeout_s - watcher.now_s(),
            lambda ended: watcher.deployed(_deployed(self.targets, ended)),
            output_to_stderr=self.as_json,
        )
        try:
            return follow(watcher, watch, self._print_progress)
        finally:
            self.command.kill()

    def _print_targets(self, watch: DeployWatch) -> None:
        names = ", ".join(watch.services) or "none of them is there yet"
        self._say(f"{self._engine}: {names}")
        if not self.argv:
            self._say(
                "no deploy command: the last update is judged by what the services say of it; "
                "whose it was only --expect can tell"
            )

    def _print_progress(self, watch: DeployWatch) -> None:
        """Say what each service is waited for, when that has changed."""
        waiting = watch.waiting_for
        for name, missing in waiting.items():
            if self.printed.get(name) != missing:
                self._say(f"{name}: {missing}")
        self.printed = waiting

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(f"guard: {text}", err=True)

    def _print(self, verdict: StackVerdict) -> None:
        if self.as_json:
            click.echo(self._report(verdict, verdict.outcome.exit_code).to_json())
            return
        for service in verdict.services:
            click.echo(str(service))
        if len(verdict.services) != 1:
            click.echo(f"{verdict.outcome.value}: {verdict.reason}")

    def _report(self, verdict: StackVerdict, exit_code: int) -> GuardReport:
        watcher = self.watcher
        return GuardReport(
            outcome=verdict.outcome.value,
            exit_code=exit_code,
            reason=verdict.reason,
            targets=self.targets,
            engine=self._engine,
            baseline="before the deploy" if self.argv else "what the services say of their past",
            deploy=self._deploy_report(),
            waited_s=round(watcher.now_s(), 3) if watcher else 0.0,
            api_calls=watcher.calls if watcher else 0,
            services=verdict.services,
        )

    def _deploy_report(self) -> DeployReport | None:
        command = self.command
        if command is None:
            return None
        return DeployReport(
            argv=command.argv,
            exit_code=command.exit_code,
            took_s=round(command.took_s, 3),
            problem=command.problem,
        )

    @property
    def _engine(self) -> str:
        """The engine's address, and who named it."""
        return str(self.watcher.endpoint) if self.watcher else ""


def _deployed(targets: tuple[str, ...], ended: DeployCommand) -> Deployed:
    # The command's output has passed through already.
    output = f"nothing, for {ended.problem}" if ended.problem else "what stands above"
    return Deployed(stack=" ".join(targets), exit_code=ended.exit_code or 0, output=output)
