"""What a command was told, as a recipe; and a recipe, as what a command is to be told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.options import TYPED, resolve_stdin
from lucid.errors import LucidError

if TYPE_CHECKING:
    from lucid.imaging.recipes import Recipe
    from lucid.nets.net import Net

EXCLUDED = {
    *("output", "prefix", "force", "resume", "save_every", "save_steps"),
    *("quiet", "verbose", "preview", "list_warps"),
}
"""Parameters that say where a result goes and what is said of it, not what it is."""

SAID = "lucid.differences"
"""Where a context notes that differences from the recipe that is followed have been said."""

DIGESTS = "lucid.digests"
"""Where a context keeps the hashes of files."""


def build_recipe(
    net: Net | None = None,
    device: str = "auto",
    precision: str = "auto",
    *,
    made: dict[str, Any] | None = None,
    **known: Any,
) -> Recipe:
    """The recipe of what the command at work makes: all of its options, defaults filled in.

    If a recipe is being followed, says what is not as it was.

    Args:
        net: that paints, if one does.
        device: where, as it was typed.
        precision: likewise.
        made: more that the result depends on.
        known: parameters that are no longer what was typed.
    """
    import torch

    from lucid.core.device import device_name, find_devices, find_precision, precision_name
    from lucid.imaging.recipes import Recipe, sha256_file, versions

    context = click.get_current_context()
    facts: dict[str, Any] = dict(versions())
    if net is not None:
        where = find_devices(device)[0]
        known["precision"] = precision_name(find_precision(precision, where))
        facts |= {"device": device_name(where), "threads": torch.get_num_threads()}
        facts |= {"net": net.name, "weights": net.fingerprint}
    options: dict[str, Any] = {}
    files: dict[str, str] = {}
    digests = context.meta.setdefault(DIGESTS, {})
    for parameter in context.command.params:
        name = parameter.name or ""
        value = known.get(name, context.params.get(name))
        if name in EXCLUDED or value is None or value is False or value == ():
            continue
        plain = _plain(value, context.meta[TYPED].get(name))
        options[key(parameter)] = plain
        for file in _files(parameter, plain):
            if file not in digests:
                digests[file] = sha256_file(resolve_stdin(Path(file)))
            files[file] = digests[file]
    facts |= {"files": files} if files else {}
    recipe = Recipe(context.command.name or "", options, facts | (made or {}))
    before = context.find_object(Recipe)
    if before and not context.meta.get(SAID):
        for difference in recipe.differences(before):
            click.echo(f"not as it was: {difference}", err=True)
        context.meta[SAID] = True
    return recipe


def _plain(value: Any, typed: Any) -> Any:
    """An option's value as a recipe has it: as it was typed, if it is no plain value."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(typed, str):
        return typed
    return [list(each) if isinstance(each, tuple) else each for each in typed]


def key(parameter: click.Parameter) -> str:
    """What a parameter is called in a recipe: its long name without dashes."""
    long = [name for name in parameter.opts if name.startswith("--")]
    return (long[0] if long else parameter.name or "").lstrip("-")


def _files(parameter: click.Parameter, value: Any) -> Iterable[str]:
    """The files that a parameter's value names; - is standard input."""
    if _takes_files(parameter):
        for each in value if isinstance(value, list) else [value]:
            start = _start_of_file(parameter, str(each))
            file = str(each)[start:]
            if Path(file).is_file() or (file == "-" and isinstance(parameter, click.Argument)):
                yield file


def _takes_files(parameter: click.Parameter) -> bool:
    """Whether what it takes may be the name of a file, or end in one."""
    if isinstance(parameter, click.Argument) or isinstance(parameter.type, click.Path):
        return True
    return parameter.name in ("classes", "net_name", "preset")


def _start_of_file(parameter: click.Parameter, text: str) -> int:
    """Where the name of a file begins in what a parameter takes: a class's mask stands behind
    an @."""
    return text.find("@") + 1 or len(text) if parameter.name == "classes" else 0


def to_argv(recipe: Recipe, command: click.Command, source: Path, without: set[str]) -> list[str]:
    """What to type after a command to follow a recipe.

    Args:
        recipe: to follow.
        command: that it names.
        source: the file that held it: what is not found from here is looked for beside it.
        without: parameters to leave out.

    Raises:
        LucidError: the command has no such option, or it cannot be that.
    """
    from lucid.errors import nearest

    parameters = {key(parameter): parameter for parameter in command.params}
    options: list[str] = []
    arguments: list[str] = []
    for name, value in recipe.options.items():
        if name not in parameters:
            near = nearest(name, [*parameters])
            raise LucidError(f"{source}: `lucid {recipe.command}` has no option {name!r}{near}")
        parameter = parameters[name]
        if parameter.name in without:
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(parameter, click.Option) and parameter.is_flag:
            if type(value) is not bool:
                raise LucidError(f"{source}: {name} = {value!r} must be true or false")
            options += [f"--{name}"] * value
        elif parameter.nargs > 1:
            for each in values:
                if not isinstance(each, list) or len(each) != parameter.nargs:
                    raise LucidError(
                        f"{source}: {name} must be lists of {parameter.nargs} in a list"
                    )
                options += [f"--{name}", *map(str, each)]
        elif isinstance(parameter, click.Argument):
            arguments += [_found(parameter, str(each), source.parent) for each in values]
        else:
            found = (_found(parameter, str(each), source.parent) for each in values)
            options += [f"--{name}={each}" for each in found]
    return [*options, "--", *arguments]


def _found(parameter: click.Parameter, text: str, folder: Path) -> str:
    """What a parameter takes, with the file in it as it is found from here."""
    if _takes_files(parameter):
        start = _start_of_file(parameter, text)
        file = Path(text[start:])
        # Without an ending it is a net, a preset or a layer.
        if file.suffix and not file.exists() and (folder / file).is_file():
            return f"{text[:start]}{folder / file}"
    return text
