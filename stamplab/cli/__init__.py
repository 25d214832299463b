"""The command line: one module a command, and how each is run to its exit code.

Ctrl-C, SIGTERM and SIGHUP unwind what is at work. Every error is one sentence and an exit code; a
bug of ours keeps its trace, and is no verdict either.
"""

from __future__ import annotations

import gc
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

from stamplab.lab.errors import SIGNAL_EXIT_BASE, LabError, UsageError

EXIT_UNKNOWN = LabError.exit_code
EXIT_USAGE = UsageError.exit_code


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwind and tear down as on Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def unwind_on_signals() -> Iterator[None]:
    """Have Ctrl-C, SIGTERM and SIGHUP unwind what runs inside."""
    has_come = threading.Event()

    def unwind(number: int, frame: FrameType | None) -> None:
        has_come.set()
        if number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        raise Terminated(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
    before = sys.unraisablehook
    sys.unraisablehook = partial(_in_a_finalizer, before, has_come)
    try:
        yield
    finally:
        if has_come.is_set():
            gc.collect()  # what was left half made goes now, as long as `_in_a_finalizer` listens
        sys.unraisablehook = before


def run_to_exit_code(command: Callable[[], object], *, interrupted: str, terminated: str) -> int:
    """Run a command and return its exit code, having said what went wrong."""
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
    except Exception:  # noqa: BLE001 - a bug of ours is no verdict either, and its trace is needed
        traceback.print_exc()
        return print_error("this is a bug of stamplab, not a verdict on the upgrade", EXIT_UNKNOWN)
    return result if isinstance(result, int) else 0


def print_error(message: str, code: int) -> int:
    """Print one sentence on stderr and return the code."""
    click.echo(f"stamplab: {message}", err=True)
    return int(code)


_SEND_AGAIN_S = 0.05


def _in_a_finalizer(
    otherwise: Callable[[sys.UnraisableHookArgs], object],
    has_come: threading.Event,
    lost: sys.UnraisableHookArgs,
) -> None:
    """Deal with what is raised in a finalizer, where Python ignores it.

    An interrupt is sent once more, from another thread, a moment later: here it would fall into the
    same finalizer. What an interrupt has left half made lacks attributes, and that is no fault.
    """
    match lost.exc_value:
        case KeyboardInterrupt():
            number = int(signal.SIGINT)
        case Terminated(number=number):
            pass
        case AttributeError() if has_come.is_set():
            return
        case _:
            otherwise(lost)
            return
    resend = threading.Timer(_SEND_AGAIN_S, os.kill, (os.getpid(), number))
    resend.daemon = True
    resend.start()
