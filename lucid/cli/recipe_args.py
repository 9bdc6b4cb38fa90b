"""From a command's parameters to a recipe, and from a recipe to a command's words."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.console import echo
from lucid.cli.dream_settings import is_dream_settings
from lucid.cli.files import resolve_stdin
from lucid.cli.options import TYPED
from lucid.drawing.specs import FILES_IN_WORDS
from lucid.errors import LucidError, nearest
from lucid.reading import parse_json, read_text

if TYPE_CHECKING:
    from lucid.imaging.recipes import Recipe
    from lucid.nets.net import Net

EXCLUDED = {
    *("output", "prefix", "force", "resume", "save_every", "save_steps", "no_recipe", "yes", "log"),
    *("quiet", "verbose", "preview", "list_warps"),
}
"""Parameters that say where a result goes and what is printed: they are not in a recipe."""

KNOWN_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".apng", ".toml", ".json"),
    *(
        ".npy",
        ".mp4",
        ".webm",
        ".mov",
        ".mkv",
        ".avi",
        ".m4v",
        ".weights",
        ".pth",
        ".pt",
        ".safetensors",
    ),
)
"""Suffixes by which a word is known as a file, and not as a net, a layer or a preset."""

# Keys of context.meta
REPORTED = "lucid.reported"  # whether differences from the recipe in use have been printed
DIGESTS = "lucid.digests"  # hashes of the files that were hashed


def build_recipe(
    net: Net | None = None, made: Mapping[str, Any] | None = None, **overrides: Any
) -> Recipe:
    """Build the recipe of what the running command makes: all of its options, defaults included."""
    from lucid.core.device import find_devices, find_precision, precision_name
    from lucid.core.provenance import made_by
    from lucid.imaging.recipes import Recipe, sha256_file, versions

    context = click.get_current_context()
    values = context.params | overrides
    facts: dict[str, Any] = dict(versions())
    if net is not None:
        device = find_devices(values["device"])[0]
        values["precision"] = precision_name(find_precision(values["precision"], device))
        facts = made_by(net, device)
    options: dict[str, Any] = {}
    files: dict[str, str] = {}
    digests = context.meta.setdefault(DIGESTS, {})
    for parameter in context.command.params:
        name = parameter.name or ""
        value = values.get(name)
        if name in EXCLUDED or value is None or value is False or value == ():
            continue
        plain = _plain_value(value, context.meta[TYPED].get(name))
        for each in plain if isinstance(plain, list) else [plain]:
            for file in files_in(parameter, each):
                if Path(file).is_file() or (file == "-" and isinstance(parameter, click.Argument)):
                    if file not in digests:
                        digests[file] = sha256_file(resolve_stdin(Path(file)))
                    files[_private(file)] = digests[file]
        # Folders tell about their owner.
        options[recipe_names(parameter)[0]] = rename_files(parameter, plain, _private)
    facts |= {"files": files} if files else {}
    before = context.find_object(Recipe)
    held = before.masks if before else {}
    masks = {name: text for name, text in held.items() if name in f"{options}"}
    recipe = Recipe(context.command.name or "", options, facts | dict(made or {}), masks)
    if before and not context.meta.get(REPORTED):
        for difference in recipe.differences(before):
            echo(f"not as it was: {difference}", err=True)
        context.meta[REPORTED] = True
    return recipe


def frozen_options(
    recipe: Recipe, command: click.Command, free: Collection[str] = ("batch",)
) -> tuple[object, ...]:
    """Return what a result depends on besides ``free`` options, to compare two recipes."""
    known = parameters_by_name(command)
    options = {}
    for name, value in recipe.options.items():
        if name in free:
            continue
        # Version 0.1 called some options otherwise, and older versions kept the files' folders.
        parameter = known.get(name)
        current = recipe_names(parameter)[0] if parameter else name
        options[current] = _without_folders(parameter, value) if parameter else value
    digests = sorted(recipe.made.get("files", {}).values())
    return options, digests, recipe.made.get("weights")


def _plain_value(value: Any, typed: Any) -> Any:
    """Return a value that a recipe can hold: the parameter's, or what was typed for it."""
    if isinstance(value, (bool, int, float, str, Path)):
        return str(value) if isinstance(value, Path) else value
    if isinstance(value, list):  # which replaces what was typed
        return value
    if isinstance(typed, str):
        return typed
    return [list(each) if isinstance(each, tuple) else each for each in typed]


