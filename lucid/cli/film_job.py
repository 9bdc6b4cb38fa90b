"""What ``lucid film`` does: dream the frames of each film into a folder, then encode them."""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from lucid.cli import console, files, film_folder, film_targets, hints, targets
from lucid.cli.film import FilmArguments
from lucid.cli.film import film as command
from lucid.cli.recipe_args import build_recipe, frozen_options
from lucid.drawing.config import default_config
from lucid.drawing.options import DrawOptions
from lucid.drawing.preset_files import read_preset
from lucid.drawing.progress import Progress
from lucid.films import optical_flow, warp
from lucid.films.film import film, film_config
from lucid.films.video_dream import dream_over
from lucid.imaging import Size, recipes, video
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import read_image, write_image
from lucid.imaging.preview import Preview
from lucid.imaging.recipes import FILM_RECIPE, Recipe
from lucid.imaging.sound import CODECS, check_sound, has_sound
from lucid.imaging.video import Footage, Frames
from lucid.nets.net import Net
from lucid.plugins import is_code, load_object

FREE = ("frames", "batch", "delay", "fps", "audio", "loop", "reverse", "boomerang")
"""Options that may change when a film is resumed."""

MADE_BY_LUCID = "made by lucid"
"""The text in frames without a recipe, by which lucid knows them as its own."""


def print_warps() -> None:
    """Print every warp with its arguments and what it does."""
    for name in sorted(warp.WARPS):
        summary = (warp.WARPS[name].__doc__ or "").split("\n\n")[0]
        console.echo(f"{warp.usage(name):<46} {' '.join(summary.split())}")


def film_all(arguments: FilmArguments) -> None:
    """Make a film of each base, or from noise, and print where it was written."""
    dreaming = arguments.classes or arguments.layers or arguments.warps or arguments.resume
    if arguments.source and (arguments.base or dreaming):
        raise click.UsageError(
            "--from encodes frames and paints none: leave BASE, --class, --warp and --resume out"
        )
    if arguments.canvas == "cppn":
        raise click.UsageError("a CPPN starts from nothing, a frame from the one before: no film")
    if arguments.fps and arguments.delay:
        raise click.UsageError("--fps and --delay say the same: leave one out")
    meta = None if arguments.source else arguments.load_meta()
    if meta:
        hints.check_bases(arguments.base, arguments.classes, meta.classes)
    bases = files.find_files(arguments.base)
    files.check_output(arguments.output, bases, {"--resume": arguments.resume})
    for file in map(files.resolve_stdin, bases):  # errors appear before the first film is made
        video.Footage(file) if video.is_film(file) else read_image(file)
    with files.stdout_target(arguments.output, ".gif") as output:
        starts: list[Path | None] = [*bases] or [None]  # None is noise
        taken: list[Path] = []
        for base in starts:
            seed = _choose_seed(arguments)
            path = _name_film(arguments, meta, base, output, seed, taken)
            taken.append(path)
            note = _make_film(arguments, base, path, seed)
            if not arguments.quiet and str(arguments.output) != "-":
                console.echo(f"wrote {path} ({note})")


def _choose_seed(arguments: FilmArguments) -> int | None:
    """The seed that was typed, or a new one; None for that of the film to resume."""
    if arguments.seed is None and not arguments.resume:
        return secrets.randbelow(2**31)
    return arguments.seed


def _name_film(
    arguments: FilmArguments,
    meta: Net | None,
    base: Path | None,
    output: Path | None,
    seed: int | None,
    taken: Sequence[Path],
) -> Path:
    """Name the file or folder of a film."""
    if output is None:
        return files.reserve_numbered("film", suffix=".gif")
    file = files.resolve_stdin(base) if base else None
    words = {"stem": file.stem if file else "noise"}
    if meta:
        classes = film_targets.film_classes(meta, arguments, seed or 0)
        words |= {"net": meta.name, "class": targets.output_stem(meta, classes, ())}
        words["layer"] = targets.output_stem(meta, [], arguments.layers)
        words |= {} if seed is None else {"seed": str(seed)}
    return files.fill_name(output, words, taken)


