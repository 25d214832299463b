"""Building blocks of rules; a rule judges one value and yields its demands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import ComposeValue, NotUnderstood
from stamplab.lab.recipe.trust.folder import RecipeFolder

Rule = Callable[[ComposeValue, RecipeFolder], Iterator[Demand]]

EXTENSION = "x-"
"""Keys with this prefix are not deployed; their anchors are judged where they are used."""


def apply_rule(rule: Rule, node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Apply a rule; turn a value that it cannot judge into a demand that nothing allows."""
    try:
        yield from rule(node, folder)
    except NotUnderstood as error:
        yield error.demand


def demand_nothing(_: ComposeValue, __: RecipeFolder) -> Iterator[Demand]:
    """Yield no demand, whatever the value."""
    yield from ()


def by_key(rules: Mapping[str, Rule]) -> Rule:
    """Make a rule for a mapping, key by key; a key without a rule is a demand."""

    def rule(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        for key, value in node.fields():
            rule_of_key = rules.get(key)
            if rule_of_key is not None:
                yield from apply_rule(rule_of_key, value, folder)
            elif not key.startswith(EXTENSION):
                yield value.demand(None, "is a key that the lab does not know")

    return rule


def ordinary_keys(names: str) -> dict[str, Rule]:
    """Make rules for space-separated keys that demand nothing, whatever their values."""
    return dict.fromkeys(names.split(), demand_nothing)


def each_value(rule: Rule) -> Rule:
    """Make a rule that judges each item of a list, each value of a mapping, or a scalar."""

    def rule_for_all(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        for child in node.children():
            yield from apply_rule(rule, child, folder)

    return rule_for_all


def demands(grant: Grant, reason: str) -> Rule:
    """Make a rule by which any value but null demands ``grant``."""

    def rule(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if not node.is_null:
            yield node.demand(grant, reason)

    return rule


def demands_unless(allowed: Collection[str], grant: Grant, reason: str) -> Rule:
    """Make a rule by which any text but the ``allowed`` ones demands ``grant``."""

    def rule(node: ComposeValue, _: RecipeFolder) -> Iterator[Demand]:
        if node.text() not in allowed:
            yield node.demand(grant, reason)

    return rule


def external_object(name: Rule) -> Rule:
    """Make a rule for ``external``: true, or in the older form a mapping with a name."""

    def rule(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
        if node.is_mapping:
            yield from by_key({"name": name, "external": demand_nothing})(node, folder)

    return rule


def file_reference(node: ComposeValue, folder: RecipeFolder) -> Iterator[Demand]:
    """Judge a reference to a file, which must be in the recipe's folder."""
    reference = node.text()
    if not reference:
        raise node.cannot_judge("names no file")
    objection = folder.objection(reference)
    if objection is not None:
        yield node.demand(Grant.OUTSIDE_FILES, objection)
