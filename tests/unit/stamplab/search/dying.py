"""A job of a search that is killed; it imports nothing of ours, so that it begins at once."""

from __future__ import annotations

import json
import os
import signal
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event


def work(asked: bytes, job: int, said: Queue[bytes], stop: Event) -> None:
    """Job 1 is killed, as by the kernel for want of memory; job 0 talks until it is stopped."""
    del asked
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while not stop.wait(0.01):
        said.put(json.dumps({"job": job, "outcomes": {"converged": 1}}).encode())