def _without_folders(parameter: click.Parameter, value: Any) -> Any:
    """Return a parameter's value with the mere names of files, to compare two recipes."""
    return rename_files(parameter, value, lambda file: PureWindowsPath(file).name)


def rename_files(parameter: click.Parameter, value: Any, rename: Callable[[str], str]) -> Any:
    """Return a parameter's value with other names of the files in it."""
    if isinstance(value, list):
        return [rename_files(parameter, each, rename) for each in value]
    return _with_files(parameter, value, rename) if isinstance(value, str) else value


def _private(file: str) -> str:
    """Return a file's path from the current folder if it lies there or below, or its name alone."""
    path = Path(file)
    if not path.is_absolute():
        return file
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


def recipe_names(parameter: click.Parameter) -> list[str]:
    """List the names that a recipe may call a parameter by; new recipes use the first."""
    long = [name[2:] for name in parameter.opts if name.startswith("--")]
    return long or [parameter.name or ""]


def parameters_by_name(command: click.Command) -> dict[str, click.Parameter]:
    """Map every name that a recipe may use to the command's parameter."""
    return {name: each for each in command.params for name in recipe_names(each)}


POINT = re.compile(r"\s*[\d.]+,[\d.]+(,[\d.]+)?\s*")
"""What may stand in place of a file's name: X,Y or X,Y,DIAMETER."""

FILES = {
    **dict.fromkeys(("classes", "layers"), re.compile("@(?P<region>.+)", re.DOTALL)),
    **dict.fromkeys(("net_name", "preset"), re.compile("(?P<region>.+)", re.DOTALL)),
    # The words of --at
    **dict.fromkeys(("edits", "keys"), FILES_IN_WORDS),
}
"""Where files are named in the values of parameters that are no files themselves."""


def _file_pattern(parameter: click.Parameter) -> re.Pattern[str] | None:
    """What finds the parts of a parameter's value that may be names of files."""
    if isinstance(parameter, click.Argument) or isinstance(parameter.type, click.Path):
        return FILES["net_name"]  # all of it
    return FILES.get(parameter.name or "")


def _with_files(parameter: click.Parameter, text: str, rename: Callable[[str], str]) -> str:
    """Return a parameter's value with other names of the files in it."""
    pattern, done, parts = _file_pattern(parameter), 0, []
    for found in pattern.finditer(text) if pattern else ():
        group = found.lastgroup or "region"
        start, end = found.span(group)
        if not POINT.fullmatch(found[group]):
            parts += [text[done:start], rename(found[group].strip())]
            done = end
    return "".join([*parts, text[done:]])


def files_in(parameter: click.Parameter, value: Any) -> list[str]:
    """List the parts of a parameter's value that may be names of files."""
    if isinstance(value, list):
        return [file for each in value for file in files_in(parameter, each)]
    files: list[str] = []

    def take(file: str) -> str:
        files.append(file)
        return file

    _with_files(parameter, str(value), take)
    return files


