"""From what was typed - classes, layers, regions, key frames - to the targets of a drawing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch
from torch import Tensor

from lucid.cli.console import print_painting
from lucid.cli.recipe_args import is_beside
from lucid.core.directions import Caricature, Direction, read_array
from lucid.core.objectives import Objective
from lucid.drawing import spec_targets
from lucid.drawing.config import DrawConfig
from lucid.drawing.edit_words import EditReader
from lucid.drawing.edits import TimedEdit
from lucid.drawing.explain import rank_channels
from lucid.drawing.spec_targets import RegionReader, brush_region, layer_objective, layer_targets
from lucid.drawing.specs import ClassSpec, LayerSpec, expand_numbers
from lucid.drawing.targets import Target, find_targets, random_mix, resolve_class
from lucid.drawing.targets import guide as guide_objective
from lucid.errors import nearest
from lucid.imaging.io import Picture
from lucid.imaging.masks import mask_name
from lucid.imaging.recipe_masks import HELD, decode_mask
from lucid.imaging.recipes import Recipe
from lucid.nets.imagenet import find_group
from lucid.nets.net import Net
from lucid.plugins import entry_points, is_code, load_entry_point, load_object
from lucid.reading import parse_table, read_text
from lucid.tiling.regions import Region

if TYPE_CHECKING:
    from lucid.cli.draw import DrawArguments
    from lucid.cli.film import FilmArguments
    from lucid.cli.options import PaintArguments

ENTRY_POINTS = "lucid.objectives"
"""The group of entry points by which a package offers objectives."""

RANDOM = "random"
"""The mix of all classes with random signs."""

SHOWN = 4
"""The classes of a group that are named before it is painted."""


def requested_classes(
    net: Net, arguments: PaintArguments, typed: Sequence[ClassSpec], seed: int
) -> list[ClassSpec]:
    """List the classes that were asked for: typed with --class, --mix and --random-classes."""
    classes = expand_numbers(typed)
    if arguments.mix and str(arguments.mix) != RANDOM:
        classes += _read_mix(arguments.mix)
    if arguments.random_classes:
        net.require_classes()
        if arguments.random_classes > len(net.classes):
            raise click.UsageError(f"{net.name} has no more than {len(net.classes)} classes")
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(net.classes), generator=generator).tolist()
        classes += [ClassSpec(str(number)) for number in order[: arguments.random_classes]]
    return classes


def check_base(arguments: DrawArguments | FilmArguments) -> None:
    """Refuse what looks at a base where there is none, and a row of nothing."""
    check_channels(arguments)
    if arguments.caricature and not arguments.base:
        raise click.UsageError("--caricature is of a picture: give BASE")
    if arguments.direction and arguments.guide:
        raise click.UsageError("--direction and --guide both say what --layer is to do: give one")
    if arguments.row is not None and arguments.direction is None:
        raise click.UsageError("--row is of a --direction: give its file")


def check_brush(arguments: PaintArguments, classes: Sequence[ClassSpec]) -> None:
    """Refuse a brush that paints nowhere."""
    if arguments.brush and not arguments.path and not any(each.region for each in classes):
        raise click.UsageError("--brush means nothing without --path or --class NAME@X,Y")


def check_targets(classes: Sequence[ClassSpec], arguments: DrawArguments) -> None:
    """Refuse to draw nothing, a brush without a place, and a guide without a layer."""
    check_brush(arguments, classes)
    others = (arguments.mix, arguments.layers, arguments.objectives, arguments.caricature)
    if not (classes or any(others) or arguments.direction):
        raise click.UsageError(
            "there is nothing to draw: give --class, --mix, --random-classes or --layer"
        )
    if arguments.guide and len(arguments.layers) != 1:
        raise click.UsageError("--guide needs one --layer to see it with")


def _read_mix(path: Path) -> list[ClassSpec]:
    classes = []
    as_json = path.suffix.lower() == ".json"
    for key, weight in parse_table(read_text(path), path, as_json=as_json).items():
        if type(weight) not in (int, float):
            raise click.UsageError(f"{path}: {key} = {weight!r} is no weight: write {key!r} = 0.5")
        name, _, region = key.partition("@")
        if not is_beside(region):
            raise click.UsageError(f"{path}: the mask {region} does not lie here or below")
        classes.append(ClassSpec(name, float(weight), region or None))
    return classes


def draw_targets(
    net: Net,
    classes: Sequence[ClassSpec],
    config: DrawConfig,
    size: tuple[int, int] | None,
    arguments: DrawArguments,
    guide: Tensor | None = None,
    seed: int = 0,
) -> list[Target]:
    """Build the targets of ``lucid draw``, on a picture of a size if that is known yet."""
    default = default_region(arguments, size)
    targets = class_targets(net, classes, config, size, arguments)
    if str(arguments.mix) == RANDOM:
        targets.append(Target(random_mix(net, seed), default))
    if guide is None and arguments.direction is None:
        targets += layer_targets(net, arguments.layers, regions(arguments, size))
    else:
        targets += [Target(each, default) for each in layer_objectives(net, arguments, guide)]
    if arguments.caricature is not None:
        targets.append(Target(Caricature(net.resolve_layer(arguments.caricature)), default))
    for name in arguments.objectives:
        for found in find_targets(net, [own_objective(name)], config):
            targets.append(replace(found, region=found.region or default))
    return targets


def draw_edits(
    net: Net, config: DrawConfig, size: tuple[int, int] | None, arguments: DrawArguments
) -> list[TimedEdit]:
    """Read what --at changes under way."""
    reader = EditReader(net, config, regions(arguments, size))
    return [(moment, reader.parse(words)) for moment, words in arguments.edits]


def layer_objectives(
    net: Net, arguments: DrawArguments | FilmArguments, guide: Picture | None = None
) -> list[Objective]:
    """Build what --layer asks for, alone or with --guide or --direction."""
    if guide is not None:
        (layer,) = arguments.layers
        return [guide_objective(net, layer.name, guide, runtime=arguments.runtime)]
    if arguments.direction is not None:
        return [typed_direction(net, arguments)]
    return [layer_objective(net, layer) for layer in arguments.layers]


def typed_direction(net: Net, arguments: DrawArguments | FilmArguments) -> Objective:
    """Read a direction of --layer from a NumPy file, or from a row of one."""
    assert arguments.direction
    file, row = arguments.direction, arguments.row
    if len(arguments.layers) != 1 or arguments.layers[0].channels:
        raise click.UsageError("--direction needs one --layer, without channels of its own")
    (layer,), numbers = arguments.layers, read_array(file)
    if row is not None:
        if numbers.ndim != 2 or row >= len(numbers):
            raise click.UsageError(f"{file}: has no row {row}: its shape is {tuple(numbers.shape)}")
        numbers = numbers[row]
    resolved = net.resolve_layer(layer.name)
    count = net.layer_shape(layer.name)[0]
    if numbers.shape != (count,):
        raise click.UsageError(
            f"{file}: a direction of shape {tuple(numbers.shape)}, but layer {layer.name} has "
            f"{count} channels: give one number for each, or --row"
        )
    direction = Direction(resolved, numbers, neuron=layer.neuron)
    return direction if layer.weight == 1 else layer.weight * direction


def default_region(arguments: PaintArguments, size: tuple[int, int] | None) -> Region | None:
    """Where what has no region of its own is painted: along --path, or everywhere."""
    return brush_region(arguments.path, size, arguments.brush) if arguments.path else None


def class_targets(
    net: Net,
    classes: Sequence[ClassSpec],
    config: DrawConfig,
    size: tuple[int, int] | None,
    arguments: PaintArguments,
) -> list[Target]:
    """Build a target of the classes of each region, with --brush and --path."""
    return spec_targets.class_targets(net, classes, config, regions(arguments, size))


def regions(arguments: PaintArguments, size: tuple[int, int] | None) -> RegionReader:
    """What reads regions, with --brush and --path, and masks, with those of a recipe."""
    return RegionReader(size, arguments.brush, default_region(arguments, size), read_mask)


def own_objective(name: str) -> Objective:
    """Load an objective of the user's own; call what is a class."""
    if is_code(name):
        found = load_object(name)
    elif name in (known := entry_points(ENTRY_POINTS)):
        found = load_entry_point(ENTRY_POINTS, name)
    else:
        near = nearest(name, [*known])
        raise click.UsageError(f"there is no objective {name!r}{near}: give FILE.py:NAME")
    try:
        return found() if isinstance(found, type) else found
    except TypeError as error:
        raise click.UsageError(f"{name} must be made without arguments: {error}") from error


