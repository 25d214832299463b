"""Which secrets a recipe's services ask for, and what they are called."""

from __future__ import annotations

import pytest

from stamplab.lab.errors import LabError
from stamplab.lab.recipe.env_file import parse_settings
from stamplab.lab.recipe.secrets import Secret, secrets_of

STACK = "app_example_org"
COMPOSE = """\
services:
  app: {image: x, secrets: [db_password, {source: admin_key, target: key}]}
  db: {image: y}
secrets:
  db_password: {external: true, name: "${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}"}
  admin_key: {external: true, name: "${STACK_NAME}_admin_key_${SECRET_ADMIN_KEY_VERSION}"}
  unused: {external: true, name: "${STACK_NAME}_unused_v1"}
  own: {file: ./own}
"""
ENV = "SECRET_DB_PASSWORD_VERSION=v2 # length=64\nSECRET_ADMIN_KEY_VERSION=v1 # generate=false\n"


def secrets(*texts: str, env: str = ENV) -> tuple[Secret, ...]:
    files = {f"compose.{number}.yml": text for number, text in enumerate(texts)}
    return secrets_of(files, parse_settings(env), STACK)


def test_secrets_are_named_by_stack_name_and_version() -> None:
    names = [secret.remote_name for secret in secrets(COMPOSE)]
    assert names == [f"{STACK}_admin_key_v1", f"{STACK}_db_password_v2"]


def test_the_env_files_comments_say_how_a_secret_is_made() -> None:
    admin_key, db_password = secrets(COMPOSE)
    assert (db_password.version, db_password.length, db_password.is_generated) == ("v2", 64, True)
    assert (admin_key.version, admin_key.is_generated) == ("v1", False)


def test_a_secret_that_no_service_uses_is_not_asked_for() -> None:
    assert "unused" not in [secret.name for secret in secrets(COMPOSE)]


def test_an_overlay_may_bring_a_secret_for_a_service_of_the_base() -> None:
    overlay = """\
services: {app: {secrets: [smtp]}}
secrets: {smtp: {external: true, name: "${STACK_NAME}_smtp_v1"}}
"""
    assert secrets(COMPOSE, overlay)[-1].remote_name == f"{STACK}_smtp_v1"


def test_a_recipe_without_secrets_needs_none() -> None:
    assert secrets("services: {app: {image: x}}") == ()
    assert secrets("services:\n", "") == ()


@pytest.mark.parametrize("text", ["a: [", "services: 3", "- x", "secrets: {x: {name: ['a']}}"])
def test_a_file_that_is_no_compose_file_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(LabError, match="is no compose file that can be read") as raised:
        secrets(text)
    assert "\n" not in str(raised.value)


def test_a_name_that_cannot_be_read_is_said() -> None:
    text = COMPOSE.replace("${STACK_NAME}_unused_v1", "x").replace(
        "${SECRET_DB_PASSWORD_VERSION}", "${SECRET_DB_PASSWORD_VERSION:?}"
    )
    with pytest.raises(LabError, match="the name of the secret db_password cannot be read"):
        secrets(text, env="")
