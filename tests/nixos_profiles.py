"""Makes a small tree like a NixOS host's profiles."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from stamplab.lab.nixos.generations import SYSTEM
from stamplab.lab.nixos.store_path import DIGEST_LENGTH, DIGITS


class GenerationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A generation to be made."""

    number: int
    made: datetime
    tool: str | None
    """The tool's store object, ``<digest>-<name>-<version>``; None: without the tool."""
    collected: bool = False
    """Its link is left, its system is gone."""


def object_name(name: str, digest: str = "") -> str:
    """Return a store object's name: with a digest of that name, or one that begins as given."""
    if not digest:
        octets = hashlib.sha256(name.encode()).digest()
        digest = "".join(DIGITS[octet % len(DIGITS)] for octet in octets)
    return f"{digest.ljust(DIGEST_LENGTH, '0')}-{name}"


def make_profiles(
    root: Path,
    generations: Sequence[GenerationSpec],
    *,
    current: tuple[int, datetime] | None = None,
    tool: str = "abra",
    profile: str = SYSTEM,
) -> Path:
    """Make a store and a profile of these generations under ``root``; return the profiles' folder.

    ``current``: the generation that the profile points to, and since when.
    """
    store, profiles = root / "store", root / "profiles"
    store.mkdir(parents=True, exist_ok=True)
    profiles.mkdir(parents=True, exist_ok=True)
    for generation in generations:
        system = store / object_name(f"nixos-system-made-{generation.number}")
        if not generation.collected:
            _make_system(store, system, generation, tool)
        _link(profiles / f"{profile}-{generation.number}-link", system, generation.made)
    if current:
        number, switched = current
        _link(profiles / profile, Path(f"{profile}-{number}-link"), switched)
    return profiles


def _make_system(store: Path, system: Path, generation: GenerationSpec, tool: str) -> None:
    """A system's ``sw`` is another store object, whose ``bin`` is full of links, as on NixOS."""
    software = store / object_name(f"system-path-made-{generation.number}")
    (software / "bin").mkdir(parents=True)
    system.mkdir()
    (system / "sw").symlink_to(software)
    if generation.tool:
        program = store / generation.tool / "bin" / tool
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        (software / "bin" / tool).symlink_to(program)


def _link(link: Path, target: Path, when: datetime) -> None:
    link.symlink_to(target)
    os.utime(link, (when.timestamp(), when.timestamp()), follow_symlinks=False)
