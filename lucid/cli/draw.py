from __future__ import annotations

import glob
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.common import (
    FILE,
    SEED,
    OneDashCommand,
    Size,
    loudness,
    machine,
    net_files,
    progress_bar,
    speak_up,
    stopped,
    tell_machine,
    tell_written,
)

if TYPE_CHECKING:
    from PIL import Image

    from lucid.draw import Progress, Wish
    from lucid.manners import Manner
    from lucid.nets import Net
    from lucid.objectives import Objective
    from lucid.places import Place

DEFAULT_NET = "lucid64"


@dataclass(frozen=True)
class Asked:
    """A class or a layer as it was typed: what, how much of it, and where."""

    name: str
    weight: float = 1.0
    place: str | None = None


class AskedType(click.ParamType):
    """NAME, NAME:WEIGHT, and either with @PLACE."""

    name = "NAME[:WEIGHT][@PLACE]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Asked:
        text, _, place = str(value).partition("@")
        name, colon, weight = text.rpartition(":")
        if not colon:
            return Asked(text, place=place or None)
        try:
            return Asked(name, float(weight), place or None)
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


@click.command(cls=OneDashCommand)
@click.argument("base", required=False, type=FILE)
@click.option(
    "--class",
    "classes",
    type=AskedType(),
    multiple=True,
    help="What to draw: a class's name, an unambiguous part of it, its number, or a group (birds, "
    "dogs, insects, …). Several mix. PLACE is X,Y or X,Y,DIAMETER (shares of the picture, "
    "and pixels) or a mask image.",
)
@click.option("--mix", type=FILE, help="A TOML file of classes and weights: goldfish = 0.7")
@click.option(
    "--random-classes", type=click.IntRange(min=1), help="Mix so many classes, drawn by the seed."
)
@click.option(
    "--layer",
    "layers",
    type=LayerType(),
    multiple=True,
    help="Draw what excites a layer, a channel of it, or a neuron at a place of the tile.",
)
@click.option(
    "--guide", type=FILE, help="With one --layer: draw what that layer sees in this image."
)
@click.option(
    "--net",
    "net_name",
    default=DEFAULT_NET,
    show_default=True,
    metavar="NET",
    help="Which net draws: a name from `lucid models`, or a path to a .cfg.",
)
@click.option(
    "--preset",
    metavar="NAME|FILE",
    help="How to climb: deepdream (Google's, for --layer), deepdraw, or a .toml or .json file.",
)
@click.option(
    "--canvas",
    type=click.Choice(["fourier", "pixels", "phase"]),
    help="What is climbed: Fourier coefficients; pixels; or phases alone, with the contrast of "
    "photographs (MACO). [default: fourier]",
)
@click.option(
    "--strength",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="How far to go: .1 is a shimmer, 1 is usual, 3 leaves little of a base.",
)
@click.option("--mask", type=FILE, help="Change the picture only where this image is bright.")
@click.option(
    "--path",
    metavar="line|circle|sine|'X,Y X,Y …'",
    help="Draw along a path with a soft round brush. X and Y are shares of the picture.",
)
@click.option(
    "--brush", type=click.IntRange(min=8), help="Its diameter, in pixels. Else a tile's side."
)
@click.option("--keep-colors", is_flag=True, help="Keep the base's colours: dream in brightness.")
@click.option(
    "--blur", type=click.FloatRange(0, 100), help="Blur after each pass, by so many pixels."
)
@click.option(
    "--tv",
    type=click.FloatRange(0, 100),
    help="Hold total variation down: in units of the gradient.",
)
@click.option(
    "--size",
    type=Size(),
    help="Of the picture, as 640x480; a base is stretched to it. Else the base's, or 224x224.",
)
@click.option(
    "--tiles",
    type=click.Choice(["spiral", "random", "grid", "none", "fixed"]),
    default="spiral",
    show_default=True,
    help="spiral: ring by ring from the centre, so that detail grows out from the middle; "
    "grid, random: all from one picture; none: the whole picture at once; fixed: deepdraw's "
    "first form, with its seams.",
)
@click.option(
    "--tile-size",
    type=click.IntRange(min=8),
    help="Side of a tile, in pixels. Else 224, or what the net is built for.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="Of neighbouring tiles, as a fraction.",
)
@click.option(
    "--padding",
    type=click.Choice(["reflect", "wrap", "mean"]),
    default="reflect",
    show_default=True,
    help="Past the picture's edge. wrap makes a seamless texture; mean is the original's.",
)
@click.option(
    "--octaves",
    type=click.IntRange(min=1),
    help="At how many sizes to climb; the last is --size, none is smaller than the net was "
    "trained at (or 2/3 of a small picture). Else 4; a net trained at less than 224 pixels "
    "climbs from there.",
)
@click.option(
    "--octave-scale",
    type=click.FloatRange(1, 10),
    help="How much larger each octave is than the one before. [default: 1.4]",
)
@click.option(
    "--iters",
    type=click.IntRange(min=1),
    help="Passes over the picture at each octave. Else what suits the net: 48 from noise on most, "
    "24 on a base.",
)
@click.option("--seed", type=SEED, help="Of all that is drawn at random. Else a new one.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Draw so many, each with the next seed, and a sheet of them all.",
)
@click.option(
    "--save-every", type=click.IntRange(min=1), help="Keep the picture after every so many passes."
)
@click.option(
    "--on-disk",
    is_flag=True,
    help="Paint pixels in files beside the output, as is done with what is too large for memory.",
)
@click.option("--resume", is_flag=True, help="Go on where the same command was cut short, on disk.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="The most tiles the net is shown at once. Else as many as pay and fit; -v says how many.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Where to write. Else a numbered file named after what was drawn.",
)
@click.option("--force", is_flag=True, help="Overwrite the file that -o names.")
@net_files
@machine
@loudness
def draw(
    base: Path | None,
    net_name: str,
    size: tuple[int, int] | None,
    seed: int | None,
    count: int,
    save_every: int | None,
    output: Path | None,
    force: bool,
    weights: Path | None,
    names: Path | None,
    on_disk: bool,
    resume: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Paint what a net knows: a class or a mix, from noise or on BASE, a picture.

    \b
    lucid draw --class goldfish
    lucid draw --class goldfish --class flamingo:0.5 --size 1024x768
    lucid draw --class lion@.3,.5 --class monarch@.7,.5 --size 640x384
    lucid draw photo.jpg --class "tiger cat" --net googlenet -o dream.png
    lucid draw photo.jpg --net googlenet --layer inception_4c/output --preset deepdream
    """
    from lucid import images, nets
    from lucid.draw import fits_memory

    picture = images.read(base) if base else None
    alpha = images.read_alpha(base) if base else None
    final = size
    if size is None and picture is not None:
        final = (picture.shape[1], picture.shape[2])
    if final and not fits_memory(final) and options["canvas"] in (None, "pixels"):
        on_disk = True
    if on_disk or resume:
        _check_on_disk(alpha is not None, count, save_every, **options)
        if not options["preset"]:
            options["canvas"] = options["canvas"] or "pixels"
    seed = _seed(seed, output, resume)
    # The outline knows the classes: a wrong one is found before any download.
    outline = nets.outline(net_name, weights, names)
    asked = _asked(outline, seed, **options)
    style = _style(outline, picture is not None, **options)
    _wishes(outline, asked, style, final, None, **options)  # what is wrong is said now
    mask = _read_mask(options["mask"]) if options["mask"] else None
    shown = images.read(options["guide"]) if options["guide"] else None

    subject = _subject(outline, asked, options["layers"])
    target = output or images.numbered(f"{base.stem}_{subject}" if base else subject)
    singles = [target]
    if count > 1:
        singles = [target.with_stem(f"{target.stem}_seed{seed + n}") for n in range(count)]
    for path in {target, *singles}:
        images.check_writable(path, final or (1, 1), alpha=alpha is not None)
        _check_free(path, save_every, force)

    net = nets.load(net_name, weights, names, progress=not quiet)
    speak_up(verbose, quiet)
    if verbose:
        tell_machine(net, options["device"], options["precision"], seed)
    wishes = _wishes(net, asked, style, final, shown, **options)
    settings = {
        "size": size,
        "manner": style,
        "order": options["tiles"],
        "octave_count": options["octaves"],
        "iterations": options["iters"],
        **{name: options[name] for name in PASSED_ON},
    }
    if on_disk or resume:
        _paint_on_disk(net, wishes, target, picture, resume, quiet, seed=seed, **settings)
        written = [target]
    else:
        settings |= {"mask": mask, "keep_colors": options["keep_colors"]}
        watcher = _Watcher(save_every, alpha, verbose)
        written = _paint(net, wishes, target, singles, picture, watcher, quiet, seed, settings)
    if not quiet:
        tell_written(written, f" (seed {seed})")


PASSED_ON = (
    *("tile_size", "overlap", "padding", "octave_scale", "strength"),
    *("device", "precision", "batch", "deterministic"),
)
"""Options that are called in Python what they are called here."""


def _paint(
    net: Net,
    wishes: list[Wish],
    target: Path,
    singles: list[Path],
    picture: Any,
    watcher: _Watcher,
    quiet: bool,
    seed: int,
    settings: dict[str, Any],
) -> list[Path]:
    """Draw a picture for each of the files, and a sheet if there are several; says which."""
    from lucid import images
    from lucid.draw import draw as paint
    from lucid.sheets import contact_sheet

    written: list[Path] = []
    pictures = []
    for number, single in enumerate(singles):
        watcher.begin(single)
        try:
            with progress_bar(single.name, 1, quiet) as watcher.bar:
                result = paint(net, wishes, picture, seed=seed + number, watch=watcher, **settings)
        except KeyboardInterrupt:
            if watcher.latest:
                written.append(_write(watcher.latest.picture(), single, watcher.alpha))
            stopped(written)
        pictures.append(result)
        written += [*watcher.written, _write(result, single, watcher.alpha)]
    if len(singles) > 1:
        images.write(contact_sheet(pictures), target)
        written.append(target)
    return written


def _paint_on_disk(
    net: Net,
    wishes: list[Wish],
    target: Path,
    picture: Any,
    resume: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    from lucid.giant import draw_on_disk

    def watch(done: int, total: int) -> None:
        bar.length = total
        bar.update(done - bar.pos)

    try:
        with progress_bar(target.name, 1, quiet) as bar:
            draw_on_disk(net, wishes, target, picture, resume=resume, watch=watch, **settings)
    except KeyboardInterrupt:
        click.echo(f"stopped: the same command with -o {target} --resume goes on", err=True)
        raise SystemExit(130) from None


def _seed(seed: int | None, output: Path | None, resume: bool) -> int:
    """The one that is given, or that the drawing to be resumed has, or a new one."""
    from lucid.giant import seed_to_resume

    if resume and not output:
        raise click.UsageError("--resume needs -o, the picture that was to be written")
    if resume and output:
        return seed_to_resume(output, seed)
    return secrets.randbelow(2**31) if seed is None else seed


def _check_on_disk(transparent: bool, count: int, save_every: int | None, **options: Any) -> None:
    """Refuse what needs the whole picture in memory."""
    refused = {
        "--count": count > 1,
        "--save-every": save_every,
        "--mask": options["mask"],
        "--keep-colors": options["keep_colors"],
        "--path": options["path"],
        "transparency": transparent,
    }
    for name, given in refused.items():
        if given:
            raise click.UsageError(f"there is no {name} for pictures that are painted on disk")


def _check_free(path: Path, save_every: int | None, force: bool) -> None:
    """Refuse to overwrite what is there already, unless that is asked for."""
    stages = path.parent.glob(f"{glob.escape(path.stem)}_pass*{path.suffix}")
    there = path if path.exists() else next(stages, None) if save_every else None
    if there and not force:
        raise click.UsageError(f"{there} exists: give --force to overwrite it")


def _asked(net: Net, seed: int, **options: Any) -> list[Asked]:
    """The classes that the command line names, in whatever way."""
    asked = list(options["classes"])
    if options["mix"]:
        asked += _read_mix(options["mix"])
    if options["random_classes"]:
        import torch

        net.need_classes()
        if options["random_classes"] > len(net.classes):
            raise click.UsageError(f"{net.name} has no more than {len(net.classes)} classes")
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(net.classes), generator=generator)[: options["random_classes"]]
        asked += [Asked(str(number)) for number in drawn.tolist()]
    if not asked and not options["layers"]:
        raise click.UsageError(
            "there is nothing to draw: give --class, --mix, --random-classes or --layer"
        )
    if options["guide"] and len(options["layers"]) != 1:
        raise click.UsageError("--guide needs one --layer to see it with")
    if options["brush"] and not options["path"] and not any(each.place for each in asked):
        raise click.UsageError("--brush means nothing without --path or --class NAME@X,Y")
    return asked


def _read_mix(path: Path) -> list[Asked]:
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
        asked.append(Asked(name, float(weight), place or None))
    return asked


def _style(net: Net, on_a_base: bool, **options: Any) -> Manner:
    """The manner that suits the net, as the options change it."""
    from dataclasses import replace

    from lucid.manners import on_canvas, read_manner, suited

    style = suited(net, on_a_base=on_a_base)
    if options["preset"]:
        style = read_manner(options["preset"], style)
    if options["canvas"]:
        style = on_canvas(style, options["canvas"])
    changes = {"blur": options["blur"], "variation": options["tv"]}
    return replace(style, **{key: value for key, value in changes.items() if value is not None})


def _wishes(
    net: Net,
    asked: list[Asked],
    style: Manner,
    size: tuple[int, int] | None,
    shown: Any,
    **options: Any,
) -> list[Wish]:
    """What is asked for, as objectives with their places: a mix for each place."""
    from lucid import draw as drawing
    from lucid.places import Everywhere

    brush = options["brush"]
    usual: Place = _brush(options["path"], size, brush) if options["path"] else Everywhere()
    mixes: dict[str | None, dict[str, float]] = {}
    for each in asked:
        mix = mixes.setdefault(each.place, {})
        mix[each.name] = mix.get(each.name, 0.0) + each.weight
    wishes = [
        drawing.Wish(
            drawing.classes(net, mix, style),
            _place(place, size, brush) if place else usual,
        )
        for place, mix in mixes.items()
    ]
    for layer in options["layers"]:
        objective = layer_objective(net, *layer)
        if shown is not None:
            objective = drawing.guide(
                net, layer[0], shown, device=options["device"], precision=options["precision"]
            )
        wishes.append(drawing.Wish(objective, usual))
    return wishes


def layer_objective(
    net: Net, name: str, channel: int | None, neuron: tuple[float, float] | None
) -> Objective:
    """What excites a layer, a channel or a neuron, as ``LayerType`` reads it."""
    from lucid.objectives import Channel, Energy

    layer = net.find_layer(name)
    shape = next(shape for known, _, shape in net.describe() if known == layer)
    if channel is None:
        return Energy(layer)
    if channel >= shape[0]:
        raise click.UsageError(f"layer {name} has channels 0 to {shape[0] - 1}, no {channel}")
    return Channel(layer, channel, neuron)


def _place(text: str, size: tuple[int, int] | None, brush: float | None) -> Place:
    from lucid.places import Inside

    numbers = text.split(",")
    try:
        shares = [float(number) for number in numbers]
    except ValueError:
        if Path(text).suffix:
            return Inside(_read_mask(Path(text)))
        raise click.UsageError(
            f"place {text!r} is neither X,Y nor X,Y,DIAMETER nor an image file"
        ) from None
    if len(shares) not in (2, 3) or not all(0 <= share <= 1 for share in shares[:2]):
        raise click.UsageError(f"place {text!r}: X and Y are shares of the picture, from 0 to 1")
    point = f"{shares[0]},{shares[1]}"
    return _brush(point, size, shares[2] if len(shares) == 3 else brush)


def _brush(path: str, size: tuple[int, int] | None, diameter: float | None) -> Place:
    from lucid.manners import TILE
    from lucid.places import Along, read_path

    shorter = min(size or (TILE, TILE))
    if diameter is None:
        diameter = min(TILE, shorter)
    if not 8 <= diameter <= 100_000:
        raise click.UsageError(f"a brush of {diameter:g} pixels: from 8")
    return Along(read_path(path), diameter / shorter)


def _read_mask(path: Path) -> Any:
    from lucid import images
    from lucid.canvas import brightness

    return brightness(images.read(path))[0]


def _subject(net: Net, asked: list[Asked], layers: tuple[Any, ...]) -> str:
    """What is drawn, as part of a file's name."""
    from lucid.draw import find_class

    found = [(each.name, find_class(net, each.name)) for each in asked]
    words = [net.classes[key] if isinstance(key, int) else name for name, key in found]
    words += [name if channel is None else f"{name}-{channel}" for name, channel, _ in layers]
    return "+".join(re.sub(r"\W+", "-", word).strip("-") for word in words)[:100]


class _Watcher:
    """What is told after each pass: the bar, the stages that are kept, the octaves."""

    def __init__(self, save_every: int | None, alpha: Image.Image | None, verbose: bool) -> None:
        self.save_every, self.alpha, self.verbose = save_every, alpha, verbose
        self.bar: Any = None

    def begin(self, target: Path) -> None:
        """From now on a picture is drawn that will be written there."""
        self.target = target
        self.latest: Progress | None = None
        self.passes = 0
        self.written: list[Path] = []

    def __call__(self, progress: Progress) -> None:
        before, self.latest = self.latest, progress
        self.passes += 1
        if self.verbose and (before is None or before.octave != progress.octave):
            height, width = progress.octave
            click.echo(f"climbing at {width}x{height}", err=True)
        self.bar.length = progress.total
        self.bar.update(progress.done - (before.done if before else 0))
        if self.save_every and self.passes % self.save_every == 0:
            path = self.target.with_stem(f"{self.target.stem}_pass{self.passes:05d}")
            self.written.append(_write(progress.picture(), path, self.alpha))


def _write(picture: Image.Image, path: Path, alpha: Image.Image | None) -> Path:
    from lucid import images

    if alpha is not None:
        picture.putalpha(alpha.resize(picture.size))
    images.write(picture, path)
    return path
