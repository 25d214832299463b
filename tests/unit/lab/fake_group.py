"""A memory control group that is none, for what only needs one to be there."""

from __future__ import annotations

from stamplab.lab.errors import LabError


class FakeGroup:
    """Remembers being removed, or refuses to go."""

    path = "/fake"
    engine_parent = "/fake"
    entry: tuple[str, ...] = ()

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.removed = 0

    def create(self) -> None: ...

    def settle(self) -> None: ...

    def usage_bytes(self) -> int:
        return 0

    def limit_bytes(self) -> int | None:
        return None

    def set_limit(self, limit_bytes: int | None) -> None: ...

    def peak_bytes(self) -> int | None:
        return None

    def oom_kills(self) -> int | None:
        return None

    def stalled_s(self) -> float | None:
        return None

    def containers(self) -> dict[str, int]:
        return {}

    def remove(self) -> None:
        if self.refuses:
            raise LabError("the control group cannot be removed")
        self.removed += 1