def _make_film(arguments: FilmArguments, base: Path | None, target: Path, seed: int | None) -> str:
    """Make one film; return what to print of it: its number of frames, and its seed."""
    video.check_writable(target)
    if arguments.audio:
        check_sound(arguments.audio, target)
    if not target.suffix:
        files.make_folder(target)
    # A folder may lie in one that cannot be written to.
    files.reserve_output(target if target.suffix else target / FILM_RECIPE)
    if target.suffix:
        files.refuse_overwrite((target, recipes.sidecar_path(target)), arguments.force)
    file = arguments.source or (files.resolve_stdin(base) if base else None)
    footage: Footage | None = None
    if file and video.is_film(file):
        footage = Footage(file, arguments.start or 0, arguments.frames)

    def encode(frames: Iterable[Image.Image], recipe: Recipe) -> None:
        delay = arguments.delay or (footage.delay if footage else video.DEFAULT_DELAY)
        if arguments.fps:
            delay = (100 / Fraction(arguments.fps)).limit_denominator(1000)
        options: dict[str, Any] = {"delay": delay, "loop": arguments.loop}
        options["sound"] = arguments.audio or _own_sound(arguments, footage, target)
        if footage and not arguments.audio:
            options["sound_start"] = footage.start * Fraction(footage.delay) / 100
        text = "" if arguments.no_recipe else recipe.toml()
        video.write(frames, target, metadata=text, replace=arguments.force, **options)

    if arguments.source:
        note, recipe = _show_again(arguments, target, encode)
    elif target.suffix:
        part = target.with_name(f"{target.name}.part")
        dreams, recipe = _dream_frames(arguments, base, footage, part, seed)
        note = f"{len(dreams)} frames, seed {recipe.options['seed']}"
        encode(_in_order(dreams, arguments), recipe)
        _remove(dreams)
    else:
        if arguments.reverse or arguments.boomerang:
            raise click.UsageError(f"{target} is a folder: its frames keep the order of dreaming")
        dreams, recipe = _dream_frames(arguments, base, footage, target, seed)
        note = f"{len(dreams)} frames, seed {recipe.options['seed']}"
    if not arguments.no_recipe:
        recipes.write_sidecar(recipe, target, replace=arguments.force or not target.suffix)
    elif not target.suffix:
        (target / FILM_RECIPE).unlink(missing_ok=True)
    return note


def _own_sound(arguments: FilmArguments, footage: Footage | None, target: Path) -> Path | None:
    """The video whose sound a film keeps, if it still fits to the frames and can be held."""
    changed = arguments.delay or arguments.fps or arguments.reverse or arguments.boomerang
    if footage is None or changed or target.suffix.lower() not in CODECS:
        return None
    is_video = footage.path.suffix.lower() in video.VIDEO_SUFFIXES
    return footage.path if is_video and has_sound(footage.path) else None


def _show_again(
    arguments: FilmArguments,
    target: Path,
    encode: Callable[[Iterable[Image.Image], Recipe], None],
) -> tuple[str, Recipe]:
    """Make a film of the frames of --from; return its number of frames, and its recipe."""
    recipe, source = build_recipe(), arguments.source or Path()
    part = video.Footage(source, arguments.start or 0, arguments.frames)
    frames: Iterable[Image.Image] = part
    if arguments.reverse or arguments.boomerang:
        whole = video.read(source)
        chosen = whole if part.count == len(whole) else list(part)
        frames = _in_order(chosen, arguments)
    if target.resolve() == source.resolve():  # whose frames are deleted before new ones are written
        frames = list(frames)
    counted = _Counted(frames)
    if target.suffix:
        encode(counted, recipe)
    else:
        folder = film_folder.empty_folder(target, arguments.force)
        for frame in counted:
            folder.append(frame, MADE_BY_LUCID if arguments.no_recipe else recipe.toml())
    return f"{counted.count} frames", recipe


class _Counted:
    """Frames that are counted as they are read."""

    def __init__(self, frames: Iterable[Image.Image]) -> None:
        self._frames, self.count = frames, 0

    def __iter__(self) -> Iterator[Image.Image]:
        for frame in self._frames:
            self.count += 1
            yield frame


def _in_order(frames: Sequence[Image.Image], arguments: FilmArguments) -> Iterator[Image.Image]:
    return video.playback_order(frames, reverse=arguments.reverse, boomerang=arguments.boomerang)


def _dream_frames(
    arguments: FilmArguments,
    base: Path | None,
    footage: Footage | None,
    folder: Path,
    seed: int | None,
) -> tuple[Frames, Recipe]:
    """Dream all frames that are not in the folder yet; return them all and the recipe."""
    count = _frame_count(arguments, footage)
    targets.check_base(arguments)
    # Errors appear before any download.
    film_targets.read_keyframes(arguments.load_meta(), arguments, seed or 0)
    if base and footage is None:
        read_image(files.resolve_stdin(base))
    before = film_folder.resumed_recipe(folder, arguments.seed) if arguments.resume else None
    frames = (
        film_folder.unfinished(folder)
        if before
        else film_folder.empty_folder(folder, arguments.force)
    )
    seed = before.options["seed"] if before else seed or 0
    dream = _Dream(arguments, arguments.load(), base, footage, frames, count, seed, arguments.batch)
    recipe = dream.recipe()
    if before and frozen_options(before, command, FREE) != frozen_options(recipe, command, FREE):
        raise click.UsageError(f"{folder} was begun with other settings: give the same")
    recipes.write_sidecar(recipe, folder / FILM_RECIPE)
    console.start_log(arguments, dream.net, seed)
    described = targets.describe_classes(
        dream.net, film_targets.film_classes(dream.net, arguments, seed)
    )
    console.print_painting(arguments, described)
    if arguments.verbose:
        console.echo(f"the frames so far: {folder / film_folder.SHEET}", err=True)
    with console.progress_bar(folder.name.removesuffix(".part"), count, arguments) as bar:
        bar.skip(min(len(frames), count))
        try:
            dream.write(bar, MADE_BY_LUCID if arguments.no_recipe else recipe.toml())
        except KeyboardInterrupt:
            console.echo(f"stopped after {len(frames)} frames: --resume goes on", err=True)
            raise SystemExit(130) from None
        except Exception:
            if not frames:  # the same command, put right, begins anew
                _remove(frames)
            raise
    return frames, dream.recipe()


