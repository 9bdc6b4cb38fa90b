"""What a command was told, as a recipe; and a recipe, as what a command is to be told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.common import TYPED
from lucid.errors import LucidError

if TYPE_CHECKING:
    import torch

    from lucid.nets import Net
    from lucid.recipes import Recipe

NOT_TOLD = {
    *("output", "prefix", "force", "resume", "save_every", "save_steps"),
    *("quiet", "verbose", "preview", "list_warps"),
}
"""Options that say where a result goes and what is said of it, not what it is."""


def told(
    net: Net | None,
    device: torch.device | None = None,
    *,
    made: dict[str, Any] | None = None,
    **known: Any,
) -> Recipe:
    """The recipe of what the command at work makes: all of its options, defaults filled in.

    If a recipe is being followed, says what is not as it was.

    Args:
        net: that paints, if one does.
        device: where; the first, of several.
        made: more that the result depends on.
        known: options that are no longer what was typed.
    """
    import torch

    from lucid.machine import device_name
    from lucid.recipes import Recipe, digest, versions

    context = click.get_current_context()
    options: dict[str, Any] = {}
    files: dict[str, str] = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        value = known.get(name, context.params.get(name))
        if name in NOT_TOLD or value is None or value is False or value == ():
            continue
        options[key(parameter)] = _plain(value, context.meta[TYPED].get(name))
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, (str, Path)) and takes_files(parameter) and Path(path).is_file():
                files[str(path)] = digest(Path(path))
    facts: dict[str, Any] = dict(versions())
    if device is not None:
        facts |= {"device": device_name(device), "threads": torch.get_num_threads()}
    if net is not None:
        facts |= {"net": net.name, "weights": net.fingerprint}
    facts |= {"files": files} if files else {}
    recipe = Recipe(context.command.name or "", options, facts | (made or {}))
    before = context.find_object(Recipe)
    if before and not context.meta.get(SAID):
        for difference in recipe.differences(before):
            click.echo(f"not as it was: {difference}", err=True)
        context.meta[SAID] = True
    return recipe


SAID = "lucid.differences"
"""Where a context notes that differences from the recipe that is followed have been said."""


def told_here(net: Net, device: str, precision: str, **more: Any) -> Recipe:
    """``told``, of a device and a precision as they were typed."""
    from lucid.machine import find_devices, find_precision, precision_name

    where = find_devices(device)[0]
    return told(net, where, precision=precision_name(find_precision(precision, where)), **more)


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


def takes_files(parameter: click.Parameter) -> bool:
    """Whether what it takes may be the name of a file, or end in one."""
    if isinstance(parameter, click.Argument) or isinstance(parameter.type, click.Path):
        return True
    return parameter.name in ("classes", "net_name", "preset")


def words(recipe: Recipe, command: click.Command, source: Path, without: set[str]) -> list[str]:
    """What to type after a command to follow a recipe.

    Args:
        recipe: to follow.
        command: that it names.
        source: the file that held it: what is not found from here is looked for beside it.
        without: parameters to leave out.

    Raises:
        LucidError: the command has no such option.
    """
    from lucid.nets import nearest

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
        values = [
            _found(each, source.parent) if takes_files(parameter) else each
            for each in (value if isinstance(value, list) else [value])
        ]
        if isinstance(parameter, click.Argument):
            arguments += map(str, values)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            options += [f"--{name}"] * (value is True)
        elif parameter.nargs > 1:
            for each in values:
                options += [f"--{name}", *map(str, each)]
        else:
            options += [f"--{name}={each}" for each in values]
    return [*options, "--", *arguments]


def _found(value: Any, folder: Path) -> Any:
    """A file's name, or what ends in one behind an @, as it is found from here."""
    whole = str(value)
    for start in (0, whole.rfind("@") + 1):
        file = whole[start:]
        if not Path(file).exists() and (folder / file).is_file():
            return f"{whole[:start]}{folder / file}"
    return value