def describe_classes(net: Net, classes: Sequence[ClassSpec]) -> str:
    """Say what was understood by the names that were typed; empty if there are none."""
    described = []
    for each in classes:
        found = resolve_class(net, each.name)
        if isinstance(found, int):
            described.append(f"{net.classes[found]} ({found})")
        else:
            some = ", ".join(f"{net.classes[number]} ({number})" for number in found[:SHOWN])
            more = ", …" if len(found) > SHOWN else ""
            described.append(f"one of {len(found)} {find_group(each.name)}: {some}{more}")
    return " and ".join(dict.fromkeys(described))


def ranked_layers(
    net: Net, arguments: DrawArguments | FilmArguments, base: Picture | None
) -> tuple[LayerSpec, ...]:
    """The layers that were typed, with the channels of --channels once there is a base to see."""
    if arguments.channels is None:
        return arguments.layers
    assert base is not None  # as check_base sees to
    (layer,), (rank, count) = arguments.layers, arguments.channels
    found = rank_channels(net, layer.name, base, rank, count, runtime=arguments.runtime)
    numbers = ", ".join(map(str, found))
    print_painting(arguments, f"channels {numbers} of layer {layer.name}, the {rank}")
    return (replace(layer, channels=tuple(found)),)


def check_channels(arguments: DrawArguments | FilmArguments) -> None:
    """Refuse --channels without a layer whose channels could be meant."""
    if arguments.channels is None:
        return
    if len(arguments.layers) != 1 or arguments.layers[0].channels:
        raise click.UsageError("--channels needs one --layer, without channels of its own")
    if not arguments.base:
        raise click.UsageError("--channels looks at a picture: give BASE")


