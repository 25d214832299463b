"""The app's env file over an upgrade: made of the recipe's sample once, and only added to later."""

from __future__ import annotations

from pathlib import Path

import pytest

from stamplab.harness.ci.app import App
from stamplab.harness.ci.app_settings import recipe_files, write_env
from stamplab.lab.abra.folder import AbraFolder
from stamplab.lab.errors import LabError
from stamplab.lab.model.history import Note

APP = App(recipe="discourse", domain="app.example.org")
OVERLAYS = ("compose.ccci.yml", "compose.standin.yml")
SAMPLE = """\
TYPE=discourse
DOMAIN=discourse.example.com
LETS_ENCRYPT_ENV=production
"""


class Recipe:
    """A checkout with a sample, and the app that is made of it."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "recipe"
        self.checkout.mkdir()
        self.folder = AbraFolder(folder / "abra")
        self.folder.create()

    def write_env(self, sample: str | None = SAMPLE) -> Note | None:
        """Check a sample out, and settle the app."""
        file = self.checkout / ".env.sample"
        file.unlink(missing_ok=True)
        if sample is not None:
            file.write_text(sample)
        return write_env(self.folder, APP, self.checkout, OVERLAYS)

    @property
    def env(self) -> dict[str, str]:
        return self.folder.read_env(APP.domain)

    @property
    def recipe_files(self) -> tuple[str, ...]:
        return recipe_files(self.folder, APP, OVERLAYS)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe(tmp_path)


def test_at_first_it_is_the_sample_with_the_runs_own_name_and_overlays(recipe: Recipe) -> None:
    assert recipe.write_env() is None
    assert recipe.env == {
        "TYPE": "discourse",
        "DOMAIN": "app.example.org",
        "LETS_ENCRYPT_ENV": "production",
        "COMPOSE_FILE": "compose.yml:compose.ccci.yml:compose.standin.yml",
    }
    assert recipe.recipe_files == ("compose.yml",)


def test_the_samples_own_files_come_before_the_overlays(recipe: Recipe) -> None:
    recipe.write_env(f'{SAMPLE}COMPOSE_FILE="compose.yml:compose.smtp.yml"\n')
    assert recipe.recipe_files == ("compose.yml", "compose.smtp.yml")
    assert recipe.env["COMPOSE_FILE"].endswith("compose.smtp.yml:" + ":".join(OVERLAYS))


@pytest.mark.parametrize("sample", [None, "", "# nothing but a comment\n", "COMPOSE_FILE=\n"])
def test_a_recipe_of_an_empty_sample_has_its_one_file(recipe: Recipe, sample: str | None) -> None:
    recipe.write_env(sample)
    assert recipe.recipe_files == ("compose.yml",)
    assert recipe.env["DOMAIN"] == "app.example.org"


def test_what_is_new_in_a_later_sample_is_added_and_said(recipe: Recipe) -> None:
    recipe.write_env()
    added = recipe.write_env(f"{SAMPLE}SMTP_HOST=mail\nSMTP_PORT=25\n")
    assert added == Note(text="settings that are new in the sample: SMTP_HOST, SMTP_PORT")
    assert (recipe.env["SMTP_HOST"], recipe.env["SMTP_PORT"]) == ("mail", "25")


def test_what_the_user_has_changed_or_the_sample_has_lost_stays(recipe: Recipe) -> None:
    recipe.write_env()
    recipe.folder.change_env(APP.domain, {"LETS_ENCRYPT_ENV": "staging"})
    before = recipe.env
    assert recipe.write_env("TYPE=discourse\nLETS_ENCRYPT_ENV=production\n") is None
    assert recipe.env == before
    assert recipe.env["LETS_ENCRYPT_ENV"] == "staging"


def test_a_later_samples_files_are_a_setting_like_any_other(recipe: Recipe) -> None:
    """Who upgrades an app has to add a new compose file by hand, as the release notes say."""
    recipe.write_env()
    assert recipe.write_env(f"{SAMPLE}COMPOSE_FILE=compose.yml:compose.new.yml\n") is None
    assert recipe.recipe_files == ("compose.yml",)


def test_of_an_app_that_was_never_settled_no_files_are_known(recipe: Recipe) -> None:
    with pytest.raises(LabError, match=r"there is no app app\.example\.org"):
        _ = recipe.recipe_files
