"""The documents: their size, their links, the paths they name, and the ADRs that code cites."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ADR = DOCS / "adr"
RECORDS = sorted(path for path in ADR.glob("*.md") if path.name != "README.md")
ARCHITECTURE = DOCS / "ARCHITECTURE.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
CODE = ("benchmarks", "harness", "lab", "nix", "scenarios", "stamplab", "tests")
CODE_SUFFIXES = {".c", ".go", ".nix", ".py", ".sh"}
SECTIONS = ["## Context", "## Decision", "## Consequences"]

MOST_WORDS = 1200
MOST_LINES = 60

_CITED = re.compile(r"\bADR[ -](\d{4})\b")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
_FOLDERS = "benchmarks|docs|harness|lab|nix|scenarios|stamplab|tests|typings"
_PATH = re.compile(rf"(?:`|^\./run test )((?:{_FOLDERS})/[\w./-]*)", re.MULTILINE)


def number(record: Path) -> str:
    return record.name[:4]


def status(record: Path) -> str:
    match = re.search(r"^Status: (.*)$", record.read_text(), re.MULTILINE)
    return match[1] if match else ""


HOLDING = [record for record in RECORDS if status(record).startswith("Accepted")]
"""A decision that is superseded may name what is gone."""
TRUE_NOW = [ARCHITECTURE, ROOT / "CONTRIBUTING.md", *HOLDING]


def cited_in(text: str) -> set[str]:
    return set(_CITED.findall(text))


def code_files() -> Iterator[Path]:
    paths = (ROOT / name for name in ("flake.nix", "pyproject.toml", "run"))
    yield from (path for path in paths if path.exists())  # a package is built without the flake
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in CODE_SUFFIXES and path.is_file() and path != Path(__file__):
                yield path


def test_the_architecture_is_short() -> None:
    assert len(ARCHITECTURE.read_text().split()) <= MOST_WORDS


def test_adrs_are_numbered_without_gaps() -> None:
    assert [number(record) for record in RECORDS] == [f"{n:04}" for n in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("record", RECORDS, ids=number)
def test_an_adr_is_a_page_with_the_usual_parts(record: Path) -> None:
    lines = record.read_text().splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[0].startswith(f"# {number(record)}. ")
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", lines[2])
    assert re.fullmatch(r"Status: (Accepted|Superseded by ADR \d{4})\b.*", lines[4])
    assert [line for line in lines if line.startswith("## ")] == SECTIONS


def test_the_index_lists_each_adr_with_its_title() -> None:
    titles = {record: record.read_text().splitlines()[0][8:] for record in RECORDS}
    entries = re.findall(r"^- \[\d{4}\].*$", (ADR / "README.md").read_text(), re.MULTILINE)
    assert len(entries) == len(RECORDS)
    for record, entry in zip(RECORDS, entries, strict=True):
        assert entry.startswith(f"- [{number(record)}]({record.name}) {titles[record]}")
        assert ("superseded" in entry) == status(record).startswith("Superseded")


def test_who_is_superseded_and_who_supersedes_name_each_other() -> None:
    by_number = {number(record): status(record) for record in RECORDS}
    for this, status_line in by_number.items():
        for other in cited_in(status_line):
            assert this in cited_in(by_number[other]), f"ADR {other} does not name ADR {this}"


def test_every_adr_that_is_cited_exists() -> None:
    known = {number(record) for record in RECORDS}
    wrong = {
        f"{path.relative_to(ROOT)} cites ADR {cited}"
        for path in [*code_files(), *DOCUMENTS]
        for cited in cited_in(path.read_text(errors="replace")) - known
    }
    assert wrong == set()


def test_every_adr_that_holds_is_cited_from_the_code() -> None:
    if not (ROOT / "flake.nix").exists():
        pytest.skip("no whole checkout: what cites an ADR from the Nix files is not here")
    cited = {
        reference
        for path in code_files()
        for reference in cited_in(path.read_text(errors="replace"))
    }
    assert {number(record) for record in HOLDING} - cited == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_links_to_is_there(document: Path) -> None:
    links = [link for link in _LINK.findall(document.read_text()) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", TRUE_NOW, ids=lambda path: path.name)
def test_the_paths_that_a_document_names_are_there(document: Path) -> None:
    named = _PATH.findall(document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