def read_mask(name: str) -> Tensor:
    """Read a mask: the brightness of an image, or of one that the recipe in use holds."""
    if not name.startswith(HELD):
        return spec_targets.read_mask(name)
    recipe = click.get_current_context().find_object(Recipe)
    if recipe is None or name not in recipe.masks:
        raise click.UsageError(f"the mask {name} is in no recipe here: follow the picture's own")
    return decode_mask(recipe.masks[name])


def requested_mask(path: Path | None) -> Tensor | str | None:
    """Read the mask of --mask, or return its name."""
    if path is None:
        return None
    name = str(path)
    return read_mask(name) if name.startswith(HELD) else mask_name(name) or read_mask(name)


def single_classes(net: Net, classes: Sequence[ClassSpec]) -> list[list[ClassSpec]]:
    """Part a mix into its classes, and groups into theirs, each to be drawn by itself."""
    parts: list[ClassSpec] = []
    for each in classes:
        found = resolve_class(net, each.name)
        for number in (found,) if isinstance(found, int) else found:
            name = net.classes[number]
            unique = net.classes.count(name) == 1
            parts.append(ClassSpec(name if unique else str(number), 1.0, each.region))
    return [[each] for each in dict.fromkeys(parts)]


def output_stem(net: Net, classes: Sequence[ClassSpec], layers: Sequence[LayerSpec]) -> str:
    """Name what is drawn, as part of a file's name."""
    words = []
    for each in classes:
        number = resolve_class(net, each.name)
        words.append(net.classes[number] if isinstance(number, int) else each.name)
    for layer in layers:
        words.append("-".join(map(str, (layer.name, *layer.channels))))
    return "+".join(re.sub(r"\W+", "-", word).strip("-") for word in words)[:100]
