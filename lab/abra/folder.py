"""A scratch ABRA_DIR.

``servers/<server>/<domain>.env`` and ``recipes/<recipe>``, private to one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError, UsageError

SERVER = "default"


class AbraFolder:
    """One ABRA_DIR."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the empty layout."""
        for folder in (self.path / "servers" / SERVER, self.path / "recipes", self.overlays):
            folder.mkdir(parents=True)

    def recipe(self, name: str) -> Path:
        """Where a recipe is checked out. Raises UsageError for a name that is a path."""
        return self.path / "recipes" / _checked(name)

    @property
    def overlays(self) -> Path:
        """Where the stand-in writes the labels that the real abra adds in memory."""
        return self.path / "stamps"

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
        """Write an app's env file."""
        for name, value in variables.items():
            if len(f"{name}={value}|".splitlines()) > 1:
                raise UsageError(f"the variable {name} of {domain} holds a line break")
        text = "".join(f"{name}={value}\n" for name, value in variables.items())
        self._env_file(domain).write_text(text)

    def read_env(self, domain: str) -> dict[str, str]:
        """Read an app's env file: ``KEY=value`` lines, comments and quotes allowed."""
        try:
            return parse_env(self._env_file(domain).read_text())
        except OSError as error:
            raise LabError(f"there is no app {domain} in {self.path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LabError(f"the env file of {domain} cannot be read: {error}") from error

    def _env_file(self, domain: str) -> Path:
        return self.path / "servers" / SERVER / f"{_checked(domain)}.env"


def _checked(name: str) -> str:
    """A name that stays in its folder. Raises UsageError for any other."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"{name!r} cannot be a file's name, so no recipe or app is called that")
    return name


def parse_env(text: str) -> dict[str, str]:
    """The settings of an env file: ``KEY=value`` lines, comments and quotes allowed."""
    lines = map(str.strip, text.splitlines())
    pairs = (line.partition("=") for line in lines if _is_setting(line))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _is_setting(line: str) -> bool:
    return "=" in line and not line.startswith("#")
