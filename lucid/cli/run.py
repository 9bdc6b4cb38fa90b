from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.options import CHANGED, FILE
from lucid.errors import LucidError

if TYPE_CHECKING:
    from lucid.imaging.recipes import Recipe

CHANGES = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""What stands behind the file is the other command's to understand."""


@click.command(context_settings=CHANGES)
@click.argument("file", metavar="RECIPE", type=FILE)
@click.argument("changes", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, file: Path, changes: tuple[str, ...]) -> None:
    """Follow a recipe: a TOML file that says what to make.

    \b
    command = "draw"
    class = ["lion", "monarch"]
    size = "512x384"
    seed = 3

    Its words are a command's, draw, film, nightmare or layers, and that command's options by
    their long names, without dashes. What stands behind the file changes it:

    \b
    lucid run recipe.toml -o picture.png --seed 7
    """
    from lucid.imaging import recipes

    follow(context, recipes.read(file), file, changes)


FOLLOWED = ("draw", "film", "layers", "nightmare")
"""Commands that make pictures."""


def follow(context: click.Context, recipe: Recipe, source: Path, changes: tuple[str, ...]) -> None:
    """Run the command that a recipe names, with changes.

    Args:
        context: of the command at work.
        recipe: to follow.
        source: the file that held it.
        changes: options and arguments that take the place of the recipe's.

    Raises:
        LucidError: there is no such command or option.
    """
    from lucid.cli.recipe_args import EXCLUDED, to_argv

    if recipe.command not in FOLLOWED:
        raise LucidError(f"{source}: command {recipe.command!r} is not {', '.join(FOLLOWED)}")
    command = command_of(context, recipe)
    typed = set(changed(command, changes))
    without = set(typed)
    if source.suffix != ".toml":
        # A picture may come from anybody: it says what it is, and no more.
        without |= EXCLUDED
        if "warps" in recipe.options and "own_warps" not in typed:
            raise LucidError(
                f"{source}: was made with Python code in {recipe.options['warps']}: if you trust "
                "it, say --warps and its name"
            )
    said = to_argv(recipe, command, source, without)
    context.meta[CHANGED] = typed
    # The recipe's own arguments stand behind a double dash, and so at the end.
    with command.make_context(
        recipe.command, [*changes, *said], parent=context.parent, obj=recipe
    ) as inner:
        command.invoke(inner)


def command_of(context: click.Context, recipe: Recipe) -> click.Command:
    """The command that a recipe names."""
    group = context.find_root().command
    assert isinstance(group, click.Group)
    return group.commands[recipe.command]


def changed(command: click.Command, changes: tuple[str, ...]) -> dict[str, Any]:
    """The parameters that changes speak of, as they are typed.

    Raises:
        click.UsageError: the command has no such option.
    """
    with click.Context(command, info_name=command.name) as context:
        typed, _, _ = command.make_parser(context).parse_args(list(changes))
    arguments = {each.name for each in command.params if isinstance(each, click.Argument)}
    # An argument that is missing stands there too, as something that is no text.
    return {
        name: value
        for name, value in typed.items()
        if name not in arguments or (isinstance(value, (str, tuple)) and value)
    }
