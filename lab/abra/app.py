"""An app of abra: its env file, its recipe's checkout, and the stack made of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.abra.label_names import label, stack_name
from stamplab.lab.errors import LabError, os_errors_as
from stamplab.lab.recipe.compose import DEFAULT_FILE, compose_version, overlay_text, read_texts
from stamplab.lab.recipe.env_file import Setting
from stamplab.lab.recipe.recipe_files import script_exports
from stamplab.lab.recipe.secrets import Secret, secrets_of
from stamplab.lab.world import Stack

STAMPED_SERVICE = "app"
"""The service that carries abra's labels."""


class AbraApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app of an ABRA_DIR."""

    domain: str
    recipe: str
    pinned_version: str | None
    """The version in ``TYPE=<recipe>:<version>``."""
    checkout: Path
    settings: tuple[Setting, ...]

    @property
    def stack(self) -> str:
        """The stack's name."""
        return stack_name(self.domain)

    @property
    def values(self) -> dict[str, str]:
        """The settings' values by name."""
        return {setting.name: setting.value for setting in self.settings}

    @property
    def compose_files(self) -> tuple[Path, ...]:
        """The compose files that the app chooses; a later file overrides."""
        return tuple(self.checkout / name for name in self._compose_file_names)

    @property
    def _compose_file_names(self) -> tuple[str, ...]:
        chosen = (self.values.get("COMPOSE_FILE") or DEFAULT_FILE).split(":")
        return tuple(name for name in chosen if name)

    def environment(self) -> dict[str, str]:
        """Return the variables for the compose files. Raises LabError, RecipeRefused."""
        return {**self.values, **script_exports(self.checkout), "STACK_NAME": self.stack}

    def secrets(self) -> tuple[Secret, ...]:
        """List the secrets that the app needs on the swarm. Raises LabError, RecipeRefused."""
        texts = read_texts(self.checkout, self._compose_file_names)
        return secrets_of(texts, self.settings, self.stack)

    def labels(self, version: str, *, chaos: bool) -> dict[str, str]:
        """Return the labels that abra adds (abra@06a57de cli/app/deploy.go:168)."""
        labels = {"recipe": self.recipe, "chaos": str(chaos).lower()}
        labels |= {"chaos-version": version} if chaos else {"version": version}
        return {label(self.stack, name): value for name, value in labels.items()}

    def recipe_stack(self) -> Stack:
        """Return the stack without abra's labels."""
        return Stack(
            name=self.stack,
            directory=self.checkout,
            compose_files=self.compose_files,
            environment=self.environment(),
        )

    def labelled_stack(self, labels: Mapping[str, str], file: Path) -> Stack:
        """Write abra's labels to ``file``; return the stack with it as the last compose file.

        Raises LabError, RecipeRefused.
        """
        ((name, text),) = read_texts(self.checkout, self._compose_file_names[:1]).items()
        _write_labels(file, labels, compose_version(name, text))
        stack = self.recipe_stack()
        files = (*stack.compose_files, file)
        return msgspec.structs.replace(stack, compose_files=files, lab_files=(file,))


def read_app(folder: AbraFolder, domain: str) -> AbraApp:
    """Read an app. Raises LabError where the app is missing or names no recipe."""
    settings = folder.read_settings(domain)
    values = {setting.name: setting.value for setting in settings}
    recipe, _, version = (values.get("TYPE") or values.get("RECIPE") or "").partition(":")
    if not recipe:
        raise LabError(f"the app {domain} in {folder.path} names no recipe (TYPE)")
    return AbraApp(
        domain=domain,
        recipe=recipe,
        pinned_version=version or None,
        checkout=folder.recipe(recipe),
        settings=settings,
    )


def _write_labels(file: Path, labels: Mapping[str, str], version: str | None) -> None:
    service = {STAMPED_SERVICE: {"deploy": {"labels": dict(labels)}}}
    with os_errors_as(f"{file} cannot be written"):
        file.write_text(overlay_text(version, {"services": service}))
