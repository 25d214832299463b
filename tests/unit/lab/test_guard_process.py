"""A program that waits for a deploy: when it begins, what it is told, how it ends."""

from __future__ import annotations

import os
import sys
import time

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.live.recorders.guard_process import GuardProcess
from stamplab.lab.model.history import CommandRan, Note
from stamplab.lab.model.history_file import HistoryWriter

GUARD = """
import subprocess, sys
print("a word before", file=sys.stderr)
words = sys.argv[sys.argv.index("--") + 1:]
code = subprocess.run(words).returncode
print("deployed", code)
sys.exit(10)
"""
ENDS = "import sys; sys.exit('no such engine')"


def waiter(history: HistoryWriter, program: str) -> GuardProcess:
    argv = (sys.executable, "-c", program)
    made = GuardProcess(history, argv, dict(os.environ), stack="story", name="guard 1")
    made.start()
    return made


def end_of(history: HistoryWriter) -> CommandRan:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        record = history.take(0.1)
        if record is not None and isinstance(record.what, CommandRan):
            return record.what
    raise AssertionError("it has not ended")


def test_it_begins_before_the_deploy_and_ends_after_it(history: HistoryWriter) -> None:
    guard = waiter(history, GUARD)
    record = history.take(20)
    assert record is not None
    assert record.what == Note(text="story: guard 1 waits", stack="story")
    assert guard.has_begun
    assert history.take(0.2) is None
    guard.deployed()
    ran = end_of(history)
    assert (ran.argv, ran.exit_code, ran.output) == (guard.argv, 10, "deployed 0\n")
    guard.stop()


def test_one_that_ends_at_once_has_said_why(history: HistoryWriter) -> None:
    guard = waiter(history, ENDS)
    ran = end_of(history)
    assert (ran.exit_code, ran.output) == (1, "no such engine\n")
    assert guard.has_begun
    guard.deployed()
    guard.stop()


def test_one_that_is_given_up_on_is_gone(history: HistoryWriter) -> None:
    guard = waiter(history, GUARD)
    assert history.take(20) is not None
    guard.stop()
    assert end_of(history).exit_code < 0


def test_a_program_that_is_not_there_is_said_in_a_sentence(history: HistoryWriter) -> None:
    with pytest.raises(LabError, match="no-such-program cannot be run: No such file"):
        GuardProcess(history, ("no-such-program",), {}, stack="story", name="guard 1")
