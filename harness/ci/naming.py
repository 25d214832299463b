"""The names that a CI run gives to what it deploys."""

from __future__ import annotations

import hashlib
import re

DOMAIN = "ci.commoninternet.net"
_PREFIX_LENGTH = 12


def app_domain(recipe: str, pr: str, ref: str) -> str:
    """Make the domain of a run's app: a prefix of the recipe's name and 6 hex digits of all three.

    Equal arguments give the same domain, so runs of one pull request's ref share one stack (C11).
    """
    prefix = re.sub(r"[^a-z0-9]", "", recipe.lower())[:_PREFIX_LENGTH]
    digest = hashlib.sha256(f"{recipe}|{pr}|{ref}".encode()).hexdigest()
    return f"{prefix}-{digest[:6]}.{DOMAIN}"
