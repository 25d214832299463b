"""Recipes as other people write them, in miniature: each has something that ours has not."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import msgspec

from stamplab.lab.recipe import git
from stamplab.lab.recipe.repository import RecipeCommit, RecipeHistory, build_repository
from stamplab.lab.recipe.source import RecipeSource

_ENV = """\
TYPE={name}

DOMAIN={name}.example.com
## Domain aliases
#EXTRA_DOMAINS=', `www.{name}.example.com`'
LETS_ENCRYPT_ENV=production
"""

_ARMED = """\
      update_config:
        failure_action: rollback
        order: start-first
"""


def _history(name: str, base: dict[str, str], head: dict[str, str], version: str) -> RecipeHistory:
    return RecipeHistory(
        name=name,
        commits=(
            RecipeCommit(message="chore: publish the first release", files=base, tag=version),
            RecipeCommit(message="feat: upgrade", files=head),
        ),
    )


# With a database, secrets, a network of the reverse proxy's, and a health check that is bash's own.

_KEYCLOAK = """\
version: "3.8"

services:
  app:
    image: "keycloak/keycloak:{tag}"
    entrypoint: >
      /opt/keycloak/bin/kc.sh start --proxy=edge
    networks:
      - proxy
      - internal
    secrets:
      - admin_password
      - db_password
    environment:
      - KEYCLOAK_ADMIN=${{ADMIN_USERNAME}}
      - KC_DB_PASSWORD_FILE=/run/secrets/db_password
      - KC_LOG_LEVEL
    depends_on:
      - db
    healthcheck:
      test: ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000; grep UP <&3"]
      interval: 30s
      timeout: 10s
      retries: 10
      start_period: 1m
    deploy:
{armed}      labels:
        - "traefik.enable=true"
        - "traefik.http.routers.${{STACK_NAME}}.rule=Host(`${{DOMAIN}}`${{EXTRA_DOMAINS}})"
        - "coop-cloud.${{STACK_NAME}}.version={version}"

  db:
    image: "postgres:16"
    networks: [internal]
    secrets: [db_password]
    volumes:
      - "postgres:/var/lib/postgresql/data"
    healthcheck:
      test: pg_isready -U keycloak || exit 1

networks:
  internal:
  proxy:
    external: true

secrets:
  admin_password:
    name: ${{STACK_NAME}}_admin_password_${{SECRET_ADMIN_PASSWORD_VERSION}}
    external: true
  db_password:
    name: ${{STACK_NAME}}_db_password_${{SECRET_DB_PASSWORD_VERSION}}
    external: true

volumes:
  postgres:
"""
_KEYCLOAK_ENV = _ENV.format(name="keycloak") + (
    "ADMIN_USERNAME=admin\n"
    "SECRET_DB_PASSWORD_VERSION=v1\n"
    "SECRET_ADMIN_PASSWORD_VERSION=v1 # length=24\n"
)
KEYCLOAK = _history(
    "keycloak",
    {
        ".env.sample": _KEYCLOAK_ENV,
        "compose.yml": _KEYCLOAK.format(armed=_ARMED, tag="25.0.1", version="1.0.0+25.0.1"),
    },
    {"compose.yml": _KEYCLOAK.format(armed=_ARMED, tag="26.0.0", version="2.0.0+26.0.0")},
    "1.0.0+25.0.1",
)

# Two files, images by variables, a user of the image's own, limits, and no version line's quotes.

_N8N = """\
version: '3.8'
services:
  app:
    image: ${{IMAGE:-n8nio/n8n}}:${{TAG:-{tag}}}
    user: node
    networks: [proxy]
    volumes: ["data:/home/node/.n8n"]
    environment:
      - N8N_HOST=${{DOMAIN}}
      - GENERIC_TIMEZONE=${{TIMEZONE:-Europe/London}}
    healthcheck:
      test: ["CMD-SHELL", "wget -q --spider http://localhost:5678/healthz || exit 1"]
      interval: 15s
      retries: 4
    deploy:
      resources:
        limits: {{cpus: "64", memory: 128M}}
        reservations: {{memory: 900G}}
{armed}      labels:
        coop-cloud.${{STACK_NAME}}.version: "{version}"
