"""What the flake uses of nixpkgs is listed, with where it was seen."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/nix.md").read_text()
FILES = {path.name: path.read_text() for path in (ROOT / "nix").glob("*.nix")}
FILES["flake.nix"] = (ROOT / "flake.nix").read_text()
OUR_OWN = {
    "config",
    "flake",
    "lib",
    "module",
    "pkgs",
    "stackspec",
    "stamplab",
    "swarmsim",
    "gogit",
    "withAbra",
}
PLAIN = {name: re.sub(r"#.*", "", text) for name, text in FILES.items()}


def arguments(text: str) -> set[str]:
    """The names that a file takes from nixpkgs: its function's pattern."""
    match = re.search(r"^\{\n(.*?)\n\}:", text, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^  ([\w-]+)", match[1], re.MULTILINE)) if match else set()


def of_python(text: str) -> set[str]:
    named = set(re.findall(r"\b(?:python3Packages|packages)\.([\w-]+)", text))
    for block in re.findall(r"with (?:python3Packages|packages); \[(.*?)\]", text, re.DOTALL):
        named |= set(block.split())
    return named


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_attribute_is_listed(name: str) -> None:
    used = arguments(PLAIN[name]) - OUR_OWN
    if name in {"package.nix", "shell.nix", "stampload.nix"}:
        used |= of_python(PLAIN[name])
    assert {attribute for attribute in used if f"`{attribute}`" not in DOCUMENT} == set()


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_function_of_lib_is_listed(name: str) -> None:
    listed = DOCUMENT.partition("Of `lib`: ")[2].partition("\n\n")[0]
    used = set(re.findall(r"\blib\.(\w+)", PLAIN[name]))
    assert {function for function in used if f"`{function}`" not in listed} == set()


def test_the_tests_above_see_something() -> None:
    assert {"docker", "util-linux", "iptables"} <= arguments(PLAIN["tools.nix"])
    assert {"msgspec", "hypothesis", "types-psutil"} <= of_python(PLAIN["package.nix"])


def test_the_package_and_the_shell_depend_on_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[><=~ ]", item)[0].lower() for item in wanted}
    assert names - {"pytest"} <= of_python(PLAIN["package.nix"]) | {"hatchling"}
    assert names & of_python(PLAIN["shell.nix"]) == names - {
        re.split(r"[><=~ ]", item)[0].lower() for item in project["project"]["dependencies"]
    }


def test_the_lock_is_of_the_input_that_the_flake_names() -> None:
    lock = json.loads((ROOT / "flake.lock").read_text())
    assert set(lock["nodes"]) == {"root", "nixpkgs"}
    original = lock["nodes"]["nixpkgs"]["original"]
    address = "github:" + "/".join(original[part] for part in ("owner", "repo", "ref"))
    assert f'url = "{address}";' in FILES["flake.nix"]
    locked = lock["nodes"]["nixpkgs"]["locked"]
    assert re.fullmatch(r"[0-9a-f]{40}", locked["rev"])
    assert locked["narHash"].startswith("sha256-")
