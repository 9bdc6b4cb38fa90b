"""Run the recipes in docs/gallery, and write the page docs/gallery.md.

python examples/bases/make_bases.py docs/gallery/bases
python examples/gallery.py                # run all recipes (eleven minutes on two cores)
python examples/gallery.py moon caravan   # run two recipes
python examples/gallery.py --page         # write the page only
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

# A relative path, because the pictures' recipes name their bases by it.
DOCS = Path(os.path.relpath(Path(__file__).parent.parent / "docs"))
RECIPES = DOCS / "gallery"
PICTURES = DOCS / "images" / "gallery"

HEAD = """\
# Gallery

```sh
lucid run docs/gallery/beacons.toml -o beacons.png
```

All pictures and films on this page were made by lucid64, the default net, from noise or on bases
that `python examples/bases/make_bases.py docs/gallery/bases` computes. Each one has its
[recipe](recipes.md), which is a file in `docs/gallery`: the command above makes one of them again,
and `make gallery` makes all of them, in eleven minutes on two cores.

<div class="gallery" markdown>
"""

TAIL = """
</div>
"""


def picture_of(recipe: Path) -> Path:
    """Return the path of the picture or film that a recipe file makes."""
    suffix = ".webp" if recipes.read(recipe).command == "film" else ".jpg"
    return PICTURES / f"{recipe.stem}{suffix}"


def make_picture(recipe: Path) -> None:
    """Run a recipe file, and write its picture or film."""
    target = picture_of(recipe)
    arguments = ["run", str(recipe), "--quiet"]
    if recipes.read(recipe).command != "nightmare":
        lucid.main([*arguments, "-o", str(target), "--force"], standalone_mode=False)
        # A film has its recipe in the file too.
        recipes.sidecar_path(target).unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        lucid.main([*arguments, "--prefix", folder], standalone_mode=False)
        last = max(Path(folder).iterdir())
        recipes.write_picture(Image.open(last), target, recipes.read(last))


def section(recipe: Path) -> str:
    """Format a recipe's section of the page; the recipe's first line is the caption."""
    caption, _, options = recipe.read_text(encoding="utf-8").partition("\n")
    caption = caption.lstrip("# ")
    picture = picture_of(recipe).relative_to(DOCS)
    title = recipe.stem.replace("-", " ").capitalize()
    # Blank lines inside the HTML, so that what is between them is Markdown.
    return f"""
<div class="picture" markdown>

## {title}

![{caption}]({picture})

{caption}

<details markdown>
<summary>Recipe</summary>

```toml
{options.strip()}
```

</details>
</div>
"""


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("names", nargs=-1)
@click.option("--page", is_flag=True, help="Write the page only.")
def main(names: tuple[str, ...], page: bool) -> None:
    all_recipes = sorted(RECIPES.glob("*.toml"))
    if missing := set(names) - {path.stem for path in all_recipes}:
        raise click.UsageError(f"there is no docs/gallery/{min(missing)}.toml")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for recipe in all_recipes:
        if page or (names and recipe.stem not in names):
            continue
        start = time.monotonic()
        make_picture(recipe)
        click.echo(f"{recipe.stem}: {time.monotonic() - start:.0f} s")
    sections = map(section, all_recipes)
    (DOCS / "gallery.md").write_text("".join([HEAD, *sections, TAIL]), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
