"""Wherever a recipe hides a path of the host, it is found; an ordinary recipe asks for nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stamplab.lab.errors import RecipeRefused
from stamplab.lab.recipe.trust import Demand, Grant, demands_of, require_trusted
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute
from stamplab.lab.world import Stack

moderate = settings(max_examples=150, deadline=None)

NAMES = st.text("abcdefgh", min_size=3, max_size=6)
PATHS = st.one_of(
    st.builds("{}/{}".format, st.sampled_from(["", ".", "..", "~", "/etc", "./a/.."]), NAMES),
    st.sampled_from(["/", ".", "..", "~", "/var/run/docker.sock"]),
)
TAILS = st.sampled_from(["", ":ro", ":rw", ":ro,rshared", ":nocopy"])


def mounting(entry: object) -> object:
    return {"services": {"app": {"image": "a:1", "volumes": ["data:/data", entry]}}}


HIDDEN = st.one_of(
    st.builds(lambda path, tail: mounting(f"{path}:/x{tail}"), PATHS, TAILS),
    st.builds(lambda path: mounting({"type": "bind", "source": path, "target": "/x"}), PATHS),
    st.builds(
        lambda path, option: {"volumes": {"data": {"driver_opts": {option: path}}}},
        PATHS,
        st.sampled_from(["device", "o", "type", "share"]),
    ),
)
ORDINARY = st.one_of(
    st.builds(lambda name, tail: mounting(f"{name}:/x{tail}"), NAMES, TAILS),
    st.builds(lambda name: mounting({"type": "volume", "source": name, "target": "/x"}), NAMES),
)


TOKENS = st.sampled_from(["$", "{", "}", ":-", "?", "\n", "&a", "*a", "<<:", "[", "]", "- "])


class ComposeFiles(msgspec.Struct, frozen=True):
    """Compose files, and the variables that they are read with."""

    files: tuple[str, ...]
    variables: dict[str, str]


@st.composite
def compose_files(draw: st.DrawFn, *composes: st.SearchStrategy[object]) -> ComposeFiles:
    """Write each compose file in one of many ways, some of its texts given by variables."""
    variables: dict[str, str] = {}
    values = [by_variables(draw, draw(compose), variables) for compose in composes]
    return ComposeFiles(tuple(as_yaml(draw, value) for value in values), variables)


def by_variables(draw: st.DrawFn, value: object, variables: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {key: by_variables(draw, item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [by_variables(draw, item, variables) for item in value]
    form = draw(
        st.sampled_from(["", "", "", "$@", "${@}", "${@:-x}", "${@-x}", "${@?x}", "default"])
    )
    if not form:
        return value
    if form == "default":
        return f"${{UNSET:-{value}}}"
    name = f"V{len(variables)}"
    variables[name] = str(value)
    return form.replace("@", name)


def as_yaml(draw: st.DrawFn, value: object) -> str:
    """Plain, or merged in from an extension field, or merged in and then overridden."""
    assert isinstance(value, dict)
    style = draw(st.sampled_from([None, True, False]))
    quote = draw(st.sampled_from([None, '"', "'"]))
    text = yaml.safe_dump(value, default_flow_style=style, default_style=quote, sort_keys=False)
    how = draw(st.sampled_from(["plain", "merged", "overridden", "alias"]))
    if how == "plain":
        return text
    if how == "alias":
        text = yaml.safe_dump(next(iter(value.values())), default_flow_style=style)
    hidden = "x-hidden: &hidden\n" + "".join(f"  {line}\n" for line in text.splitlines())
    section = next(iter(value))
    uses = {
        "merged": "<<: *hidden\n",
        "overridden": f"<<: [*hidden]\n{section}: {{}}\n",
        "alias": f"{section}: *hidden\n",
    }
    return hidden + uses[how]


def demands_of_files(recipe: ComposeFiles) -> tuple[Demand, ...]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = tuple(folder / f"{number}.yml" for number in range(len(recipe.files)))
        for file, text in zip(files, recipe.files, strict=True):
            file.write_text(text)
        stack = Stack(name="s", directory=folder, compose_files=files, environment={})
        return demands_of(stack, recipe.variables)


@moderate
@given(compose_files(HIDDEN))
def test_a_path_of_the_host_is_found_however_it_is_written(recipe: ComposeFiles) -> None:
    demands = demands_of_files(recipe)
    assert {demand.grant for demand in demands} == {Grant.HOST_PATHS}
    with pytest.raises(RecipeRefused, match="--trust host-paths would allow that"):
        require_trusted(demands, frozenset(Grant) - {Grant.HOST_PATHS})
    require_trusted(demands, frozenset({Grant.HOST_PATHS}))


@moderate
@given(compose_files(ORDINARY, HIDDEN, ORDINARY))
def test_it_is_found_in_whichever_file(recipe: ComposeFiles) -> None:
    assert {(demand.file, demand.grant) for demand in demands_of_files(recipe)} == {
        ("1.yml", Grant.HOST_PATHS)
    }


@moderate
@given(compose_files(ORDINARY, ORDINARY))
def test_an_ordinary_recipe_asks_for_nothing(recipe: ComposeFiles) -> None:
    assert demands_of_files(recipe) == ()


@moderate
@given(
    st.lists(
        st.one_of(st.text(max_size=4), TOKENS),
        max_size=12,
    )
)
def test_no_text_whatever_makes_the_judge_crash(parts: list[str]) -> None:
    text = "".join(parts).encode(errors="replace").decode()
    for compose in (text, f"services: {{app: {{volumes: [{text}]}}}}"):
        for demand in demands_of_files(ComposeFiles((compose,), {})):
            assert str(demand).isprintable()


@moderate
@given(st.text("$", max_size=9), st.text("abc-_:? ", max_size=9))
def test_a_doubled_dollar_is_never_a_variable(dollars: str, rest: str) -> None:
    template = dollars * 2 + rest
    assert substitute(template, {}) == dollars + rest
    with pytest.raises(InvalidTemplate):
        substitute(template + "$", {})