def to_argv(recipe: Recipe, command: click.Command, source: Path, without: set[str]) -> list[str]:
    """Turn a recipe into the words behind a command, but for the parameters in ``without``."""
    parameters = parameters_by_name(command)
    needs = str(recipe.made.get("needs", ""))
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
            several = isinstance(parameter, click.Option) and parameter.multiple
            for each in values if several else [values]:
                if not isinstance(each, list) or len(each) != parameter.nargs:
                    raise LucidError(
                        f"{source}: {name} must be lists of {parameter.nargs} in a list"
                    )
                options += [
                    f"--{name}",
                    *(_locate(parameter, str(one), source, needs) for one in each),
                ]
        elif isinstance(parameter, click.Argument):
            arguments += [_locate(parameter, str(each), source, needs) for each in values]
        else:
            located = (_locate(parameter, str(each), source, needs) for each in values)
            options += [f"--{name}={each}" for each in located]
    return [*options, "--", *arguments]


def _locate(parameter: click.Parameter, text: str, source: Path, needs: str) -> str:
    """Return a value with the paths of its files, looked for beside the recipe, then here.

    A picture may come from a stranger, so its recipe names only files here, beside it, or below.

    Args:
        parameter: of the command.
        text: the value.
        source: the recipe's file.
        needs: the command that makes the files which the recipe needs; empty if it names none.
    """
    return _with_files(parameter, text, lambda name: _locate_file(parameter, name, source, needs))


def _locate_file(parameter: click.Parameter, name: str, source: Path, needs: str) -> str:
    """Return the path of a file that a recipe names; arguments as of ``_locate``."""
    folder = source.parent
    here, beside = Path(name), folder / name
    # A name without a suffix is a net, a preset or a layer.
    elsewhere = bool(here.suffix) and beside.is_file() and not here.is_absolute()
    located = beside if elsewhere else here
    is_missing = not located.exists() and Path(name).suffix.lower() in KNOWN_SUFFIXES
    if is_missing and needs and is_trusted(source):
        raise LucidError(
            f"{source}: its recipe names {name}, which is neither in {folder.resolve()} nor in "
            f"{Path.cwd()}: `{needs}` makes it"
        )
    if not is_trusted(source):
        roots = (Path.cwd(), folder.resolve())
        inside = any(located.resolve().is_relative_to(root) for root in roots)
        if not is_beside(name) or (located.exists() and not inside) or glob.has_magic(name):
            raise LucidError(
                f"{source}: its recipe names {name}, which does not lie here or beside it: "
                f"if it is to be read, {typing_again(parameter, name)}"
            )
        if is_missing:
            raise LucidError(
                f"{source}: its recipe names {name}, which is neither beside it, in "
                f"{folder.resolve()}, nor here, in {Path.cwd()}: {typing_again(parameter, name)}"
            )
    return str(beside) if elsewhere else name


def typing_again(parameter: click.Parameter, name: str) -> str:
    """Say how to give a parameter's file again."""
    if isinstance(parameter, click.Argument):
        return f"give {name} again, behind the recipe's name"
    return f"give --{recipe_names(parameter)[0]} {name} again"


def is_trusted(source: Path) -> bool:
    """Tell whether a recipe is a text file, which its user has written or read.

    So are dream.py's settings. Other JSON files come with pictures and films, of strangers too.
    """
    if source.suffix.lower() != ".json":
        return source.suffix.lower() == ".toml"
    return source.is_file() and is_dream_settings(parse_json(read_text(source), source))


def is_beside(name: str) -> bool:
    """Tell whether a file's name leads nowhere but to the folder that it is read in, or below."""
    path = PureWindowsPath(name)  # which splits at both kinds of slashes
    return not path.anchor and ".." not in path.parts


def untrusted_options(recipe: Recipe, command: click.Command) -> list[str]:
    """List the options of a recipe that a stranger must not set, by their names there.

    These say where to write and what to print, run code, or name a file that does not lie beside
    the recipe.
    """
    parameters = parameters_by_name(command)
    found = []
    for name, value in recipe.options.items():
        parameter = parameters.get(name)
        if parameter is None:
            continue
        each = value if isinstance(value, list) else [value]
        beside = all(map(is_beside, files_in(parameter, each)))
        if parameter.name in EXCLUDED or parameter.name == "own_warps" or not beside:
            found.append(name)
    return found
