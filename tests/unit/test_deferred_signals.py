"""Ctrl-C during a teardown is put off, not lost."""

from __future__ import annotations

import signal
import threading

import pytest

from stamplab.lab.live.lab import deferred_signals


def test_an_interrupt_inside_comes_after_it() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]


def test_the_handlers_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferred_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_inside_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), deferred_signals():
        raise ZeroDivisionError


def test_another_thread_changes_no_handler() -> None:
    seen = []

    def inside() -> None:
        with deferred_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert seen == [before]
