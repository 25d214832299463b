"""How large and how plain the code is, before and after: ``./run bench size [COMMIT]``.

Counts code lines (without comments, docstrings and blank lines) and files of the product and of the
tests by folder, class names that are used more than once, whole identifiers of the vocabulary that
``docs/naming.md`` has replaced, and docstrings that fail ruff's D401. The commit is checked out
into a temporary folder and measured by the same rules.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
PRODUCT = ("lab", "harness", "scenarios", "stamplab")
TESTS = ("tests", "benchmarks")
BEFORE = "55eaea9"
"""The last commit in the old vocabulary and layout."""
_IDENTIFIER = re.compile(r"`([A-Za-z_]\w*)`")
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one checkout."""

    code_lines: dict[str, int]
    """By folder: the product's, the tests', and Go and C by language."""
    files: dict[str, int]
    repeated_classes: tuple[str, ...]
    """Names of classes that the product defines more than once."""
    old_identifiers: dict[str, int]
    """Identifiers of the old vocabulary, with how often each occurs in product and tests."""
    failing_docstrings: int
    """Docstrings that fail ruff's D401."""


def main(arguments: list[str]) -> None:
    """Print the table for a commit and this checkout."""
    commit = arguments[0] if arguments else BEFORE
    vocabulary = old_vocabulary((ROOT / "docs" / "naming.md").read_text())
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", commit], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        before = size_of(Path(folder), vocabulary)
    show(commit, before, size_of(ROOT, vocabulary))


def show(commit: str, before: Size, after: Size) -> None:
    """Print both sizes side by side, and what is left to do."""
    print(f"{'':42}{commit[:10]:>12}{'now':>10}{'':>3}difference")
    for title, of in (("code lines", "code_lines"), ("files", "files")):
        was, now = getattr(before, of), getattr(after, of)
        parts: dict[str, tuple[str, ...]] = {folder: (folder,) for folder in now}
        parts |= {"the product in Python": PRODUCT, "tests and benchmarks": TESTS}
        for name, folders in parts.items():
            totals = [sum(figure.get(folder, 0) for folder in folders) for figure in (was, now)]
            _row(f"{title}, {name}", *totals)
    _row("class names used twice", len(before.repeated_classes), len(after.repeated_classes))
    _row(
        "identifiers of the old vocabulary",
        *(sum(size.old_identifiers.values()) for size in (before, after)),
    )
    _row("docstrings that fail D401", before.failing_docstrings, after.failing_docstrings)
    if after.repeated_classes:
        print("class names used twice now:", ", ".join(after.repeated_classes))
    if after.old_identifiers:
        left = sorted(after.old_identifiers.items(), key=lambda item: -item[1])
        print("old identifiers left:", ", ".join(f"{name} {count}" for name, count in left))


def _row(name: str, before: int, after: int) -> None:
    print(f"{name:42}{before:12,}{after:10,}{after - before:+13,}")


def size_of(root: Path, vocabulary: frozenset[str]) -> Size:
    """Measure one checkout."""
    code_lines: dict[str, int] = {}
    files: dict[str, int] = {}
    identifiers: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    for folder in (*PRODUCT, *TESTS):
        code_lines[folder] = files[folder] = 0
        for path in python_files(root / folder):
            source = path.read_text()
            files[folder] += 1
            code_lines[folder] += python_lines(source)
            identifiers.update(name for name in names_in(source) if name in vocabulary)
            identifiers.update([path.stem] if path.stem in vocabulary else [])
            if folder in PRODUCT:
                classes.update(public_classes(source))
    for language, endings in (("Go", (".go",)), ("C", (".c", ".h"))):
        paths = [path for path in sorted(root.rglob("*")) if path.suffix in endings]
        own = [path for path in paths if path.is_file() and path.resolve() == path.absolute()]
        code_lines[language] = sum(slashed_lines(path.read_text()) for path in own)
        files[language] = len(own)
    return Size(
        code_lines=code_lines,
        files=files,
        repeated_classes=tuple(sorted(name for name, count in classes.items() if count > 1)),
        old_identifiers=dict(identifiers),
        failing_docstrings=failing_docstrings(root),
    )


def old_vocabulary(text: str) -> frozenset[str]:
    """Return the identifiers in the first column of the tables of ``docs/naming.md``."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return frozenset(name for row in rows for name in _IDENTIFIER.findall(row))


def python_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a folder; links to other folders are not followed."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from python_files(path)
        elif path.suffix == ".py":
            yield path


def python_lines(source: str) -> int:
    """Count the lines that hold code: neither blank, nor comment, nor docstring."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Expr(value=ast.Constant(value=str())):
                    documented.update(range(child.lineno, (child.end_lineno or 0) + 1))
                case _:
                    pass
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def slashed_lines(source: str) -> int:
    """Count the lines of Go or C that are neither blank nor a comment of their own."""
    without = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    lines = (line.strip() for line in without.splitlines())
    return sum(bool(line) and not line.startswith("//") for line in lines)


def names_in(source: str) -> Iterator[str]:
    """Yield every identifier of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.string


def public_classes(source: str) -> Iterator[str]:
    """Yield the names of a module's classes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield node.name


def failing_docstrings(root: Path) -> int:
    """Count the docstrings that are not in the imperative mood, by ruff's rule D401."""
    folders = [str(root / folder) for folder in PRODUCT if (root / folder).is_dir()]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    command += ["--select", "D401"]
    checked = subprocess.run(
        [*command, "--output-format", "json", *folders], capture_output=True, text=True, check=False
    )
    return len(json.loads(checked.stdout))
