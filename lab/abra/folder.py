"""A scratch ABRA_DIR of one run: ``servers/<server>/<domain>.env`` and ``recipes/<recipe>``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stamplab.lab.errors import LabError, UsageError, os_errors_as
from stamplab.lab.recipe.env_file import Setting, parse_settings, with_values

SERVER = "default"


class AbraFolder:
    """The files of an ABRA_DIR."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path / "home"
        """Abra's HOME, without settings or credentials."""
        self._stamp_override_file = path / "planted-stamp"

    def create(self) -> None:
        """Create the empty folders. Raises LabError."""
        parts = (self.path / "servers" / SERVER, self.path / "recipes", self.home)
        try:
            for part in parts:
                part.mkdir(parents=True)
        except OSError as error:
            raise LabError(f"{error.filename} cannot be made: {error.strerror}") from error

    def recipe(self, name: str) -> Path:
        """Return the folder of a recipe's checkout. Raises UsageError for a name with a path."""
        return self.path / "recipes" / _require_file_name(name)

    def labels_file(self, stack: str) -> Path:
        """Return where the stand-in writes the labels that a real abra adds in memory.

        Raises LabError.
        """
        # A file inside the checkout would make the checkout dirty.
        folder = self.path / "stamps"
        with os_errors_as(f"{folder} cannot be made"):
            folder.mkdir(exist_ok=True)
        return folder / f"{stack}.yml"

    def override_stamp(self, stamp: str) -> None:
        """Make the stand-in stamp every deploy with ``stamp``, whatever is checked out.

        For negative controls; a real abra has no such override.
        """
        self._stamp_override_file.write_text(stamp)

    def stamp_override(self) -> str | None:
        """Return the stamp of `override_stamp`, if any."""
        return self._stamp_override_file.read_text() if self._stamp_override_file.exists() else None

    def write_env_text(self, domain: str, text: str) -> None:
        """Write an app's env file atomically. Raises LabError, UsageError."""
        file = self.env_file(domain)
        new = file.with_name(f".{file.name}.new")
        with os_errors_as(f"{file} cannot be written"):
            new.write_text(text)
            new.replace(file)

    def read_settings(self, domain: str) -> tuple[Setting, ...]:
        """Read an app's env file with the modifiers in its comments. Raises LabError."""
        return parse_settings(self._env_text(domain))

    def read_env(self, domain: str) -> dict[str, str]:
        """Read the values of an app's env file by name. Raises LabError."""
        return {setting.name: setting.value for setting in self.read_settings(domain)}

    def pin_version(self, domain: str, recipe: str, version: str) -> None:
        """Write ``TYPE=<recipe>:<version>``, as abra does after a deploy without chaos."""
        self.change_env(domain, {"TYPE": f"{recipe}:{version}"})

    def change_env(self, domain: str, variables: Mapping[str, str]) -> None:
        """Change settings of an app's env file in place, or add them. Raises LabError."""
        self.write_env_text(domain, with_values(self._env_text(domain), variables))

    def _env_text(self, domain: str) -> str:
        try:
            with os_errors_as(f"there is no app {domain} in {self.path}"):
                return self.env_file(domain).read_text()
        except UnicodeDecodeError as error:
            raise LabError(f"the env file of {domain} cannot be read: {error}") from error

    def env_file(self, domain: str) -> Path:
        """Return an app's env file. Raises UsageError for a domain with a path."""
        return self.path / "servers" / SERVER / f"{_require_file_name(domain)}.env"


def _require_file_name(name: str) -> str:
    """Return a name that is no path and has no line break. Raises UsageError for any other."""
    is_path = name in ("", ".") or ".." in name or "/" in name
    if is_path or not name.isprintable():
        raise UsageError(f"{name!r} cannot be a file's name, so no recipe or app is called that")
    return name
