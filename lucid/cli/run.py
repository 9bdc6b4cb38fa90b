"""``lucid run``: follow a recipe; and how ``lucid redo`` does the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lucid.cli.click_types import FILE
from lucid.cli.files import find_files, make_folder
from lucid.cli.options import CHANGED
from lucid.cli.sections import SectionedCommand
from lucid.errors import LucidError
from lucid.plugins import is_code

if TYPE_CHECKING:
    from lucid.imaging.recipes import Recipe

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a command whose words behind the file belong to another command."""

NETS = ("net_name", "net", "words")
"""Parameters of these commands that name a net; of words, the first does."""

CODE = (*NETS, "objectives", "canvas", "tiles")
"""Parameters that may name Python of the user's own."""

FOLLOWED = ("draw", "explain", "film", "layers", "nightmare", "sheet")
"""Commands that make pictures."""


@click.command(cls=SectionedCommand, context_settings=PASS_ON)
@click.argument("file", metavar="RECIPE...", type=FILE)
@click.argument("changes", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
@click.pass_context
def run(context: click.Context, file: Path, changes: tuple[str, ...]) -> None:
    """Follow a recipe, a TOML file that says what to make, or several.

    \b
    command = "draw"
    class = ["lion", "monarch"]
    size = "512x384"
    seed = 3

    The command is draw, film, nightmare, sheet, explain or layers; every other line is one of its
    options by its long name, without dashes. Options behind the file replace those in it:

    \b
    lucid run recipe.toml -o picture.png --seed 7
    lucid run gallery/*.toml --size 320x240

    A JSON file of dream.py's settings is followed as well.
    """
    more = list(itertools.takewhile(lambda word: word.endswith((".toml", ".json")), changes))
    found = [(path, _read(path)) for path in find_files([file, *map(Path, more)])]
    changes = changes[len(more) :]
    if len(found) > 1:
        _check_several(context, found, changes)
    for path, recipe in found:
        follow(context, recipe, path, changes)


def _read(path: Path) -> Recipe:
    """Read a recipe, or dream.py's settings as one."""
    from lucid.cli.dream_settings import dream_recipe, is_dream_settings
    from lucid.imaging import recipes
    from lucid.reading import parse_json, read_text

    if path.suffix.lower() == ".json":
        content = parse_json(read_text(path), path)
        if is_dream_settings(content):
            return dream_recipe(content, path)
        if isinstance(content, list):
            raise LucidError(
                f"{path}: is a list of octaves, as deepdraw's: lucid draw --class … --preset {path}"
            )
    return recipes.read(path)


def _check_several(
    context: click.Context, found: Sequence[tuple[Path, Recipe]], changes: tuple[str, ...]
) -> None:
    """Refuse, before the first recipe is followed, what one of several cannot be told."""
    outputs = {"-o", "--output"}
    for word, value in zip(changes, (*changes[1:], ""), strict=True):
        name, _, behind = word.partition("=")
        if name in outputs and "{" not in (behind or value):
            raise click.UsageError(
                f"{len(found)} recipes would all be written to {behind or value}: leave -o out, or "
                'give it a word in braces, such as -o "{class}_{seed}.png"'
            )
    for path, recipe in found:
        if recipe.command not in FOLLOWED:
            continue  # which is refused when it is followed
        try:
            changed_parameters(recipe_command(context, recipe), changes)
        except click.UsageError as error:
            raise click.UsageError(f"{path}: {error.format_message()}") from error


def follow(context: click.Context, recipe: Recipe, source: Path, changes: tuple[str, ...]) -> None:
    """Run the command that a recipe names, with changes."""
    from lucid.cli.recipe_args import EXCLUDED, is_trusted, to_argv

    if recipe.command not in FOLLOWED:
        raise LucidError(f"{source}: command {recipe.command!r} is not {', '.join(FOLLOWED)}")
    command = recipe_command(context, recipe)
    changed = set(changed_parameters(command, changes))
    without = set(changed)
    # A recipe may come from a stranger. None runs code or replaces files unless that is typed, and
    # a picture's own does not say where to write either.
    without |= {"force"} if is_trusted(source) else EXCLUDED
    if "warps" in recipe.options and "own_warps" not in changed:
        raise LucidError(
            f"{source}: was made with Python code in {recipe.options['warps']}: if you trust "
            "it, give --warps and its name"
        )
    _refuse_code(recipe, source, changed, command)
    recipe = _with_class_names(recipe)
    words = [*_old_defaults(recipe, changed), *to_argv(recipe, command, source, without)]
    context.meta[CHANGED] = changed
    if source.suffix.lower() == ".json" and is_trusted(source) and "output" not in changed:
        make_folder(Path(str(recipe.options.get("output", ""))).parent)  # as dream.py does
    # The recipe's own arguments stand behind a double dash, and so at the end.
    with command.make_context(
        recipe.command, [*changes, *words], parent=context.parent, obj=recipe
    ) as inner:
        command.invoke(inner)


def _refuse_code(recipe: Recipe, source: Path, changed: set[str], command: click.Command) -> None:
    """Refuse a recipe that would run Python which was not typed, or that needs a program."""
    from lucid.cli.recipe_args import parameters_by_name, typing_again
    from lucid.nets.saved_programs import is_program

    parameters = parameters_by_name(command)
    for name, value in recipe.options.items():
        parameter = parameters.get(name)
        if parameter is None or parameter.name not in CODE or parameter.name in changed:
            continue
        values = value if isinstance(value, list) else [value]
        for each in values[:1] if parameter.name == "words" else values:
            saved = parameter.name in NETS and is_program(str(each))
            if saved or is_code(str(each)):
                kind = "a saved program" if saved else "Python code"
                raise LucidError(
                    f"{source}: was made with {kind} in {each}: if you trust it, "
                    f"{typing_again(parameter, str(each))}"
                )
    if program := recipe.made.get("program"):
        what = ", ".join(map(str, program)) if isinstance(program, list) else str(program)
        raise LucidError(f"{source}: was made by a Python program, which alone has its {what}")


def _with_class_names(recipe: Recipe) -> Recipe:
    """The recipe with whole names of classes: until version 0.2, any part of a name was enough."""
    from lucid.nets.class_names import matching_classes, normalize_name
    from lucid.nets.imagenet import find_group
    from lucid.nets.registry import load_meta

    typed, options = recipe.options.get("class"), recipe.options
    old = str(recipe.made.get("lucid", "")).startswith(("0.1.", "0.2."))
    if not old or not typed:
        return recipe
    try:
        known = load_meta(str(options.get("net", "lucid64"))).classes
    except LucidError:  # as a net of the user's own, whose names may lie elsewhere
        return recipe
    whole = []
    for each in typed if isinstance(typed, list) else [typed]:
        name, mark, region = str(each).partition("@")
        name, colon, weight = name.rpartition(":") if ":" in name else (name, "", "")
        part = normalize_name(name)
        found = [label for label in known if part in normalize_name(label)]
        if len(found) == 1 and not find_group(name) and not matching_classes(name, known):
            name = found[0]
        whole.append(f"{name}{colon}{weight}{mark}{region}")
    return replace(recipe, options={**options, "class": whole})


def _old_defaults(recipe: Recipe, changed: set[str]) -> list[str]:
    """The defaults of version 0.2 and before, which its pictures' recipes do not hold.

    Each tile held one thing. If another size is asked for, things keep their share of the picture.
    """
    made, words = recipe.made, []
    if recipe.command not in ("draw", "film") or "lucid" not in made:
        return []
    if recipe.command in ("draw", "film") and "fit" not in {*changed, *recipe.options}:
        words.append("--fit=stretch")
    zeros = ("variety", "contrast") if recipe.command == "film" else ("variety", "noise", "tint")
    for name in zeros:
        if name not in {*changed, *recipe.options}:
            words.append(f"--{name}=0")
    known = {"subject", "tile_size"} & changed or "subject" in recipe.options
    if recipe.command == "film" or "tile" not in made or known:
        return words
    try:  # the recipe may come from a stranger
        side = min(int(length) for length in made["tile"])
        subject = f"{side}px"
        if "size" in changed and "size" in made:
            shorter = min(int(length) for length in str(made["size"]).split("x"))
            subject = f"{side / shorter:.6g}"
    except (TypeError, ValueError, ArithmeticError) as error:
        raise LucidError(f"the recipe's made.tile or made.size is no size ({error})") from error
    return [*words, f"--subject={subject}"]


def recipe_command(context: click.Context, recipe: Recipe) -> click.Command:
    """Find the command that a recipe names."""
    group = context.find_root().command
    assert isinstance(group, click.Group)
    return group.commands[recipe.command]


def changed_parameters(command: click.Command, changes: tuple[str, ...]) -> dict[str, object]:
    """Map the parameters of a command that are to be changed to what was typed for each."""
    with click.Context(command, info_name=command.name) as context:
        typed, _, _ = command.make_parser(context).parse_args(list(changes))
    arguments = {each.name for each in command.params if isinstance(each, click.Argument)}
    # click lists arguments that are missing too, with a value that is no text.
    return {
        name: value
        for name, value in typed.items()
        if name not in arguments or (isinstance(value, (str, tuple)) and value)
    }
