"""An app as abra sees it: its env file, its recipe's checkout, and the stack that they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.stamp import label, stack_name
from stamplab.lab.errors import LabError
from stamplab.lab.recipe.compose import DEFAULT_FILE, overlay_text, read_texts, stated_version
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.recipe_files import exports_of
from stamplab.lab.recipe.secrets import Secret, secrets_of
from stamplab.lab.world import Stack

STAMPED_SERVICE = "app"
"""The service that carries abra's labels."""


class AbraApp(msgspec.Struct, frozen=True, kw_only=True):
    """One app, read from an ABRA_DIR."""

    domain: str
    recipe: str
    pinned: str | None
    """The version that ``TYPE=<recipe>:<version>`` names."""
    checkout: Path
    settings: tuple[Setting, ...]

    @property
    def stack(self) -> str:
        """The stack's name."""
        return stack_name(self.domain)

    @property
    def values(self) -> dict[str, str]:
        """The settings' values."""
        return {setting.name: setting.value for setting in self.settings}

    @property
    def compose_files(self) -> tuple[Path, ...]:
        """The compose files that the app has chosen; the last one wins."""
        return tuple(self.checkout / name for name in self._chosen)

    @property
    def _chosen(self) -> tuple[str, ...]:
        chosen = (self.values.get("COMPOSE_FILE") or DEFAULT_FILE).split(":")
        return tuple(name for name in chosen if name)

    def environment(self) -> dict[str, str]:
        """What the compose files are read with. Raises LabError for an abra.sh that is no text."""
        return {**self.values, **exports_of(self.checkout), "STACK_NAME": self.stack}

    def secrets(self) -> tuple[Secret, ...]:
        """What must be on the swarm before the app is deployed. Raises LabError."""
        texts = read_texts(self.checkout, self._chosen)
        return secrets_of(texts, self.settings, self.stack)

    def labels(self, version: str, *, chaos: bool) -> dict[str, str]:
        """What abra adds to the service `STAMPED_SERVICE` (abra@06a57de cli/app/deploy.go:168)."""
        labels = {"recipe": self.recipe, "chaos": str(chaos).lower()}
        labels |= {"chaos-version": version} if chaos else {"version": version}
        return {label(self.stack, name): value for name, value in labels.items()}

    def unlabelled(self) -> Stack:
        """The stack as the recipe and the settings have it, without labels of abra's."""
        return Stack(
            name=self.stack,
            directory=self.checkout,
            compose_files=self.compose_files,
            environment=self.environment(),
        )

    def stack_with(self, labels: Mapping[str, str], file: Path) -> Stack:
        """The stack to be deployed, with abra's labels, written to ``file``, as its last file.

        Raises LabError.
        """
        ((name, text),) = read_texts(self.checkout, self._chosen[:1]).items()
        _write_labels(file, labels, stated_version(name, text))
        plain = self.unlabelled()
        files = (*plain.compose_files, file)
        return msgspec.structs.replace(plain, compose_files=files, own_files=(file,))


def read_app(folder: AbraFolder, domain: str) -> AbraApp:
    """Read an app. Raises LabError where there is none, or it names no recipe."""
    settings = folder.read_settings(domain)
    named = {setting.name: setting.value for setting in settings}
    recipe, _, pinned = (named.get("TYPE") or named.get("RECIPE") or "").partition(":")
    if not recipe:
        raise LabError(f"the app {domain} in {folder.path} names no recipe (TYPE)")
    return AbraApp(
        domain=domain,
        recipe=recipe,
        pinned=pinned or None,
        checkout=folder.recipe(recipe),
        settings=settings,
    )


def _write_labels(file: Path, labels: Mapping[str, str], version: str | None) -> None:
    service = {STAMPED_SERVICE: {"deploy": {"labels": dict(labels)}}}
    try:
        file.write_text(overlay_text(version, {"services": service}))
    except OSError as error:
        raise LabError(f"{file} cannot be written: {error.strerror}") from error
