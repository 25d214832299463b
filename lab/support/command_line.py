"""Runs a command of the command line to its exit code, whatever ends it.

Ctrl-C, SIGTERM and SIGHUP unwind the running command. Every error is one sentence and an exit code;
an unexpected exception prints its trace, and the exit code is that of an unknown verdict.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import click

from stamplab.lab.errors import LabError, UsageError

EXIT_UNKNOWN = LabError.exit_code
EXIT_USAGE = UsageError.exit_code
SIGNAL_EXIT_BASE = 128
"""Exit code of a program that signal number n ended: this plus n."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived: unwind and tear down as on Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def unwind_on_signals() -> Iterator[None]:
    """Make Ctrl-C, SIGTERM and SIGHUP unwind the code inside the ``with``."""
    has_arrived = threading.Event()

    def unwind(number: int, frame: FrameType | None) -> None:
        has_arrived.set()
        if number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        raise Terminated(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
    default_hook = sys.unraisablehook
    sys.unraisablehook = partial(_handle_unraisable, default_hook, has_arrived)
    try:
        yield
    finally:
        sys.unraisablehook = default_hook


def run_to_exit_code(command: Callable[[], object], *, interrupted: str, terminated: str) -> int:
    """Run a command, print its error if any, and return its exit code."""
    try:
        result = command()
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        return print_error(interrupted, SIGNAL_EXIT_BASE + signal.SIGINT)
    except Terminated as stop:
        return print_error(terminated, SIGNAL_EXIT_BASE + stop.number)
    except LabError as error:
        return print_error(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNKNOWN
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return print_error(f"{where}{error.strerror or error}", EXIT_UNKNOWN)
    except Exception:  # noqa: BLE001 - a bug is no verdict, and its trace is needed
        traceback.print_exc()
        return print_error("this is a bug of stamplab, not a verdict on the upgrade", EXIT_UNKNOWN)
    return result if isinstance(result, int) else 0


def print_error(message: str, code: int) -> int:
    """Print one sentence on stderr and return the code."""
    click.echo(f"stamplab: {message}", err=True)
    return int(code)


_SEND_AGAIN_S = 0.05


def _handle_unraisable(
    default_hook: Callable[[sys.UnraisableHookArgs], object],
    has_arrived: threading.Event,
    unraisable: sys.UnraisableHookArgs,
) -> None:
    """Send an interrupt again that was raised in a finalizer, where Python ignores it.

    Another thread sends it a moment later: at once it would hit the same finalizer. After an
    interrupt, objects that are half constructed lack attributes: those errors are ignored.
    """
    match unraisable.exc_value:
        case KeyboardInterrupt():
            number = int(signal.SIGINT)
        case Terminated(number=number):
            pass
        case AttributeError() if has_arrived.is_set():
            return
        case _:
            default_hook(unraisable)
            return
    timer = threading.Timer(_SEND_AGAIN_S, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
