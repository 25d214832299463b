"""The programs that a lab needs: an engine with its tools, git, and the workload's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from stamplab.lab.errors import LabError
from stamplab.lab.live.doctor.check import Check, lack, note, ok, sentence
from stamplab.lab.live.engine import OPTIONAL, Engine, find_engine
from stamplab.lab.recipe import git
from stamplab.lab.support.go_build import GoProgram, existing, find_go
from stamplab.lab.workload.build import find_build, ready_made
from stamplab.lab.workload.image import is_static


def engine(folder: Path | None) -> Check:
    """Which docker engine a lab would run, and which of its tools are missing."""
    try:
        found = find_engine(folder)
    except LabError as error:
        return lack("engine", "none that runs", sentence(error))
    facts = f"{found.version} ({found.source})"
    missing = [name for name in OPTIONAL if name not in found.tools]
    if missing:
        facts += f"; without {', '.join(missing)}"
    return _judge_tools(found, facts, missing)


def _judge_tools(found: Engine, facts: str, missing: list[str]) -> Check:
    busybox = found.tools["busybox"]
    if not is_static(busybox.read_bytes()):
        return lack(
            "engine",
            f"{facts}; {busybox} is not static",
            "The workload's image has no libraries, so its shell must be a static busybox: install "
            "one (Debian: busybox-static).",
        )
    if "setpriv" in missing:
        return lack(
            "engine",
            facts,
            "Without setpriv a lab could outlive its command when that is killed: install "
            "util-linux.",
        )
    if "docker-proxy" in missing:
        return note(
            "engine",
            facts,
            "Newer engines refuse to start without docker-proxy; it comes with the engine.",
        )
    return ok("engine", facts)


def git_program() -> Check:
    """Which git builds the recipes' repositories."""
    try:
        program = git.require_git()
    except LabError as error:
        return lack("git", "none", sentence(error))
    done = subprocess.run(
        [program, "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit status {done.returncode}"
        return lack("git", f"it does not run: {said}", "Recipes are git repositories: mend git.")
    return ok("git", done.stdout.strip().removeprefix("git version "))


def workload(cache: Path) -> Check:
    """Whether the application's stand-in is built, or can be; nothing is built here."""
    try:
        given = ready_made()
        if given:
            return ok("workload", f"{given} ($STAMPLOAD)")
        build = find_build(cache)
    except LabError as error:
        return lack("workload", "no program, and nothing to build it with", sentence(error))
    if build.program.exists():
        return ok("workload", f"built already: {os.fspath(build.program)}")
    return ok(
        "workload", f"not built yet; {build.compiler_name} can", "The first run builds it, once."
    )


def in_go(wanted: GoProgram, cache: Path) -> Check:
    """Whether a program of the virtual world is built, or can be; nothing is built here.

    It is no lack where it cannot be: the live world does without.
    """
    try:
        found = existing(wanted, cache)
        if found:
            return ok(wanted.name, f"ready: {found}")
        go = find_go(wanted)
    except LabError as error:
        return note(wanted.name, "no program, and nothing to build it with", sentence(error))
    return ok(wanted.name, f"not built yet; {go.version} can", "The first run builds it, once.")
