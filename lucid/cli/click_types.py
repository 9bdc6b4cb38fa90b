"""What users ask for: classes and layers, how much of them and where, as they are typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lucid.core.objectives import Objective
    from lucid.drawing.config import DrawConfig
    from lucid.drawing.loop import Target
    from lucid.nets.net import Net
    from lucid.tiling.regions import Region


@dataclass(frozen=True)
class ClassSpec:
    """A class or a layer as it was typed: what, how much of it, and where."""

    name: str
    weight: float = 1.0
    place: str | None = None


class ClassSpecType(click.ParamType):
    """NAME, NAME:WEIGHT, and either with @PLACE."""

    name = "NAME[:WEIGHT][@PLACE]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClassSpec:
        text, _, place = str(value).partition("@")
        name, colon, weight = text.rpartition(":")
        if not colon:
            return ClassSpec(text, place=place or None)
        try:
            return ClassSpec(name, float(weight), place or None)
        except ValueError:
            self.fail(f"{weight!r} in {value!r} is not a number: write NAME:WEIGHT", param, ctx)


class LayerType(click.ParamType):
    """LAYER or LAYER:CHANNEL, and behind that @X,Y for one neuron."""

    name = "LAYER[:CHANNEL[@X,Y]]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | None, tuple[float, float] | None]:
        match = re.fullmatch(r"([^:@]+)(?::(\d{1,6}))?(?:@([\d.]+),([\d.]+))?", str(value))
        try:
            if not match or (match[3] and not match[2]):
                raise ValueError
            neuron = (float(match[3]), float(match[4])) if match[3] else None
            if neuron and not all(0 <= share <= 1 for share in neuron):
                raise ValueError
        except ValueError:
            self.fail(
                f"{value!r} is not LAYER, LAYER:CHANNEL or LAYER:CHANNEL@X,Y "
                "(a channel's number, and shares of width and height)",
                param,
                ctx,
            )
        return match[1], int(match[2]) if match[2] else None, neuron


def find_asked(net: Net, seed: int, **options: Any) -> list[ClassSpec]:
    """The classes that the command line names, in whatever way."""
    asked = list(options["classes"])
    if options["mix"]:
        asked += _read_mix(options["mix"])
    if options["random_classes"]:
        import torch

        net.require_classes()
        if options["random_classes"] > len(net.classes):
            raise click.UsageError(f"{net.name} has no more than {len(net.classes)} classes")
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(net.classes), generator=generator)[: options["random_classes"]]
        asked += [ClassSpec(str(number)) for number in drawn.tolist()]
    if not asked and not options["layers"]:
        raise click.UsageError(
            "there is nothing to draw: give --class, --mix, --random-classes or --layer"
        )
    if options["guide"] and len(options["layers"]) != 1:
        raise click.UsageError("--guide needs one --layer to see it with")
    if options["brush"] and not options["path"] and not any(each.place for each in asked):
        raise click.UsageError("--brush means nothing without --path or --class NAME@X,Y")
    return asked


def _read_mix(path: Path) -> list[ClassSpec]:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise click.UsageError(f"{path}: is not TOML ({error})") from error
    asked = []
    for key, weight in content.items():
        if type(weight) not in (int, float):
            raise click.UsageError(f"{path}: {key} = {weight!r} is no weight: write {key!r} = 0.5")
        name, _, place = key.partition("@")
        asked.append(ClassSpec(name, float(weight), place or None))
    return asked


def find_wishes(
    net: Net,
    asked: list[ClassSpec],
    style: DrawConfig,
    final: tuple[int, int] | None,
    shown: Any,
    **options: Any,
) -> list[Target]:
    """What is asked for, as objectives with their places: a mix for each place."""
    from lucid.drawing import loop
    from lucid.tiling.regions import FullImage

    brush = options["brush"]
    usual: Region = _brush(options["path"], final, brush) if options["path"] else FullImage()
    mixes: dict[str | None, dict[str, float]] = {}
    for each in asked:
        mix = mixes.setdefault(each.place, {})
        mix[each.name] = mix.get(each.name, 0.0) + each.weight
    wishes = [
        loop.Target(
            loop.classes(net, mix, style),
            _place(place, final, brush) if place else usual,
        )
        for place, mix in mixes.items()
    ]
    for layer in options["layers"]:
        objective = layer_objective(net, *layer)
        if shown is not None:
            objective = loop.guide(
                net, layer[0], shown, device=options["device"], precision=options["precision"]
            )
        wishes.append(loop.Target(objective, usual))
    return wishes


def layer_objective(
    net: Net, name: str, channel: int | None, neuron: tuple[float, float] | None
) -> Objective:
    """What excites a layer, a channel or a neuron, as ``LayerType`` reads it."""
    from lucid.core.objectives import Channel, LayerL2

    layer = net.resolve_layer(name)
    shape = next(shape for known, _, shape in net.describe() if known == layer)
    if channel is None:
        return LayerL2(layer)
    if channel >= shape[0]:
        raise click.UsageError(f"layer {name} has channels 0 to {shape[0] - 1}, no {channel}")
    return Channel(layer, channel, neuron)


def _place(text: str, size: tuple[int, int] | None, brush: float | None) -> Region:
    from lucid.tiling.regions import MaskRegion

    numbers = text.split(",")
    try:
        shares = [float(number) for number in numbers]
    except ValueError:
        if Path(text).suffix:
            return MaskRegion(read_mask(Path(text)))
        raise click.UsageError(
            f"place {text!r} is neither X,Y nor X,Y,DIAMETER nor an image file"
        ) from None
    if len(shares) not in (2, 3) or not all(0 <= share <= 1 for share in shares[:2]):
        raise click.UsageError(f"place {text!r}: X and Y are shares of the picture, from 0 to 1")
    point = f"{shares[0]},{shares[1]}"
    return _brush(point, size, shares[2] if len(shares) == 3 else brush)


def _brush(path: str, size: tuple[int, int] | None, diameter: float | None) -> Region:
    from lucid.drawing.config import TILE
    from lucid.tiling.regions import PathRegion, read_path

    shorter = min(size or (TILE, TILE))
    if diameter is None:
        diameter = min(TILE, shorter)
    if not 8 <= diameter <= 100_000:
        raise click.UsageError(f"a brush of {diameter:g} pixels: from 8")
    return PathRegion(read_path(path), diameter / shorter)


def read_mask(path: Path) -> Any:
    from lucid.imaging.filters import luma
    from lucid.imaging.io import read_image

    return luma(read_image(path))[0]


def output_stem(net: Net, asked: list[ClassSpec], layers: tuple[Any, ...]) -> str:
    """What is drawn, as part of a file's name."""
    from lucid.drawing.loop import resolve_class

    found = [(each.name, resolve_class(net, each.name)) for each in asked]
    words = [net.classes[key] if isinstance(key, int) else name for name, key in found]
    words += [name if channel is None else f"{name}-{channel}" for name, channel, _ in layers]
    return "+".join(re.sub(r"\W+", "-", word).strip("-") for word in words)[:100]
