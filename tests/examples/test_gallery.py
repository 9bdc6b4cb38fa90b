"""The gallery: every picture in it is what its recipe says."""

from __future__ import annotations

from pathlib import Path

import gallery
import pytest
from click.testing import CliRunner
from PIL import Image

from lucid.imaging import recipes

RECIPES = sorted(gallery.RECIPES.glob("*.toml"))


def test_there_is_enough_to_see() -> None:
    assert len(RECIPES) >= 24
    shown = {gallery.picture_of(recipe) for recipe in RECIPES}
    assert shown == set(gallery.PICTURES.iterdir()), "and nothing that no recipe made"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_picture_was_made_by_its_recipe(path: Path) -> None:
    """All that the recipe asks for stands in what the picture says of itself."""
    asked, made = recipes.read(path), recipes.read(gallery.picture_of(path))
    assert made.command == asked.command
    assert "seed" in asked.options
    # Pictures of version 0.2 do not say these, which were the only way.
    options = {"subject": "224px", "variety": 0, **made.options}
    for name, value in asked.options.items():
        assert _same(options[name], value), name
    caption = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    page = (gallery.DOCS / "gallery.md").read_text(encoding="utf-8")
    assert f"![{caption}](images/gallery/{gallery.picture_of(path).name})" in page
    with Image.open(gallery.picture_of(path)) as image:
        assert min(image.size) >= 192


def _same(made: object, asked: object) -> bool:
    """Whether it is what was asked for: as text or a number, alone or in a list; files are
    found from the recipe's own folder."""
    if isinstance(made, list) and len(made) == 1 and not isinstance(asked, list):
        (made,) = made
    if isinstance(made, list) and isinstance(asked, list):
        return len(made) == len(asked) and all(map(_same, made, asked))
    if isinstance(asked, (int, float)):
        return made == asked or str(made) == str(asked)
    return str(made).removeprefix("docs/gallery/") == asked


def test_a_name_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(gallery.main, ["no-such-picture"])
    assert result.exit_code == 2
    assert "there is no docs/gallery/no-such-picture.toml" in result.output