def _remove(frames: Frames) -> None:
    """Delete a folder of frames, unless the user keeps something in it."""
    frames.remove(film_folder.SHEET, FILM_RECIPE)
    with contextlib.suppress(OSError):
        frames.folder.rmdir()


@dataclass
class _Dream:
    """A film that is dreamt into a folder; ``batch`` is what the net really sees at once."""

    arguments: FilmArguments
    net: Net
    base: Path | None
    footage: Footage | None
    frames: Frames
    count: int
    seed: int
    batch: int | None

    def recipe(self) -> Recipe:
        overrides: dict[str, Any] = {"base": self.base, "frames": self.count, "seed": self.seed}
        if self.arguments.variety is None:
            overrides["variety"] = float(default_config(self.net, on_base=False).variety)
        made = {"config": film_config(self.net).to_dict()}
        return build_recipe(self.net, made, **overrides, batch=self.batch)

    def write(self, bar: console.ProgressBar, metadata: str) -> None:
        """Write frames as they come, and now and then a contact sheet of those so far."""
        preview = Preview() if self.arguments.preview else None
        for frame in self.dream():
            self.frames.append(frame, metadata)
            bar.update(1)
            done = len(self.frames)
            if preview:
                preview.show(frame, last=done == self.count)
            if done % max(1, self.count // 16) == 0 or done == self.count:
                some = self.frames[:: max(1, done // 16)]
                small = [
                    each.resize((160, max(1, 160 * each.height // each.width))) for each in some
                ]
                write_image(contact_sheet(small), self.frames.folder / film_folder.SHEET, metadata)

    def dream(self) -> Iterator[Image.Image]:
        """Dream the frames that come after those in the folder."""
        arguments, done = self.arguments, len(self.frames)
        last = self.frames[done - 1] if done else None
        base = None
        if self.base and self.footage is None:
            base = read_image(files.resolve_stdin(self.base))
        shape = self._shape(base)
        size = arguments.size.of(shape) if arguments.size else shape
        if arguments.channels:
            seen = base if self.footage is None else next(iter(self.footage))
            arguments = replace(arguments, layers=targets.ranked_layers(self.net, arguments, seen))
        keyframes = film_targets.read_keyframes(
            self.net, arguments, self.seed, size, with_guide=True
        )
        options: DrawOptions = {
            "size": size if arguments.size else None,
            "fit": arguments.fit,
            "mask": targets.requested_mask(arguments.mask),
            "keep_colors": arguments.keep_colors,
            "padding": arguments.padding,
            "octave_count": arguments.octaves,
            "octave_scale": arguments.octave_scale,
            "iterations": arguments.iters,
            "strength": arguments.strength,
            "variety": arguments.variety,
            "weight_decay": arguments.weight_decay,
            "laplacian": arguments.laplacian,
            "flip": arguments.flip or None,
            "tile_size": arguments.tile_size,
            "seed": self.seed,
            "runtime": arguments.runtime,
        }
        if arguments.preset:
            options["config"] = read_preset(arguments.preset, film_config(self.net))
        if arguments.canvas:
            own = is_code(arguments.canvas)
            options["canvas"] = load_object(arguments.canvas) if own else arguments.canvas
        if self.footage is None:
            after = None if last is None else (done - 1, last)
            return film(
                *(self.net, keyframes, base),
                frames=self.count,
                contrast=arguments.contrast,
                after=after,
                watch=self.watch,
                **options,
            )
        over = dream_over
        if arguments.blend is not None:
            over = functools.partial(dream_over, blend=arguments.blend)
        return over(
            *(self.net, keyframes, self.footage),
            flow=not arguments.no_flow,
            contrast=arguments.contrast,
            skip=done,
            last=last,
            watch=self.watch,
            **options,
        )

    def _shape(self, base: Tensor | None) -> Size | None:
        """The (height, width) of what the film is drawn on; None for noise."""
        if self.footage is None:
            return None if base is None else (base.shape[1], base.shape[2])
        first = next(iter(self.footage))
        return first.height, first.width

    def watch(self, frame: int, progress: Progress) -> None:
        self.batch = progress.batch


def _frame_count(arguments: FilmArguments, footage: Footage | None) -> int:
    """Return the number of frames; refuse what does not go together."""
    count = arguments.frames
    if count is None:
        count = 60 if footage is None else footage.count
    if footage is None:
        if arguments.blend is not None or arguments.no_flow or arguments.start is not None:
            raise click.UsageError("--blend, --no-flow and --start are for videos")
        return count
    if arguments.warps and arguments.no_flow:
        raise click.UsageError("--warp changes the last dream, which --no-flow leaves out")
    if not arguments.no_flow:
        optical_flow.check_installed()
    return count