networks:
  proxy: {{external: {{name: proxy}}}}
volumes:
  data:
"""
_N8N_POSTGRES = """\
version: '3.8'
services:
  app:
    environment:
      - DB_TYPE=postgresdb
    networks: [internal]
  db:
    image: postgres:15
    command: ["postgres", "-c", "max_connections=50"]
    networks: [internal]
networks:
  internal: {internal: true}
"""
_N8N_ENV = _ENV.format(name="n8n") + (
    'COMPOSE_FILE="compose.yml"\nCOMPOSE_FILE="$COMPOSE_FILE:compose.postgres.yml"\n'
)
N8N = _history(
    "n8n",
    {
        ".env.sample": _N8N_ENV,
        "compose.yml": _N8N.format(armed=_ARMED, tag="1.60.0", version="2.0.0+1.60.0"),
        "compose.postgres.yml": _N8N_POSTGRES,
    },
    {
        ".env.sample": f"{_N8N_ENV}WEBHOOKS=on\n",
        "compose.yml": _N8N.format(armed=_ARMED, tag="1.70.0", version="2.1.0+1.70.0"),
    },
    "2.0.0+1.60.0",
)

# Ports, a host path, and a program of its own that is a config.

_TRAEFIK = """\
---
version: "3.8"

services:
  app:
    image: "traefik:{tag}"
    ports:
      - "80:80"
      - "443:443"
    volumes:
      - "/var/run/docker.sock:/var/run/docker.sock"
      - "letsencrypt:/etc/letsencrypt"
    configs:
      - source: traefik_yml
        target: /etc/traefik/traefik.yml
      - source: entrypoint
        target: /custom-entrypoint.sh
        mode: 0555
    networks:
      - proxy
    healthcheck:
      test: ["CMD", "traefik", "healthcheck"]
      interval: 30s
      timeout: 10s
      retries: 10
      start_period: 1m
    command: traefik
    entrypoint: /custom-entrypoint.sh
    deploy:
{armed}      labels:
        - "coop-cloud.${{STACK_NAME}}.version={version}"

networks:
  proxy:
    external: true

configs:
  traefik_yml:
    name: ${{STACK_NAME}}_traefik_yml_${{TRAEFIK_YML_VERSION}}
    file: traefik.yml.tmpl
    template_driver: golang
  entrypoint:
    name: ${{STACK_NAME}}_entrypoint_${{ENTRYPOINT_VERSION}}
    file: entrypoint.sh.tmpl
    template_driver: golang

volumes:
  letsencrypt:
"""
TRAEFIK = _history(
    "traefik",
    {
        ".env.sample": _ENV.format(name="traefik"),
        "abra.sh": "export TRAEFIK_YML_VERSION=v1\nexport ENTRYPOINT_VERSION=v1\n",
        "traefik.yml.tmpl": 'log:\n  level: {{ env "LOG_LEVEL" }}\n',
        "entrypoint.sh.tmpl": '#!/bin/sh\nexec no-such-program "$@"\n',
        "compose.yml": _TRAEFIK.format(armed=_ARMED, tag="v2.10.1", version="2.0.0+v2.10.1"),
    },
    {
        "abra.sh": "export TRAEFIK_YML_VERSION=v2\nexport ENTRYPOINT_VERSION=v1\n",
        "traefik.yml.tmpl": 'log:\n  level: {{ env "LOG_LEVEL" }}\napi: {}\n',
        "compose.yml": _TRAEFIK.format(armed=_ARMED, tag="v2.11.0", version="2.1.0+v2.11.0"),
    },
    "2.0.0+v2.10.1",
)

# Not armed; anchors, a place of its own, no health check for one service.

_WIKI = """\
version: "3.8"

x-environment: &environment
  REDIS_HOST: cache
