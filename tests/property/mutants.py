"""The guard with one clause taken away, for each of its clauses.

A clause is an ``if`` that rules, notes or passes on, or one operand of an ``and`` or ``or``, but
for those that ask for None alone. They are found in the guard's own source, so one that is added
later is tried without a line here.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import msgspec

import stamplab.harness.guard
from stamplab.harness.guard import modes, rules, view

MODULES: tuple[ModuleType, ...] = (modes, view, rules)
_SPEAKS_ONLY = frozenset(
    {
        "_ending",
        "_how_it_converged",
        "_newest_task",
        "_words_of",
        "what_is_missing",
        "_is_stalled",
        "failed_task",
    }
)
"""Functions that find the words of a ruling, not the ruling: laws do not read sentences closely."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """The guard without one clause."""

    module: str
    function: str
    line: int
    clause: str

    @property
    def where(self) -> str:
        """What is missing, wherever its line may have gone."""
        return f"{self.module.rpartition('.')[2]}.{self.function}: {self.clause}"

    def __str__(self) -> str:
        """For a test's name."""
        return f"{self.module.rpartition('.')[2]}.{self.function}:{self.line}: {self.clause}"


def mutants() -> list[Mutant]:
    """Every clause of the guard."""
    return [mutant for module in MODULES for mutant, _ in _mutated(module)]


@contextmanager
def without(mutant: Mutant) -> Iterator[None]:
    """Take the clause away for a while."""
    module = next(one for one in MODULES if one.__name__ == mutant.module)
    (tree,) = (tree for found, tree in _mutated(module) if found == mutant)
    before = dict(module.__dict__)
    guard = vars(stamplab.harness.guard)
    view_before, asked_before = guard["View"], stamplab.harness.guard.Guard.__init__.__defaults__
    exec(compile(tree, str(module.__file__), "exec"), module.__dict__)  # noqa: S102 - our own source
    try:
        guard["View"] = view.View
        stamplab.harness.guard.Guard.__init__.__defaults__ = (rules.RULES,)
        yield
    finally:
        module.__dict__.clear()
        module.__dict__.update(before)
        guard["View"] = view_before
        stamplab.harness.guard.Guard.__init__.__defaults__ = asked_before


def _mutated(module: ModuleType) -> Iterator[tuple[Mutant, ast.Module]]:
    source = Path(str(module.__file__)).read_text()
    tree = ast.parse(source)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.name in _SPEAKS_ONLY:
            continue
        for node in ast.walk(function):
            for clause, line, rest in _clauses(node):
                name = function.name
                mutant = Mutant(module=module.__name__, function=name, line=line, clause=clause)
                yield mutant, _replaced(tree, node, rest)


def _clauses(node: ast.AST) -> Iterator[tuple[str, int, ast.AST]]:
    """What can be taken away at a node, and what is there then."""
    match node:
        case ast.If(orelse=[]):
            text = f"if {ast.unparse(node.test)}"
            yield text, node.lineno, ast.copy_location(ast.Pass(), node)
        case ast.BoolOp(values=[*_, ast.Constant(value=str())]):
            return  # a word for where there is none
        case ast.BoolOp(op=op, values=values):
            one_of = " (one of several)" if isinstance(op, ast.Or) else ""
            for number, value in enumerate(values):
                if _is_for_types(value):
                    continue
                rest = values[:number] + values[number + 1 :]
                kept = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                yield ast.unparse(value) + one_of, value.lineno, ast.copy_location(kept, node)


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
