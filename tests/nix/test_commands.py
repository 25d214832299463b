"""Every command of the README's section on Nix, run by a nix, and what it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from tests.cli.test_readme import commands_in
from tests.nix.conftest import TIMEOUT_S, Nix

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text().partition("## With Nix\n")[2].partition("\n## ")[0]
COMMANDS = commands_in(SECTION)
SHOWS = {
    "nix run .#repro-discourse": r"verdict: pass\n",
    "nix run .#repro-discourse -- --fast": r"verdict: pass\n",
    "nix run .#doctor": r"live labs can run here; ",
    "nix run . -- --version --verbose": r"dockerd +\S+ +/nix/store/",
    "nix flake check": "",
    "nix flake show": "",
    "nix fmt": "",
    "nix build .#vm-test": "",
}

pytestmark = pytest.mark.timeout(TIMEOUT_S)


def test_the_section_is_short_and_all_of_it_is_run() -> None:
    assert len(SECTION.splitlines()) < 20
    assert set(COMMANDS) == set(SHOWS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, nix: Nix) -> None:
    done = nix(*shlex.split(command)[1:])
    assert re.search(SHOWS[command], done.stdout)


def test_formatting_changes_nothing(nix: Nix) -> None:
    before = subprocess.run(["git", "diff"], cwd=ROOT, capture_output=True, check=True).stdout
    nix("fmt")
    after = subprocess.run(["git", "diff"], cwd=ROOT, capture_output=True, check=True).stdout
    assert after == before


def test_the_developers_shell_is_built(nix: Nix) -> None:
    nix("build", f".#devShells.{os.uname().machine}-linux.default")


def test_each_package_and_app_is_described(nix: Nix) -> None:
    """As text it shows the apps' descriptions only, as JSON all of them (Nix 2.34)."""
    shown = json.loads(nix("flake", "show", "--json").stdout)
    shown = shown.get("inventory", shown)
    system = f"{os.uname().machine}-linux"
    for kind in ("packages", "apps"):
        outputs = shown[kind][system]
        assert {"default"} < set(outputs)
        assert [name for name, output in outputs.items() if not output.get("description")] == []


def program(nix: Nix, app: str) -> str:
    system = f"{os.uname().machine}-linux"
    nix("run", f".#{app}", "--", "--help")  # so that it is built
    return nix("eval", f".#apps.{system}.{app}.program", "--raw").stdout.strip()


def run_bare(tmp_path: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it with nothing on PATH: no docker, no git, no shell."""
    (tmp_path / "empty").mkdir()
    tmp_path.chmod(0o755)
    return subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "empty"), "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_incident_with_docker_and_git_gone_from_path(nix: Nix, tmp_path: Path) -> None:
    claims = [word for claim in ("C2", "C4", "C7") for word in ("--claim", claim)]
    done = run_bare(tmp_path, [program(nix, "repro-discourse"), "--fast", "--json", *claims])
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "pass"
    assert report["replay"].startswith("/nix/store/")
    (latest,) = (tmp_path / "runs").glob("*/latest")
    manifests = [json.loads(file.read_text()) for file in latest.rglob("manifest.json")]
    assert manifests
    assert all(manifest["engine_source"].startswith("/nix/store/") for manifest in manifests)


def run_as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
    """Run it as an ordinary user who has a home."""
    home = Path(mkdtemp(dir="/var/tmp"))
    os.chown(home, 65534, -1)
    try:
        return subprocess.run(
            ["setpriv", "--reuid", "65534", "--clear-groups", *command],
            # The caller's modules must not be followed.
            env={**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        rmtree(home)


def test_who_is_not_root_is_told_the_command_for_root(nix: Nix) -> None:
    app = program(nix, "repro-discourse")
    done = run_as_nobody(app, "--fast", "--world", "live")
    assert done.returncode == 77
    command = done.stderr.splitlines()[-1].strip()
    wanted = r"sudo /nix/store/\S+/bin/stamplab repro discourse --fast --world live"
    assert re.fullmatch(wanted, command)


def test_who_is_not_root_gets_the_virtual_world_said_loudly(nix: Nix) -> None:
    app = program(nix, "repro-discourse")
    done = run_as_nobody(app, "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT LIVE: " in done.stderr
    match = re.search(r"^For the live world: (.*)$", done.stderr, re.MULTILINE)
    assert match
    assert re.fullmatch(r"sudo /nix/store/\S+/bin/stamplab repro discourse --fast", match[1])
