"""Readers beside a writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def reading(look: Callable[[], object]) -> Iterator[None]:
    """Look again and again, in a thread of its own, for as long as the block lasts."""
    done = threading.Event()

    def look_on() -> None:
        while not done.is_set():
            look()

    reader = threading.Thread(target=look_on)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join(20)
