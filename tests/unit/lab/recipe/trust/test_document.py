"""However a compose file is written: what any reader may see in it is judged, or it is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stamplab.lab.recipe.trust import Demand, Grant, require_trusted
from stamplab.lab.recipe.trust.demand import printable
from stamplab.lab.recipe.trust.template import InvalidTemplate, substitute
from tests.unit.lab.judging import demands, in_service, judged, write

PRIVILEGED = (Grant.PRIVILEGES, "services.app.privileged")

HIDDEN = [
    "x-a: &a {privileged: true}\nservices: {app: *a}",
    "x-a: &a {privileged: true}\nservices: {app: {<<: *a}}",
    "x-a: &a {privileged: true}\nx-b: &b {<<: *a}\nservices: {app: {<<: [*b]}}",
    "x-a: &a {privileged: true}\nservices: {app: {<<: *a, privileged: false}}",
    "x-a: &a {privileged: true}\nservices: {app: {privileged: false, <<: *a}}",
    "x-a: &a {app: {privileged: true}}\nservices: {<<: *a}",
    "x-a: &a {app: {privileged: true}}\nservices: *a",
    "x-a: &a {services: {app: {privileged: true}}}\n<<: *a",
    "services: {app: {? privileged : true}}",
    'services: {app: {"privileged": true}}',
    'services: {app: {"\\x70rivileged": true}}',
    "services: {app: {!!str privileged: !!bool true}}",
    "x-a: &a privileged\nservices: {app: {*a : true}}",
    "services: {app: {privileged: '${ON:-yes}'}}",
    "%YAML 1.1\n---\nservices: {app: {privileged: true}}\n...\n",
    "\ufeffservices: {app: {privileged: true}}",
    "services:\r\n  app:\r\n    privileged: true\r\n",
]

NOT_UNDERSTOOD = [
    ("services: {app: {image: a, image: b}}", "has the key image twice in one place (line 1)"),
    ("services: {app: {1: a, '1': b}}", "has the key 1 twice in one place (line 1)"),
    ("services: {}\n---\nservices: {}", "is no YAML (line 2: but found another document)"),
    ("services: {app: &a {x-b: *a}}", "holds an alias that contains itself"),
    ("services: {app: {!!binary cHJpdmlsZWdlZA==: true}}", "has a key that is no text (line 1)"),
    ("services: {app: {image: !!binary cHJpdmlsZWdlZA==}}", "holds the tag"),
    ("services: {app: {image: !evil x}}", "holds the tag !evil"),
    ("services: {app: {'<<': {privileged: true}}}", "has a merge that is none (line 1)"),
    ("services: {app: {!!merge x: {privileged: true}}}", "has a merge that is none (line 1)"),
    ("services: {app: {<<: text}}", "has a merge that is none (line 1)"),
    ("services: {app: {[a]: b}}", "has a key that is no text (line 1)"),
    ("services: {app: {env_file: [x-a:, b]}}", "has a key that may be a text (line 1)"),
    ("services: {a: 'x\u2028y'}", "holds a line break that not all YAML readers know as one"),
    ("services: {a: 'x\x85y'}", "holds a line break that not all YAML readers know as one"),
    ("services: {a: b\ufeff}", "holds a line break that not all YAML readers know as one"),
    ("services: {a: [}", "is no YAML (line 1"),
    ("services: {a: *nobody}", "is no YAML (line 1: found undefined alias …"),
    ("services: {a: \x07}", "is no YAML (ReaderError)"),
    ("a: " + "[" * 700 + "]" * 700, "is no YAML (RecursionError)"),
    ("a: " + "[" * 100 + "]" * 100, "is deeper than"),
    ("", "is no mapping"),
    ("- services", "is no mapping"),
    ("text", "is no mapping"),
    ("&a {}", None),
]


@pytest.mark.parametrize("compose", HIDDEN)
def test_however_it_is_written_it_is_found(tmp_path: Path, compose: str) -> None:
    grants_and_places = [(demand.grant, demand.place) for demand in demands(tmp_path, compose)]
    assert grants_and_places == [PRIVILEGED]


@pytest.mark.parametrize(("compose", "reason"), NOT_UNDERSTOOD)
def test_what_is_ambiguous_is_refused(tmp_path: Path, compose: str, reason: str | None) -> None:
    all_demands = demands(tmp_path, compose)
    if reason is None:
        assert all_demands == ()
        return
    (demand,) = all_demands
    assert (demand.grant, demand.place) == (None, "the whole file")
    assert reason in demand.reason


def test_bytes_that_are_no_text_are_not_understood(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_bytes("services: {}".encode("utf-16"))
    (demand,) = judged(tmp_path, tmp_path / "compose.yml")
    assert demand.reason == "is not UTF-8"


def test_aliases_that_multiply_are_not_written_out(tmp_path: Path) -> None:
    lines = ["x-0: &a0 [1, 1]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (demand,) = demands(tmp_path, "\n".join(lines))
    assert demand.reason.startswith("has more than 100000 values")


def test_aliases_that_nest_are_not_followed_for_ever(tmp_path: Path) -> None:
    lines = ["x-0: &a0 {privileged: true}"]
    lines += [f"x-{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 900)]
    (demand,) = demands(tmp_path, "\n".join(lines))
    assert demand.reason.endswith("is deeper than 60")


def test_a_refusal_shows_no_control_characters_and_no_novel(tmp_path: Path) -> None:
    compose = in_service('volumes: ["/\\e[2J\\u202e' + "x" * 1000 + ':/x"]')
    (demand,) = demands(tmp_path, compose)
    assert demand.value.startswith("/\\x1b[2J\\u202exxx")
    assert len(demand.value) < 250
    (demand,) = demands(tmp_path, 'services: {"a\\e": {privileged: true}}')
    assert demand.place == "services.a\\x1b.privileged"
    assert printable("ä\ud800\x9b\n") == "ä\\ud800\\x9b\\n"
    assert json.dumps(printable("\ud800")).isascii()


ENVIRONMENT = {"SET": "value", "EMPTY": "", "Bind": "/etc:/x"}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$SET", "avaluebvalue"),
        ("$$SET", "$SET"),
        ("$$$SET", "$value"),
        ("$UNSET", ""),
        ("${UNSET}", ""),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${SET:-d}", "value"),
        ("${UNSET-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET:-}", ""),
        ("${SET:?said}", "value"),
        ("${EMPTY?said}", ""),
        ("$UNSET-/etc", "/etc"),
        ("$UNSET:-/etc", "/etc"),
        ("${UNSET:-${SET}}", "${SET}"),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET?a:-b}", "b"),
        ("${UNSET:-\n}", "\n"),
        ("${\u017f}", ""),
    ],
)
def test_interpolation_is_the_clients(template: str, value: str) -> None:
    assert substitute(template, ENVIRONMENT) == value


@pytest.mark.parametrize(
    "template",
    [
        *("$", "${", "${}", "$1", "a$", "${a b}", "${\u0131}", "${SET:+a}", "${SET+a}"),
        *("${UNSET:?e}", "${EMPTY:?e}", "${UNSET?e}", "${UNSET:?e}$SET"),
    ],
)
def test_what_the_client_does_not_interpolate_is_invalid(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        substitute(template, ENVIRONMENT)


def test_values_are_judged_after_interpolation_by_the_given_environment(tmp_path: Path) -> None:
    compose = in_service("volumes: ['${SOURCE:-data}:/x']")
    assert demands(tmp_path, compose) == ()
    (demand,) = demands(tmp_path, compose, SOURCE="/etc")
    assert demand.value == "/etc:/x"
    assert demands(tmp_path, compose, SOURCE="") == ()


def test_a_variable_without_a_value_in_a_volume_is_said(tmp_path: Path) -> None:
    (demand,) = demands(tmp_path, in_service("volumes: ['$SOURCE:/x']"))
    assert demand.reason == "is no volume (a variable without a value?)"


# ---------------------------------------------------------------- where the files are


OUTSIDE = "leads to {}, out of the recipe's folder"


@pytest.fixture
def host_file(tmp_path: Path) -> Path:
    file = tmp_path / "host.yml"
    file.write_text(in_service("privileged: true"))
    return file


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "recipe").mkdir()
    return tmp_path / "recipe"


def reasons(demands: tuple[Demand, ...]) -> list[tuple[Grant | None, str]]:
    return [(demand.grant, demand.reason) for demand in demands]


@pytest.mark.parametrize("how", ["absolute", "dots", "link", "linked folder"])
def test_an_outside_compose_file_stays_unopened(recipe: Path, host_file: Path, how: str) -> None:
    (recipe / "link.yml").symlink_to(host_file)
    (recipe / "up").symlink_to("..")
    file, reason = {
        "absolute": (host_file, OUTSIDE.format(host_file)),
        "dots": (recipe / ".." / "host.yml", "goes up by .."),
        "link": (recipe / "link.yml", OUTSIDE.format(host_file)),
        "linked folder": (recipe / "up" / "host.yml", OUTSIDE.format(host_file)),
    }[how]
    assert reasons(judged(recipe, file)) == [(Grant.OUTSIDE_FILES, reason)]
    trusted = judged(recipe, file, trust=frozenset({Grant.OUTSIDE_FILES}))
    assert [demand.grant for demand in trusted] == [Grant.OUTSIDE_FILES, Grant.PRIVILEGES]


def test_a_file_of_the_labs_own_outside_is_judged(recipe: Path, host_file: Path) -> None:
    from stamplab.lab.recipe.trust import demands_of
    from stamplab.lab.world import Stack

    (compose,) = write(recipe, compose=in_service(""))
    stack = Stack(
        name="s",
        directory=recipe,
        compose_files=(compose, host_file),
        lab_files=(host_file,),
        environment={},
    )
    assert [demand.grant for demand in demands_of(stack, {})] == [Grant.PRIVILEGES]


@pytest.mark.parametrize("section", ["configs", "secrets"])
def test_a_config_through_a_link_that_leads_out_is_refused(recipe: Path, section: str) -> None:
    (recipe / "link").symlink_to("/etc/hostname")
    (recipe / "etc").symlink_to("/etc")
    (recipe / "fine").symlink_to("compose.yml")
    for file, expected in (
        ("link", [(Grant.OUTSIDE_FILES, OUTSIDE.format("/etc/hostname"))]),
        ("./etc/hostname", [(Grant.OUTSIDE_FILES, OUTSIDE.format("/etc/hostname"))]),
        ("${NAME:-link}", [(Grant.OUTSIDE_FILES, OUTSIDE.format("/etc/hostname"))]),
        ("fine", []),
        ("not-there", []),
    ):
        compose = f"{section}: {{c: {{file: '{file}'}}}}"
        assert reasons(demands(recipe, compose)) == expected


def test_references_begin_where_the_first_file_is(recipe: Path) -> None:
    (recipe / "sub").mkdir()
    (recipe / "sub" / "link").symlink_to("/etc/hostname")
    (compose,) = write(recipe, compose="configs: {c: {file: link}}")
    (first,) = write(recipe / "sub", first="services: {}")
    assert judged(recipe, compose) == ()
    (demand,) = judged(recipe, first, compose)
    assert demand.reason == OUTSIDE.format("/etc/hostname")


def test_a_name_that_the_client_would_split_is_refused(recipe: Path, host_file: Path) -> None:
    """The client reads --compose-file as CSV: ``a,/b`` would be two files, and one unjudged."""
    evil = recipe / f"compose.yml,{host_file}"
    evil.parent.mkdir(parents=True)
    evil.write_text("services: {}")
    ((grant, reason),) = reasons(judged(recipe, evil))
    assert (grant, reason) == (None, "is several files to the docker client")


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large", "unreadable"])
def test_what_cannot_be_read_is_refused(recipe: Path, kind: str) -> None:
    file = recipe / ("x" * 300 if kind == "unreadable" else "compose.yml")
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "large":
        file.write_text("#" * (1024 * 1024 + 1))
    (demand,) = judged(recipe, file)
    assert demand.grant is None
    assert "is no regular file" in demand.reason or "cannot be read" in demand.reason
    with pytest.raises(Exception, match="nothing would allow that"):
        require_trusted((demand,), frozenset(Grant))
