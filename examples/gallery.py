"""Follows the recipes of docs/gallery, and writes the page that shows what came of them.

python examples/bases/make_bases.py docs/gallery/bases
python examples/gallery.py                # all of them, which takes a while
python examples/gallery.py moon caravan   # some
python examples/gallery.py --page         # none: the page alone
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click
from PIL import Image

from lucid.cli import main as lucid
from lucid.errors import LucidError
from lucid.imaging import recipes

# As seen from here: pictures say where their bases lay.
DOCS = Path(os.path.relpath(Path(__file__).parent.parent / "docs"))
RECIPES = DOCS / "gallery"
PICTURES = DOCS / "images" / "gallery"

HEAD = """\
# Gallery

```sh
python examples/bases/make_bases.py docs/gallery/bases
lucid run docs/gallery/moon.toml -o moon.png
```

All pictures and films on this page were made by lucid64, the default net, from noise or on bases
that `examples/bases/make_bases.py` computes. Below each one is its [recipe](recipes.md), which is a
file in `docs/gallery`. The two commands above make one of them again; `make gallery` makes all of
them, in eleven minutes on two cores.
"""


def picture_of(recipe: Path) -> Path:
    """Where what a recipe makes is kept."""
    ending = ".webp" if recipes.read(recipe).command == "film" else ".jpg"
    return PICTURES / f"{recipe.stem}{ending}"


def follow(recipe: Path) -> None:
    """Make what a recipe says."""
    target = picture_of(recipe)
    words = ["run", str(recipe), "--quiet"]
    if recipes.read(recipe).command != "nightmare":
        lucid.main([*words, "-o", str(target), "--force"], standalone_mode=False)
        # What is beside a film stands in it, too.
        recipes.sidecar_path(target).unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        lucid.main([*words, "--prefix", folder], standalone_mode=False)
        last = max(Path(folder).iterdir())
        recipes.write_picture(Image.open(last), target, recipes.read(last))


def entry(recipe: Path) -> str:
    """A recipe's part of the page: its first line is the caption."""
    text = recipe.read_text(encoding="utf-8")
    caption, _, told = text.partition("\n")
    shown = picture_of(recipe).relative_to(DOCS)
    title = recipe.stem.replace("-", " ").capitalize()
    return (
        f"\n## {title}\n\n![{caption.lstrip('# ')}]({shown})\n\n{caption.lstrip('# ')}\n\n"
        f"```toml\n{told.strip()}\n```\n"
    )


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("names", nargs=-1)
@click.option("--page", is_flag=True, help="Write the page alone.")
def main(names: tuple[str, ...], page: bool) -> None:
    found = sorted(RECIPES.glob("*.toml"))
    if missing := set(names) - {path.stem for path in found}:
        raise click.UsageError(f"there is no docs/gallery/{min(missing)}.toml")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for recipe in found:
        if page or (names and recipe.stem not in names):
            continue
        start = time.monotonic()
        follow(recipe)
        click.echo(f"{recipe.stem}: {time.monotonic() - start:.0f} s")
    entries = (entry(recipe) for recipe in found)
    (DOCS / "gallery.md").write_text("".join([HEAD, *entries]), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
