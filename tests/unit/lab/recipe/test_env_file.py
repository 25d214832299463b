"""Env files, and the versions that an abra.sh exports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stamplab.lab.recipe.env_file import (
    env_line,
    exported_variables,
    parse_env,
    parse_settings,
    with_value,
)

printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=1", "1"),
        ("export X=1", "1"),
        ("  X = 1  ", "1"),
        ("X: 1", "1"),
        ("X=1 # a comment", "1"),
        ("X=1#no-comment", "1#no-comment"),
        ("X=", ""),
        ("X=# all comment", "# all comment"),
        ("X='a # b' # c", "a # b"),
        ('X="a # b"', "a # b"),
        ("X='$HOME'", "$HOME"),
        ("X=$ABOVE/x", "up/x"),
        ('X="${ABOVE}:x"', "up:x"),
        ("X=$UNSET.", "."),
        ('X="\\$ABOVE"', "$ABOVE"),
        ("X=$(date)", "$(date)"),
        ('X="a\\"b"', 'a"b'),
        ('X="a\\nb"', "a\nb"),
        ("X='unclosed", "'unclosed"),
    ],
)
def test_a_line_is_read_as_godotenv_reads_it(line: str, value: str) -> None:
    assert parse_env(f"ABOVE=up\n{line}\n")["X"] == value


@pytest.mark.parametrize("line", ["# X=1", "  #X=1", "X", "", "=1", "X Y=1"])
def test_a_line_that_sets_nothing_is_passed_over(line: str) -> None:
    assert parse_env(line) == {}


def test_a_list_of_compose_files_grows_line_by_line() -> None:
    text = 'COMPOSE_FILE="compose.yml"\nCOMPOSE_FILE="$COMPOSE_FILE:compose.smtp.yml"\n'
    assert parse_env(text) == {"COMPOSE_FILE": "compose.yml:compose.smtp.yml"}


def test_a_comment_tells_abra_how_a_secret_is_made() -> None:
    (setting,) = parse_settings("SECRET_DB_VERSION=v2  # length=64 charset=hex generate=false\n")
    assert setting.modifiers == {"length": "64", "charset": "hex", "generate": "false"}


@given(st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True), printable)
def test_what_is_written_is_read(name: str, value: str) -> None:
    assert parse_env(env_line(name, value)) == {name: value}


@given(st.lists(st.tuples(st.sampled_from("ABC"), printable), max_size=4), printable)
def test_changing_one_setting_leaves_all_others(lines: list[tuple[str, str]], value: str) -> None:
    text = "".join(f"{env_line(name, old)}\n" for name, old in lines)
    expected = {**parse_env(text), "B": value}
    assert parse_env(with_value(text, "B", value)) == expected


def test_a_changed_setting_keeps_its_place_and_its_comment() -> None:
    text = "# head\nTYPE=discourse # the recipe\nDOMAIN=x.org\n"
    changed = with_value(text, "TYPE", "discourse:0.7.0+3.3.1")
    assert changed == "# head\nTYPE=discourse:0.7.0+3.3.1 # the recipe\nDOMAIN=x.org\n"


def test_an_abra_sh_is_read_and_not_run() -> None:
    script = "set -eu\nexport A_VERSION=v1\nB=2\n  export C_VERSION='v3' # new\nexport D=$(date)\n"
    assert exported_variables(script) == {"A_VERSION": "v1", "C_VERSION": "v3"}
