"""The script of the NixOS test: nothing here can boot a machine, but its types can be checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stamplab.lab.support.cache import cache_folder

ROOT = Path(__file__).parents[2]
CACHE = cache_folder() / "mypy-vm-script"
NAMES = "from nixos_test_driver import machine, subtest\n"


def types_of(script: str, folder: Path) -> str:
    """What mypy says of a script together with the names that the driver gives it."""
    checked = folder / "script.py"
    checked.write_text(NAMES + script)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={CACHE}", checked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_the_script_is_typed(tmp_path: Path) -> None:
    assert types_of((ROOT / "nix/vm_test.py").read_text(), tmp_path) == ""


def test_a_mistake_in_a_script_would_be_found(tmp_path: Path) -> None:
    assert "no-such-verb" in types_of('machine.succeed("true").no_such_verb\n', tmp_path).replace(
        "_", "-"
    )
