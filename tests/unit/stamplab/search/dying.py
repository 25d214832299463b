"""A job of a search that is killed; it imports nothing of ours, so that it begins at once."""

from __future__ import annotations

import json
import os
import signal
from multiprocessing.connection import Connection


def work(encoded: bytes, job: int, connection: Connection) -> None:
    """Job 1 is killed, as by the kernel for want of memory; job 0 talks until it is stopped."""
    del encoded
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while not connection.poll(0.01):
        connection.send_bytes(json.dumps({"outcomes": {"converged": 1}}).encode())
