"""Which programs a recipe's health checks and entrypoints call."""

from __future__ import annotations

import pytest

from stamplab.lab.recipe.commands import commands_of, drop_parent_folders
from stamplab.lab.recipe.compose import ComposeService, Healthcheck, parse_compose


def called(*test: str, working_dir: str = "/") -> frozenset[str]:
    return commands_of(ComposeService(healthcheck=Healthcheck(test=test), working_dir=working_dir))


@pytest.mark.parametrize(
    ("test", "paths"),
    [
        (("CMD", "curl", "--fail", "http://localhost:3000/srv/status"), {"/bin/curl"}),
        (("CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1/ || exit 1"), {"/bin/wget"}),
        (("CMD-SHELL", "pg_isready -h localhost -U $POSTGRES_USER"), {"/bin/pg_isready"}),
        (("CMD-SHELL", '[ "$(redis-cli ping)" = PONG ]'), {"/bin/redis-cli"}),
        (("CMD", "timeout", "5", "curl", "-f", "x"), {"/bin/timeout", "/bin/curl"}),
        (("CMD-SHELL", "timeout 5 curl -f x && node -e 1"), {"/bin/curl", "/bin/node"}),
        (("CMD", "sh", "-c", "nc -z localhost 80; /opt/x/check -q"), {"/bin/nc", "/opt/x/check"}),
        (("CMD", "/usr/local/bin/healthcheck.sh", "--connect"), {"/usr/local/bin/healthcheck.sh"}),
        (("CMD-SHELL", "/healthcheck.sh"), {"/healthcheck.sh"}),
        (("CMD-SHELL", "mysqladmin ping -p`cat /run/secrets/x`"), {"/bin/mysqladmin"}),
    ],
)
def test_every_command_of_a_health_check_is_found(test: tuple[str, ...], paths: set[str]) -> None:
    assert called(*test) >= paths


@pytest.mark.parametrize(
    "test",
    [
        (),
        ("NONE",),
        ("CMD", "test", "-d", "/data"),
        ("CMD-SHELL", "test -d /data/files"),
        ("CMD-SHELL", "/proc/self/exe"),
        ("CMD-SHELL", "/../../etc/passwd"),
        ("CMD-SHELL", "/" + 100 * "x"),
        ("CMD", "4711"),
    ],
)
def test_no_file_is_taken_for_a_program(test: tuple[str, ...]) -> None:
    assert {path for path in called(*test) if not path.startswith("/bin/")} == set()
    assert not called(*test) & {"/bin/4711"}


def test_a_relative_path_begins_in_the_working_folder() -> None:
    assert "/app/bin/health" in called("CMD", "./bin/health", working_dir="/app")
    assert "/bin/health" in called("CMD", "bin/health")


def test_what_has_to_be_a_folder_is_no_program() -> None:
    assert drop_parent_folders({"/app", "/app/run", "/apple"}) == {"/app/run", "/apple"}


@pytest.mark.parametrize(
    ("entrypoint", "path"),
    [
        ('["/docker-entrypoint.sh", "./bin/x"]', "/docker-entrypoint.sh"),
        ("/opt/keycloak/bin/kc.sh start --proxy=edge", "/opt/keycloak/bin/kc.sh"),
        ('[tini, "--", node]', "/bin/tini"),
        ("./start.sh", "/srv/start.sh"),
        ("'${RUN:-/run.sh}'", "/run.sh"),
    ],
)
def test_an_entrypoints_first_word_is_a_program(entrypoint: str, path: str) -> None:
    text = f"services: {{app: {{working_dir: /srv, entrypoint: {entrypoint}}}}}\n"
    assert commands_of(parse_compose({"f": text}, {}).services["app"]) == {path}


def test_an_entrypoint_with_an_open_quote_is_the_clients_to_refuse() -> None:
    text = 'services: {app: {entrypoint: "\'open"}}\n'
    assert commands_of(parse_compose({"f": text}, {}).services["app"]) == frozenset()


def test_each_files_entrypoint_may_be_the_first() -> None:
    """Older clients append lists where they merge files, newer ones replace them."""
    texts = {
        "compose.yml": 'services: {app: {entrypoint: ["/a", x]}}\n',
        "compose.b.yml": "services: {app: {entrypoint: /b y}}\n",
    }
    assert commands_of(parse_compose(texts, {}).services["app"]) == {"/a", "/b"}
