"""A repository's own configuration, as far as go-git heeds it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stamplab.lab.errors import LabError
from stamplab.lab.recipe import git

_REBASE_VALUES = {"", "true", "interactive", "false"}
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


class Settings(msgspec.Struct, frozen=True):
    """Keys and values in the order of the file; sections and variables are lower case."""

    entries: tuple[tuple[str, str], ...]

    def last(self, key: str) -> str | None:
        """The value that counts, or None."""
        return next((value for known, value in reversed(self.entries) if known == key), None)

    def truth(self, key: str) -> bool | None:
        """A boolean as go-git understands it (config/optbool.go:68), or None."""
        value = self.last(key)
        if value is None or value.lower() in _FALSE | _TRUE:
            return None if value is None else value.lower() in _TRUE
        return int(value) != 0 if value.lstrip("+-").isdecimal() else None

    def section(self, name: str) -> dict[str, str]:
        """A section's own variables, without those of its subsections."""
        parts = (key.split(".") for key, _ in self.entries)
        pairs = zip(parts, self.entries, strict=True)
        return {part[1]: value for part, (_, value) in pairs if part[0] == name and len(part) == 2}

    def subsections(self, name: str) -> dict[str, dict[str, str]]:
        """A section's subsections: the last value of each variable, by the subsection's name."""
        found: dict[str, dict[str, str]] = {}
        for key, value in self.entries:
            head, _, rest = key.partition(".")
            subsection, dot, variable = rest.rpartition(".")
            if head == name and dot:
                found.setdefault(subsection, {})[variable] = value
        return found


def read_settings(file: Path) -> Settings:
    """Read one configuration file, without what it includes. Raises LabError."""
    if not file.exists():
        return Settings(())
    with git.told(f"{file} cannot be read"):
        settings = Settings(git.settings_in(file))
    if outside := [key for key, _ in settings.entries if "." not in key]:
        raise LabError(f"{file} cannot be read: {outside[0]!r} stands in no section")
    return settings


def require_supported(dot: Path, settings: Settings) -> None:
    """Raise LabError for a repository that go-git does not open.

    Source: go-git repository_extensions.go:79, config/branch.go:40, config/refspec.go:32.
    """
    version_1 = settings.last("core.repositoryformatversion") == "1"
    known = {"noop", "noop-v1"} if version_1 else {"noop"}
    if unknown := sorted(settings.section("extensions").keys() - known):
        raise LabError(
            f"{dot} cannot be read: go-git does not support its "
            f"{', '.join(f'extensions.{name}' for name in unknown)}"
            " (SHA-256, reftable, partial clones and `git sparse-checkout` bring such)"
        )
    for complaint in _complaints(settings):
        raise LabError(f"{dot} cannot be read: go-git refuses {complaint} in its configuration")


def _complaints(settings: Settings) -> list[str]:
    found = []
    window = settings.last("pack.window") or "10"
    if not (window.isascii() and window.isdecimal()):
        found.append(f"pack.window = {window}")
    for name, branch in settings.subsections("branch").items():
        if not branch.get("merge", "refs/heads/").startswith("refs/heads/"):
            found.append(f"branch.{name}.merge = {branch['merge']}")
        if branch.get("rebase", "") not in _REBASE_VALUES:
            found.append(f"branch.{name}.rebase = {branch['rebase']}")
    found += [
        f"{key} = {value}"
        for key, value in settings.entries
        if key.startswith("remote.") and key.endswith(".fetch") and not _is_refspec(value)
    ]
    return found


def _is_refspec(text: str) -> bool:
    source, colon, target = text.partition(":")
    if not colon or not target or ":" in target:
        return False
    return source.count("*") == target.count("*") < 2
