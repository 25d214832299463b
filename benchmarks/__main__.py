"""``./run bench NAME``: runs one benchmark."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from benchmarks import guard, size, virtual

BENCHMARKS: Mapping[str, Callable[[list[str]], None]] = {
    "guard": guard.main,
    "size": size.main,
    "virtual": virtual.main,
}


def main() -> int:
    """Run the benchmark that is named; 64 where there is none of that name."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in BENCHMARKS:
        print(f"bench: name one of: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 64
    BENCHMARKS[name](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
