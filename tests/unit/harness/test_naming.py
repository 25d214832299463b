"""One domain for one (recipe, pull request, ref), as in claim C11."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.harness.ci.naming import app_domain
from stamplab.lab.abra.label_names import stack_name

REF = "7ae7b0f76efb2988c1e54956348dc9eeb7812e0b"


def test_the_six_digits_are_those_of_all_three_joined() -> None:
    digest = hashlib.sha256(f"discourse|2|{REF}".encode()).hexdigest()
    assert app_domain("discourse", "2", REF) == f"discourse-{digest[:6]}.ci.commoninternet.net"


def test_the_same_three_share_one_domain() -> None:
    assert app_domain("discourse", "2", REF) == app_domain("discourse", "2", REF)


@pytest.mark.parametrize(
    "other", [("discours", "2", REF), ("discourse", "3", REF), ("discourse", "2", REF[::-1])]
)
def test_any_other_of_the_three_gives_another_domain(other: tuple[str, str, str]) -> None:
    assert app_domain(*other) != app_domain("discourse", "2", REF)


@pytest.mark.parametrize(
    ("recipe", "prefix"),
    [
        ("n8n", "n8n-"),
        ("Mattermost-LTS", "mattermostlt-"),
        ("custom_html", "customhtml-"),
        ("a-recipe-with-a-very-long-name", "arecipewitha-"),
    ],
)
def test_the_prefix_is_the_recipes_name_as_a_host_name_allows_it(recipe: str, prefix: str) -> None:
    assert app_domain(recipe, "1", "x").startswith(prefix)


recipes = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,40}", fullmatch=True)


@given(recipe=recipes, pr=st.integers(0, 10**6).map(str), ref=st.text(max_size=40))
def test_a_domain_is_a_host_name_and_its_stack_has_digits(recipe: str, pr: str, ref: str) -> None:
    domain = app_domain(recipe, pr, ref)
    assert re.fullmatch(r"[a-z0-9]{1,12}-[0-9a-f]{6}\.ci\.commoninternet\.net", domain)
    assert domain.split(".")[0] in stack_name(domain)
    assert "." not in stack_name(domain)
    assert len(stack_name(domain)) <= 45
