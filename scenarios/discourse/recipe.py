"""A recipe in the likeness of Co-op Cloud's discourse, with the policy that arms it (C1)."""

from __future__ import annotations

import msgspec

from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory
from stamplab.lab.recipe.workload_overlay import Timing

BASE_TAG = "0.7.0+3.3.1"
HEAD_VERSION = "0.9.0+3.5.0"
HEAD_IMAGE = "discourse/discourse:3.5.0"

_COMPOSE = """\
version: "3.8"

services:
  app:
    image: discourse/discourse:{discourse}
    environment:
      - DISCOURSE_HOST=${{DOMAIN}}
      - DISCOURSE_DATABASE_HOST=db
    networks:
      - internal
    stop_grace_period: 5s
    healthcheck:
      test: ["CMD", "curl", "--fail", "http://localhost:3000/srv/status"]
      interval: 30s
      timeout: 10s
      retries: 10
      start_period: 20m
    deploy:
      update_config:
        failure_action: rollback
        order: start-first
        monitor: 5s
      restart_policy:
        condition: on-failure
      labels:
        - "coop-cloud.${{STACK_NAME}}.version={version}"
        - "backupbot.backup={backup}"

  db:
    image: postgres:{postgres}
    networks:
      - internal
    stop_grace_period: 5s

networks:
  internal:
"""

_ENV_SAMPLE = """\
TYPE=discourse

DOMAIN=discourse.example.com
LETS_ENCRYPT_ENV=production
COMPOSE_FILE="compose.yml"
"""

_README = """\
# discourse

A platform for community discussion.

* **Category**: Apps
* **Image**: [`discourse`](https://hub.docker.com/r/discourse/discourse)
"""


OWN_TIMING = Timing(health_interval_s=30.0, health_timeout_s=10.0, monitor_s=5.0, stop_grace_s=5.0)
"""What the recipe states, and swarm's 5 s for the rollback's monitor, on which it is silent."""


def _compose(version: str, discourse: str, postgres: str, backup: str) -> str:
    return _COMPOSE.format(version=version, discourse=discourse, postgres=postgres, backup=backup)


RECIPE = RecipeHistory(
    name="discourse",
    commits=(
        RecipeCommit(
            message="chore: publish 0.6.3+3.2.0 release",
            files={
                "README.md": _README,
                ".env.sample": _ENV_SAMPLE,
                "abra.sh": "export DB_ENTRYPOINT_VERSION=v1\n",
                "compose.yml": _compose("0.6.3+3.2.0", "3.2.0", "15", "false"),
            },
            tag="0.6.3+3.2.0",
        ),
        RecipeCommit(
            message="chore: publish 0.7.0+3.3.1 release",
            files={"compose.yml": _compose(BASE_TAG, "3.3.1", "15", "false")},
            tag=BASE_TAG,
        ),
        RecipeCommit(
            message="feat: back the app up",
            files={"compose.yml": _compose("0.8.0+3.3.1", "3.3.1", "15", "true")},
        ),
        RecipeCommit(
            message="chore: say what the new release needs",
            files={"release/0.9.0+3.5.0": "Take a backup first: the database is migrated.\n"},
        ),
        RecipeCommit(
            message="feat: discourse 3.5.0",
            files={"compose.yml": _compose(HEAD_VERSION, "3.5.0", "15", "true")},
        ),
    ),
)


_DATABASE = """\

secrets:
  db_password:
    external: true
    name: ${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}
"""


def asking_for_a_secret(recipe: RecipeHistory) -> RecipeHistory:
    """Return the same recipe with a database password, as the field's has it.

    A deploy ends for want of it, after the stamp was taken (C2). The plays on a swarm do without.
    """
    return msgspec.structs.replace(recipe, commits=tuple(map(_with_secret, recipe.commits)))


def _with_secret(commit: RecipeCommit) -> RecipeCommit:
    files = {name: _secret_in(name, text) for name, text in commit.files.items()}
    return msgspec.structs.replace(commit, files=files)


def _secret_in(name: str, text: str) -> str:
    match name:
        case "compose.yml":
            asked = "    stop_grace_period: 5s\n    healthcheck:"
            return text.replace(asked, f"    secrets:\n      - db_password\n{asked}") + _DATABASE
        case ".env.sample":
            return f"{text}SECRET_DB_PASSWORD_VERSION=v1  # length=32\n"
        case _:
            return text