x-policy: &policy
  update_config:
    failure_action: rollback
    order: {order}
    monitor: 1m30s

services:
  app:
    image: wiki:{tag}
    environment:
      <<: *environment
      SECRET_KEY_FILE: /run/secrets/secret_key
    secrets: [secret_key]
    configs: [settings]
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost:8000/health && ps aux | grep -q gunicorn"]
      start_period: 30s
    deploy:
      <<: *policy
      placement:
        constraints: ["node.role == manager", "node.labels.disk == fast"]
      labels: ["coop-cloud.${{STACK_NAME}}.version={version}"]
  cache:
    image: redis:7-alpine
    command: redis-server --appendonly yes
    healthcheck: {{test: '[ "$$(redis-cli ping)" = PONG ]'}}
  worker:
    image: wiki:{tag}
    entrypoint: ["sh", "-c", "exec celery worker"]

secrets:
  secret_key:
    external: true
    name: ${{STACK_NAME}}_secret_key_${{SECRET_SECRET_KEY_VERSION:-v1}}
configs:
  settings:
    name: ${{STACK_NAME}}_settings_${{SETTINGS_VERSION}}
    file: settings.py
"""
WIKI = _history(
    "wiki",
    {
        ".env.sample": _ENV.format(name="wiki") + "SECRET_SECRET_KEY_VERSION=v1  # length=64\n",
        "abra.sh": "export SETTINGS_VERSION=v3\n\nbackup() {\n  echo\n}\n",
        "settings.py": "DEBUG = False\n",
        "compose.yml": _WIKI.format(order="stop-first", tag="1.0", version="0.1.0+1.0"),
    },
    {"compose.yml": _WIKI.format(order="stop-first", tag="1.1", version="0.2.0+1.1")},
    "0.1.0+1.0",
)

ALL = (KEYCLOAK, N8N, TRAEFIK, WIKI)


class Cloned(msgspec.Struct, frozen=True):
    """A recipe's bare clone, and its commits, oldest first."""

    path: Path
    shas: tuple[str, ...]

    @property
    def origin(self) -> Path:
        """The repository that it is a clone of, with a work tree."""
        return self.path.parent / "built" / self.path.stem

    def source(
        self, base: str | None = None, head: str = "main", upstream: Path | None = None
    ) -> RecipeSource:
        """The upgrade from its first commit to its last."""
        return RecipeSource(
            recipe=str(self.path),
            upstream=str(upstream) if upstream else None,
            base=base or self.shas[0],
            head=head,
        )


def head_files(history: RecipeHistory) -> dict[str, str]:
    """The files of a recipe's last commit, text by path."""
    return {name: text for commit in history.commits for name, text in commit.files.items()}


def write_head(history: RecipeHistory, folder: Path) -> Path:
    """Write the files of a recipe's last commit into a folder, without git."""
    for name, text in head_files(history).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def repository(history: RecipeHistory, path: Path) -> tuple[str, ...]:
    """As `build_repository`, which each process asks once for a recipe: ``path`` is a copy."""
    template, shas = _template(msgspec.json.encode(history))
    shutil.copytree(template / "built" / history.name, path, symlinks=True)
    return shas


def bare_clone(history: RecipeHistory, folder: Path) -> Cloned:
    """A recipe in ``built/<name>``, and its bare clone ``<name>.git``; both are copies."""
    template, shas = _template(msgspec.json.encode(history))
    shutil.copytree(template, folder, symlinks=True, dirs_exist_ok=True)
    return Cloned(folder / f"{history.name}.git", shas)


@cache
def _template(encoded: bytes) -> tuple[Path, tuple[str, ...]]:
    """What `bare_clone` copies, in a folder that goes with this process; and the SHAs."""
    history = msgspec.json.decode(encoded, type=RecipeHistory)
    folder = Path(tempfile.mkdtemp(prefix="stamplab-recipes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shas = build_repository(history, folder / "built" / history.name)
    git.mirror(str(folder / "built" / history.name), folder / f"{history.name}.git")
    return folder, shas
