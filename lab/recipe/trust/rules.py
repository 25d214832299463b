"""What rules are made of: a rule looks at one value and says what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from stamplab.lab.recipe.trust.demand import Demand, Grant
from stamplab.lab.recipe.trust.document import NotUnderstood, Part
from stamplab.lab.recipe.trust.folder import Folder

Rule = Callable[[Part, Folder], Iterator[Demand]]

EXTENSION = "x-"
"""Keys that begin so are not deployed; what anchors in them bring elsewhere is judged there."""


def understood(rule: Rule, part: Part, folder: Folder) -> Iterator[Demand]:
    """Apply a rule; what it cannot understand is a demand too, that nothing allows."""
    try:
        yield from rule(part, folder)
    except NotUnderstood as error:
        yield error.demand


def harmless(_: Part, __: Folder) -> Iterator[Demand]:
    """Ask for nothing, whatever the value."""
    yield from ()


def by_key(rules: Mapping[str, Rule]) -> Rule:
    """Judge a mapping key by key; a key that no rule knows is not understood."""

    def rule(part: Part, folder: Folder) -> Iterator[Demand]:
        for key, value in part.fields():
            known = rules.get(key)
            if known is not None:
                yield from understood(known, value, folder)
            elif not key.startswith(EXTENSION):
                yield value.demand(None, "is a key that the lab does not know")

    return rule


def harmless_keys(names: str) -> dict[str, Rule]:
    """Rules for keys, separated by spaces, that are ordinary whatever they hold."""
    return dict.fromkeys(names.split(), harmless)


def each(rule: Rule) -> Rule:
    """Judge each item of a list, or each value of a mapping, or the one value."""

    def of_all(part: Part, folder: Folder) -> Iterator[Demand]:
        for one in part.parts():
            yield from understood(rule, one, folder)

    return of_all


def needs(grant: Grant, reason: str) -> Rule:
    """Whatever stands there asks for ``grant``."""

    def rule(part: Part, _: Folder) -> Iterator[Demand]:
        if not part.is_null:
            yield part.demand(grant, reason)

    return rule


def needs_unless(allowed: Collection[str], grant: Grant, reason: str) -> Rule:
    """Any text but the ``allowed`` ones asks for ``grant``."""

    def rule(part: Part, _: Folder) -> Iterator[Demand]:
        if part.text() not in allowed:
            yield part.demand(grant, reason)

    return rule


def external(name: Rule) -> Rule:
    """``true``, or in the older form a mapping with the name of what exists already."""

    def rule(part: Part, folder: Folder) -> Iterator[Demand]:
        if part.is_mapping:
            yield from by_key({"name": name, "external": harmless})(part, folder)

    return rule


def a_file(part: Part, folder: Folder) -> Iterator[Demand]:
    """A reference to a file, which must be the recipe's own."""
    reference = part.text()
    if not reference:
        raise part.not_understood("names no file")
    objection = folder.objection(reference)
    if objection is not None:
        yield part.demand(Grant.OUTSIDE_FILES, objection)
