"""The interpolation of compose files, as the docker client does it.

Source: docker/cli v28.5.2 cli/compose/template/template.go, quirks included: ``$X-y`` without
braces takes a default too, a default is not interpolated (``${X:-$Y}``), and ``${X:+y}`` is no
valid template. The client forgets an error when another variable follows; this module does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Go folds case by Unicode: in its eyes the long s and the Kelvin sign are letters of a to z.
_FIRST = "_a-zA-Z\u017f\u212a"
_SUBSTITUTION = rf"[{_FIRST}][{_FIRST}0-9]*(?::?[-?][^}}]*)?"
_PATTERN = re.compile(
    rf"\$(?:(?P<escaped>\$)|(?P<named>{_SUBSTITUTION})|{{(?P<braced>{_SUBSTITUTION})}}|)"
)


class InvalidTemplate(ValueError):
    """The docker client refuses a template; the message says why."""


def substitute(template: str, variables: Mapping[str, str]) -> str:
    """Replace variables by their values. Raises InvalidTemplate."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        substitution = match["named"] or match["braced"]
        if not substitution:
            raise InvalidTemplate("it has a $ that begins no variable")
        return _value(substitution, variables)

    return _PATTERN.sub(value, template)


def _value(substitution: str, variables: Mapping[str, str]) -> str:
    """Return the value of a substitution; the order of the cases is the client's."""
    if ":-" in substitution:
        name, _, default = substitution.partition(":-")
        return variables.get(name) or default
    if "-" in substitution:
        name, _, default = substitution.partition("-")
        return variables.get(name, default)
    for separator in (":?", "?"):
        if separator in substitution:
            name, _, _ = substitution.partition(separator)
            value = variables.get(name)
            if value is None or (separator == ":?" and not value):
                raise InvalidTemplate(f"it requires the variable {name}, which has no value")
            return value
    return variables.get(substitution, "")
