"""The guard with one clause taken away, for each of its clauses.

A clause is an ``if`` that rules, notes or passes on, or one operand of an ``and`` or ``or``, but
for those that ask for None alone. They are found in the guard's own source, so one that is added
later is tried without a line here.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import msgspec

from stamplab.harness import guard as guard_package
from stamplab.harness.guard import rules, view

MODULES: tuple[ModuleType, ...] = (view, rules)
_SPEAKS_ONLY = frozenset(
    {
        "_describe_rollback_end",
        "_describe_success",
        "_describe_newest_task",
        "_error_of",
        "describe_missing",
        "_is_stalled",
        "failed_task",
    }
)
"""Functions that find the words of a ruling, not the ruling: laws do not read sentences closely."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """The guard without one clause."""

    module: str
    function: str
    """Its qualified name: a method has its class before it."""
    place: str
    """Which clause of the function it is, counted by kind from the function's first line on."""
    clause: str
    """The clause as source text, for whoever reads a failure."""

    @property
    def where(self) -> str:
        """The clause's key: neither its wording nor its line is part of it."""
        return f"{self.function_key}: {self.place}"

    @property
    def function_key(self) -> str:
        """The key of all clauses of its function."""
        return f"{self.module.rpartition('.')[2]}.{self.function}"

    def __str__(self) -> str:
        """For a test's name."""
        return f"{self.where}: {self.clause}"


def mutants() -> list[Mutant]:
    """Every clause of the guard."""
    return [mutant for module in MODULES for mutant, _ in _mutated(module)]


@contextmanager
def without(mutant: Mutant) -> Iterator[None]:
    """Take the clause away for a while."""
    module = next(candidate for candidate in MODULES if candidate.__name__ == mutant.module)
    (mutated,) = (mutated for candidate, mutated in _mutated(module) if candidate == mutant)
    importers = [guard_package, *(other for other in MODULES if other is not module)]
    before = [(target, dict(vars(target))) for target in (module, *importers)]
    own_before = before[0][1]
    rules_before = guard_package.Guard.__init__.__defaults__
    exec(compile(mutated(), str(module.__file__), "exec"), vars(module))  # noqa: S102 - our own source
    try:
        for importer, names in before[1:]:
            for name, value in names.items():
                if own_before.get(name) is value and not name.startswith("__"):
                    setattr(importer, name, getattr(module, name))
        guard_package.Guard.__init__.__defaults__ = (rules.RULES,)
        yield
    finally:
        for target, names in before:
            vars(target).clear()
            vars(target).update(names)
        guard_package.Guard.__init__.__defaults__ = rules_before


def _mutated(module: ModuleType) -> Iterator[tuple[Mutant, Callable[[], ast.Module]]]:
    """Yield each mutant of a module, with what makes its tree: pytest collects the names alone."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    for name, function in _functions(tree):
        if function.name in _SPEAKS_ONLY:
            continue
        for place, clause, node, rest in _clauses(function):
            mutant = Mutant(module=module.__name__, function=name, place=place, clause=clause)
            yield mutant, partial(_replaced, tree, node, rest)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module, and the methods of its classes, by qualified names."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name):
                yield name, node
            case ast.ClassDef(name=name, body=body):
                for inner in body:
                    if isinstance(inner, ast.FunctionDef):
                        yield f"{name}.{inner.name}", inner


def _clauses(function: ast.FunctionDef) -> Iterator[tuple[str, str, ast.AST, ast.AST]]:
    """Yield what can be taken away in a function: its place, its text, and what replaces what."""
    counted: Counter[str] = Counter()
    conditions = [node for node in ast.walk(function) if isinstance(node, ast.If | ast.BoolOp)]
    for node in sorted(conditions, key=lambda node: (node.lineno, node.col_offset)):
        kind = _kind(node)
        counted[kind] += 1
        place = f"{kind} {counted[kind]}"
        match node:
            case ast.If(orelse=[]):
                text = f"if {ast.unparse(node.test)}"
                yield place, text, node, ast.copy_location(ast.Pass(), node)
            case ast.BoolOp(values=[*_, ast.Constant(value=str())]):
                continue  # a word for where there is none
            case ast.BoolOp(values=values):
                for number, value in enumerate(values):
                    if not _is_for_types(value):
                        rest = values[:number] + values[number + 1 :]
                        kept = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                        at = f"{place}, operand {number + 1}"
                        yield at, ast.unparse(value), node, ast.copy_location(kept, node)


def _kind(node: ast.If | ast.BoolOp) -> str:
    match node:
        case ast.BoolOp(op=ast.And()):
            return "and"
        case ast.BoolOp():
            return "or"
        case _:
            return "if"


def _is_for_types(value: ast.expr) -> bool:
    """Whether an operand only tells the type checker, and Python, that there is something."""
    match value:
        case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case _:
            return False


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    """A copy of the tree with one node replaced."""
    place = next(number for number, node in enumerate(ast.walk(tree)) if node is old)
    changed = copy.deepcopy(tree)
    target = next(node for number, node in enumerate(ast.walk(changed)) if number == place)

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(new) if node is target else self.generic_visit(node)

    Replace().visit(changed)
    return ast.fix_missing_locations(changed)
