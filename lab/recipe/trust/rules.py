"""What rules are made of: a rule looks at one value and says what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import ComposeValue, NotUnderstood
from stamplab.lab.recipe.trust.folder import RecipeFolder

Rule = Callable[[ComposeValue, RecipeFolder], Iterator[Demand]]

EXTENSION = "x-"
"""Keys that begin so are not deployed; what anchors in them bring elsewhere is judged there."""


def apply_rule(rule: Rule, part: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Apply a rule; what it cannot understand is a demand too, that nothing allows."""
    try:
        yield from rule(part, folder)
    except NotUnderstood as error:
        yield error.demand


def demand_nothing(_: ComposeValue, __: RecipeFolder) -> Iterator[Demand]:
    """Ask for nothing, whatever the value."""
    yield from ()


def by_key(rules: Mapping[str, Rule]) -> Rule:
    """Judge a mapping key by key; a key that no rule knows is not understood."""

    def rule(part: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        for key, value in part.fields():
            known = rules.get(key)
            if known is not None:
                yield from apply_rule(known, value, folder)
            elif not key.startswith(EXTENSION):
                yield value.demand(None, "is a key that the lab does not know")

    return rule


def ordinary_keys(names: str) -> dict[str, Rule]:
    """Rules for keys, separated by spaces, that are ordinary whatever they hold."""
    return dict.fromkeys(names.split(), demand_nothing)


def each_value(rule: Rule) -> Rule:
    """Judge each item of a list, or each value of a mapping, or the one value."""

    def of_all(part: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        for one in part.children():
            yield from apply_rule(rule, one, folder)

    return of_all


def demands(grant: Grant, reason: str) -> Rule:
    """Whatever stands there asks for ``grant``."""

    def rule(part: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if not part.is_null:
            yield part.demand(grant, reason)

    return rule


def demands_unless(allowed: Collection[str], grant: Grant, reason: str) -> Rule:
    """Any text but the ``allowed`` ones asks for ``grant``."""

    def rule(part: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if part.text() not in allowed:
            yield part.demand(grant, reason)

    return rule


def external_object(name: Rule) -> Rule:
    """``true``, or in the older form a mapping with the name of what exists already."""

    def rule(part: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        if part.is_mapping:
            yield from by_key({"name": name, "external": demand_nothing})(part, folder)

    return rule


def file_reference(part: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """A reference to a file, which must be the recipe's own."""
    reference = part.text()
    if not reference:
        raise part.cannot_judge("names no file")
    objection = folder.objection(reference)
    if objection is not None:
        yield part.demand(Grant.OUTSIDE_FILES, objection)
