"""From what was typed to the key frames of a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from lucid.cli import targets
from lucid.cli.click_types import parse_class, parse_layer
from lucid.cli.film import FilmArguments
from lucid.core.directions import Caricature
from lucid.core.objectives import Enhance, LayerL2
from lucid.drawing.spec_targets import layer_objective
from lucid.drawing.specs import ClassSpec, LayerSpec, expand_numbers
from lucid.drawing.targets import Target, find_targets, random_mix
from lucid.errors import nearest
from lucid.films.film import film_config
from lucid.films.guide_frames import GuideFrames
from lucid.films.keyframes import OWN_KEYS, Keyframes
from lucid.films.warp import WARPS, current_name, parse
from lucid.imaging import Size
from lucid.imaging.io import Picture, read_image
from lucid.imaging.video import Footage, is_film
from lucid.nets.net import Net
from lucid.tiling.regions import PathRegion


def read_keyframes(
    net: Net,
    arguments: FilmArguments,
    seed: int = 0,
    size: Size | None = None,
    *,
    with_guide: bool = False,
) -> Keyframes:
    """Build the key frames of ``lucid film``: --class, --layer, --warp, --at and the like.

    Args:
        net: the net, without its weights if there is no guide to look at.
        arguments: of the command.
        seed: of the classes that are drawn at random.
        size: (height, width) of the frames, if that is known yet.
        with_guide: whether to look at the guide.
    """
    threshold = arguments.threshold
    if arguments.guide and (len(arguments.layers) != 1 or threshold is not None):
        raise click.UsageError("--guide needs one --layer to see it with, and no --threshold")
    classes = targets.requested_classes(net, arguments, arguments.classes, seed)
    moving = any(key.startswith("place=") or "@" in key for _, key in arguments.keys)
    if not moving:
        targets.check_brush(arguments, classes)
    film = _FilmTargets(net, arguments, seed, size)
    guides: GuideFrames | None = None
    begun = (arguments.layers, arguments.objectives, arguments.mix, arguments.caricature)
    if classes or any(begun):
        film.typed[0] = film.targets(classes, others=True)
    if arguments.guide and with_guide:
        if is_film(arguments.guide):
            footage = Footage(arguments.guide)
            guides = GuideFrames(
                *(footage, footage.count),
                lambda image: film.targets(classes, guide=image, others=True),
            )
        else:
            shown = read_image(arguments.guide)
            film.typed[0] = film.targets(classes, guide=shown, others=True)
    for frame, key in arguments.keys:
        if guides is not None and key.partition("=")[0] in ("class", "layer", "place"):
            raise click.UsageError(f"--at {frame} {key!r}: the frames of --guide say what to paint")
        film.read_key(frame, key)
    film.move_places()
    return Keyframes(
        film.typed if guides is None else guides,
        [parse(text) for text in arguments.warps],
        film.values,
    )


class _FilmTargets:
    """Builds the targets of key frames.

    Attributes:
        typed: targets by the number of the frame.
        places: regions as they were typed, by the number of the frame.
        values: numbers by the name of a warp, strength or blend, and the number of the frame.
    """

    def __init__(self, net: Net, arguments: FilmArguments, seed: int, size: Size | None) -> None:
        self.net, self.arguments, self.seed, self.size = net, arguments, seed, size
        self.config = film_config(net)
        self.typed: dict[int, list[Target]] = {}
        self.places: dict[int, str] = {}
        self.values: dict[str, dict[int, float]] = {}

    def read_key(self, frame: int, key: str) -> None:
        """Read what was typed for a frame with --at."""
        name, equals, value = key.partition("=")
        if not equals:
            raise click.UsageError(f"--at {frame} {key!r}: write NAME=VALUE, such as zoom=0.1")
        if name == "class":
            parts = expand_numbers(parse_class(part) for part in value.split("+"))
            self.typed[frame] = self.targets(parts)
        elif name == "layer":
            self.typed[frame] = self.targets((), [parse_layer(value)])
        elif name == "place":
            self.places[frame] = value
        else:
            name = "blend" if name == "hold" else name  # its name of version 0.1
            _check_key(name, frame, self.arguments.warps)
            try:
                self.values.setdefault(name, {})[frame] = float(value)
            except ValueError:
                raise click.UsageError(f"--at {frame} {key!r}: {value!r} is no number") from None

    def move_places(self) -> None:
        """Add what is painted at each of the places: what would be there elsewhere."""
        before = Keyframes(dict(self.typed)) if self.typed else None
        for frame, place in sorted(self.places.items()):
            if before is None or frame < min(before.targets):
                raise click.UsageError(f"--at {frame} place={place}: give a --class to be there")
            self.typed[frame] = [self.moved(target, place) for target in before.at(frame)]

    def targets(
        self,
        classes: Sequence[ClassSpec],
        layers: Sequence[LayerSpec] = (),
        *,
        guide: Picture | None = None,
        others: bool = False,
    ) -> list[Target]:
        """Build targets of classes, each mix in its region, and of what has no region.

        ``others`` takes the options that key frames have not: --guide, --direction, --mix random,
        --caricature and --objective, and --layer in the place of ``layers``.
        """
        arguments, threshold = self.arguments, self.arguments.threshold
        found = targets.class_targets(self.net, classes, self.config, self.size, arguments)
        if others:
            parts = targets.layer_objectives(self.net, arguments, guide)
        else:
            parts = [layer_objective(self.net, layer) for layer in layers]
        if any(layer.region for layer in (*layers, *arguments.layers)):
            raise click.UsageError("a layer of a film has no @REGION: give --path, or --mask")
        if threshold is not None and parts:
            if not all(isinstance(part, LayerL2) for part in parts):
                raise click.UsageError("--threshold is for a whole --layer")
            parts = [Enhance(next(iter(part.layers)), threshold) for part in parts]
        elif threshold is not None and others:
            raise click.UsageError("--threshold is for a whole --layer")
        default = targets.default_region(arguments, self.size)
        if others:
            if str(arguments.mix) == targets.RANDOM:
                parts.append(random_mix(self.net, self.seed))
            if arguments.caricature is not None:
                parts.append(Caricature(self.net.resolve_layer(arguments.caricature)))
            for name in arguments.objectives:
                own = find_targets(self.net, [targets.own_objective(name)], self.config)
                parts += [target.objective for target in own]
        # What has no region of its own is one objective, of which each part has its weight.
        parts += [target.objective for target in found if target.region == default]
        apart = [target for target in found if target.region != default]
        return [Target(sum(parts[1:], parts[0]), default), *apart] if parts else apart

    def moved(self, target: Target, place: str) -> Target:
        """A target at a place that was typed, with the brush that it has."""
        region = targets.regions(self.arguments, self.size).parse(place)
        before, own = target.region, place.count(",") > 1  # whether a diameter was typed
        if isinstance(before, PathRegion) and isinstance(region, PathRegion) and not own:
            region = replace(region, diameter=before.diameter)
        return replace(target, region=region)


def _check_key(name: str, frame: int, warps: Sequence[str]) -> None:
    """Refuse the name of a key frame that nothing has."""
    if current_name(name) not in WARPS and name not in OWN_KEYS:
        own = [current_name(warp.partition(":")[0]) for warp in warps]
        near = nearest(name, ["class", "layer", "place", *OWN_KEYS, *(own or sorted(WARPS))])
        raise click.UsageError(f"--at {frame}: there is no key {name!r}{near}")


def film_classes(net: Net, arguments: FilmArguments, seed: int) -> list[ClassSpec]:
    """List the classes of ``lucid film``: those it begins with, then those of --at."""
    classes = targets.requested_classes(net, arguments, arguments.classes, seed)
    for _, key in arguments.keys:
        name, _, value = key.partition("=")
        if name == "class":
            classes += expand_numbers(map(parse_class, value.split("+")))
    return classes
