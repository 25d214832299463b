"""Checks of the programs that a lab needs: engine, git, workload, programs in Go."""

from __future__ import annotations

import os
from pathlib import Path

from stamplab.lab.errors import LabError
from stamplab.lab.live.doctor.check import Check, lack, note, ok, sentence
from stamplab.lab.live.engine import OPTIONAL, DockerEngine, find_engine
from stamplab.lab.recipe import git
from stamplab.lab.support import programs
from stamplab.lab.support.go_build import GoProgram, available_program, find_go
from stamplab.lab.workload.build import find_build, provided_program
from stamplab.lab.workload.image import is_static

_TIMEOUT_S = 60.0


def check_engine(folder: Path | None) -> Check:
    """Check that there is an engine, with all of its tools."""
    try:
        engine = find_engine(folder)
    except LabError as error:
        return lack("engine", "none that runs", sentence(error))
    facts = f"{engine.version} ({engine.source})"
    missing = [name for name in OPTIONAL if name not in engine.tools]
    if missing:
        facts += f"; without {', '.join(missing)}"
    return _judge_tools(engine, facts, missing)


def _judge_tools(engine: DockerEngine, facts: str, missing: list[str]) -> Check:
    busybox = engine.tools["busybox"]
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


def check_git() -> Check:
    """Check that there is a git that runs."""
    try:
        program = git.require_git()
    except LabError as error:
        return lack("git", "none", sentence(error))
    done = programs.run([str(program), "--version"], _TIMEOUT_S)
    if done.returncode != 0:
        message = done.stderr.strip() or f"exit status {done.returncode}"
        return lack("git", f"it does not run: {message}", "Recipes are git repositories: mend git.")
    return ok("git", done.stdout.strip().removeprefix("git version "))


def check_workload(cache: Path) -> Check:
    """Check that the workload is built or can be; build nothing."""
    try:
        given = provided_program()
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


def check_go_program(wanted: GoProgram, cache: Path) -> Check:
    """Check that one of the programs in Go is built or can be; build nothing.

    A missing one is a note and no lack: a lab and the guard do without, and `./run` brings a Go.
    """
    try:
        program = available_program(wanted, cache)
        if program:
            return ok(wanted.name, f"ready: {program}")
        go = find_go(wanted)
    except LabError as error:
        return note(wanted.name, "no program, and nothing to build it with", sentence(error))
    return ok(wanted.name, f"not built yet; {go.version} can", "The first run builds it, once.")
