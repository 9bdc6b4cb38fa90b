"""Paint one task of an album as its command would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lucid.cli.recipe_args import EXCLUDED, files_in, parameters_by_name, rename_files
from lucid.errors import LucidError

if TYPE_CHECKING:
    from lucid.albums.task import Task
    from lucid.nets.net import Net

_nets: dict[tuple[object, ...], Net] = {}
"""Nets that this process has loaded for albums."""


def paint(task: Task, path: Path, inputs: Mapping[str, Path]) -> None:
    """Paint a task by its command, with its recipe in the picture; see ``lucid.albums.Paint``.

    Raises:
        LucidError: the recipe cannot be followed.
        ClickException: an option of it has no valid value.
    """
    import torch

    from lucid.cli import main
    from lucid.cli.run import follow
    from lucid.nets.registry import keep_nets

    if task.command not in main.commands:
        raise LucidError(f"there is no command {task.command!r}")
    parameters = parameters_by_name(main.commands[task.command])
    options = {}
    for name, value in task.options.items():
        parameter = parameters.get(name)
        if parameter is not None and parameter.name in EXCLUDED:
            raise LucidError(f"{name} says where to write or what to print: an album does that")
        for file in files_in(parameter, value) if parameter is not None else ():
            # Whoever has made a manifest must have had the files that it names.
            if Path(file).suffix and Path(file).is_file() and file not in inputs:
                raise LucidError(f"{name} names {file}, of which the manifest has no hash")
        options[name] = (
            rename_files(parameter, value, lambda file: str(inputs.get(file, file)))
            if parameter is not None
            else value
        )
    recipe = replace(task.recipe, options=options)
    with (
        keep_nets(_nets),
        click.Context(main, info_name="lucid") as root,
        click.Context(main.commands[task.command], info_name="album", parent=root) as context,
    ):
        changes = ("--output", str(path), "--quiet", "--yes", "--force")
        deterministic = torch.are_deterministic_algorithms_enabled()
        try:
            follow(context, recipe, Path("album.toml"), changes)
        finally:
            torch.use_deterministic_algorithms(deterministic)
