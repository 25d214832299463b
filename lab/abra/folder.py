"""A scratch ABRA_DIR.

``servers/<server>/<domain>.env`` and ``recipes/<recipe>``, private to one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stamplab.lab.errors import LabError, UsageError
from stamplab.lab.recipe.env_file import Setting, parse_settings, with_values, written

SERVER = "default"


class AbraFolder:
    """One ABRA_DIR."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the empty layout. Raises LabError where that is not possible."""
        parts = (self.path / "servers" / SERVER, self.path / "recipes", self.home)
        try:
            for part in parts:
                part.mkdir(parents=True)
        except OSError as error:
            raise LabError(f"{error.filename} cannot be made: {error.strerror}") from error

    @property
    def home(self) -> Path:
        """The home of whoever runs abra here: no settings, no credentials."""
        return self.path / "home"

    def recipe(self, name: str) -> Path:
        """Where a recipe is checked out. Raises UsageError for a name that is a path."""
        return self.path / "recipes" / _checked(name)

    def labels_file(self, stack: str) -> Path:
        """Where the stand-in writes the labels that the real abra adds in memory. Raises LabError.

        Outside the checkout, which it would make dirty.
        """
        folder = self.path / "stamps"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise LabError(f"{folder} cannot be made: {error.strerror}") from error
        return folder / f"{stack}.yml"

    def plant_stamp(self, stamp: str) -> None:
        """Make the stand-in lie from now on: it takes this stamp, whatever is checked out.

        It shows that the harness notices. The real abra has nothing of the kind.
        """
        self._planted_stamp.write_text(stamp)

    def planted_stamp(self) -> str | None:
        """The stamp that was planted, if any."""
        return self._planted_stamp.read_text() if self._planted_stamp.exists() else None

    @property
    def _planted_stamp(self) -> Path:
        return self.path / "planted-stamp"

    def write_env(self, domain: str, variables: Mapping[str, str]) -> None:
        """Write an app's env file, whole or not at all."""
        for name, value in variables.items():
            if len(f"{name}={value}|".splitlines()) > 1:
                raise UsageError(f"the variable {name} of {domain} holds a line break")
        self.write_env_text(domain, "".join(f"{written(*one)}\n" for one in variables.items()))

    def write_env_text(self, domain: str, text: str) -> None:
        """Write an app's env file as it is given, whole or not at all."""
        file = self.env_file(domain)
        new = file.with_name(f".{file.name}.new")
        try:
            new.write_text(text)
            new.replace(file)
        except OSError as error:
            raise LabError(f"{file} cannot be written: {error.strerror}") from error

    def read_settings(self, domain: str) -> tuple[Setting, ...]:
        """Read an app's env file, with what its comments say to abra."""
        return parse_settings(self._env_text(domain))

    def read_env(self, domain: str) -> dict[str, str]:
        """Read the values of an app's env file."""
        return {setting.name: setting.value for setting in self.read_settings(domain)}

    def pin_version(self, domain: str, recipe: str, version: str) -> None:
        """Write ``TYPE=<recipe>:<version>``, as abra does after a deploy without chaos."""
        self.change_env(domain, {"TYPE": f"{recipe}:{version}"})

    def change_env(self, domain: str, variables: Mapping[str, str]) -> None:
        """Change settings where they stand in an app's env file, or add them at its end."""
        self.write_env_text(domain, with_values(self._env_text(domain), variables))

    def _env_text(self, domain: str) -> str:
        try:
            return self.env_file(domain).read_text()
        except OSError as error:
            raise LabError(f"there is no app {domain} in {self.path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LabError(f"the env file of {domain} cannot be read: {error}") from error

    def env_file(self, domain: str) -> Path:
        """Where an app's settings are. Raises UsageError for a name that is a path."""
        return self.path / "servers" / SERVER / f"{_checked(domain)}.env"


def _checked(name: str) -> str:
    """A name that stays in its folder, on one line. Raises UsageError for any other."""
    is_path = name in ("", ".") or ".." in name or "/" in name
    if is_path or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a file's name, so no recipe or app is called that")
    return name
