"""Films as files: numbered frames, GIF, animated PNG and WebP, MP4 and WebM."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence, UnidentifiedImageError

from lucid.errors import LucidError, UsageError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.files import FORMATS, atomic_write
from lucid.imaging.metadata import metadata_options

DELAY = 7
"""Between frames, in hundredths of a second, where nothing else is said."""

VIDEO = {".mp4": "libx264", ".webm": "libvpx-vp9"}
"""Endings of video files, with the encoder."""

VIDEOS = (*VIDEO, ".mov", ".mkv", ".avi", ".m4v")
"""Endings of video files that are read."""

ANIMATED = {".gif": "GIF", ".apng": "PNG", ".webp": "WEBP"}
"""Endings of films that Pillow writes, with its name of the format."""

ENDINGS = (*ANIMATED, *VIDEO)

QUALITY = {"libx264": {"crf": "16", "preset": "slow"}, "libvpx-vp9": {"crf": "24", "b": "0"}}


class Pictures(Sequence[Image.Image]):
    """Image files as frames, each read when it is looked at."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = list(files)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: Any) -> Any:
        """
        Raises:
            LucidError: the file is no image that can be read.
        """
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        try:
            with Image.open(self.files[number]) as image:
                return image.convert("RGB")
        except (OSError, ValueError, SyntaxError) as error:
            raise LucidError(f"{self.files[number]}: is not an image that can be read") from error


class Frames(Pictures):
    """The numbered frames of a folder, ``frame_000000.png`` and on, to which more are added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = map(self.path, itertools.count())
        super().__init__(itertools.takewhile(Path.exists, paths))

    def path(self, number: int) -> Path:
        """Of the frame with that number."""
        return self.folder / f"frame_{number:06d}.png"

    def append(self, frame: Image.Image, note: str = "") -> None:
        """Write the next frame, whole or not at all, with a note: see ``write_image``.

        Raises:
            LucidError: it cannot be written.
        """
        path = self.path(len(self))
        with atomic_write(path) as part:
            frame.save(part, format="PNG", **metadata_options("PNG", note))
        self.files.append(path)

    def remove(self, *others: str) -> None:
        """Remove all frames, what a kill left of one, and other files of the folder."""
        names = ("frame_*.png", ".*.png.*", *others)
        for path in itertools.chain(*(self.folder.glob(name) for name in names)):
            path.unlink()
        self.files.clear()


def read(path: Path) -> Sequence[Image.Image]:
    """The frames of a film: of a folder of pictures, an animation or a video.

    Of a folder its frames, if it has any, else all pictures, by the numbers in their names.

    Raises:
        LucidError: it is none, or cannot be read.
    """
    if path.is_dir():
        if len(frames := Frames(path)):
            return frames
        files = [file for file in path.iterdir() if file.suffix.lower() in FORMATS]
        if not files:
            raise LucidError(f"{path}: holds no pictures")
        return Pictures(sorted(files, key=_by_number))
    if path.suffix.lower() in ANIMATED or path.suffix.lower() in FORMATS:
        try:
            with Image.open(path) as image:
                return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
            raise LucidError(f"{path}: cannot be read as a film ({error})") from error
    return list(_decoded(path))


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path.name)]


@dataclass(frozen=True)
class Footage:
    """A film to dream on, of which a video's frames are read one by one.

    Attributes:
        path: of a folder of pictures, an animation or a video.
        count: of its frames.
        delay: between them, in hundredths of a second.
    """

    path: Path
    count: int
    delay: Fraction

    def __iter__(self) -> Iterator[Image.Image]:
        moving = self.path.suffix.lower() in VIDEOS
        return _decoded(self.path) if moving else iter(read(self.path))


def footage(path: Path) -> Footage:
    """What ``is_film`` says is one.

    Raises:
        LucidError: it cannot be read.
        UsageError: what reads videos is missing.
    """
    if path.suffix.lower() not in VIDEOS:
        frames = read(path)
        delay = Fraction(DELAY)
        if path.is_file():
            with Image.open(path) as image:
                image.load()  # WebP's says no sooner
                delay = Fraction(image.info.get("duration") or 10 * DELAY) / 10
        return Footage(path, len(frames), delay.limit_denominator(1000))
    av = _av()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            count = stream.frames or sum(1 for _ in container.decode(stream))
            return Footage(path, count, 100 / Fraction(stream.average_rate or 25))
    except (av.FFmpegError, IndexError, OSError) as error:
        raise LucidError(f"{path}: cannot be read as a video ({error})") from error


def is_film(path: Path) -> bool:
    """Whether a file holds more than one picture, as far as its name and header say."""
    if path.is_dir() or path.suffix.lower() in VIDEOS:
        return True
    if path.suffix.lower() not in ANIMATED:
        return False
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError):
        return False


def in_order(
    frames: Sequence[Image.Image], *, reverse: bool = False, boomerang: bool = False
) -> Iterator[Image.Image]:
    """Frames from the last to the first, or there and back again."""
    numbers = list(range(len(frames)))
    if reverse:
        numbers.reverse()
    if boomerang:
        numbers += numbers[-2:0:-1]
    return (frames[number] for number in numbers)


def check(path: Path) -> None:
    """Find out before the work that a film cannot be written.

    Raises:
        UsageError: the name's ending is none that we write, or what writes it is missing.
    """
    if not path.suffix:
        return
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path}: end the name in {', '.join(ENDINGS)}, or give a folder")
    if path.suffix.lower() in VIDEO:
        _av()
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")


def write(
    frames: Iterable[Image.Image],
    path: Path,
    *,
    delay: Fraction | int = DELAY,
    loop: int = 0,
    note: str = "",
) -> None:
    """Write a film, whole or not at all.

    Args:
        frames: of one size; at least one.
        path: its ending says what is written (``ENDINGS``).
        delay: between frames, in hundredths of a second.
        loop: how often an animation is shown; 0 for ever. A video does not say.
        note: a text in ASCII to keep with it.

    Raises:
        UsageError: see ``check``.
        LucidError: it cannot be written.
    """
    check(path)
    frames = _alike(frames, path)
    with atomic_write(path) as part:
        if path.suffix.lower() in VIDEO:
            _encode(frames, part, path.suffix.lower(), delay, note)
        else:
            kind = ANIMATED[path.suffix.lower()]
            _animate(list(frames), part, kind, delay, loop, **metadata_options(kind, note))


def _alike(frames: Iterable[Image.Image], path: Path) -> Iterator[Image.Image]:
    """Frames that a film can be made of."""
    first: Image.Image | None = None
    for frame in frames:
        first = first or frame
        if frame.size != first.size:
            raise LucidError(f"{path}: its frames are not all of one size")
        if path.suffix.lower() in VIDEO and min(frame.size) < 2:
            raise LucidError(f"{path}: a video is two pixels wide and high, or more")
        yield frame


def _animate(
    frames: list[Image.Image],
    part: Path,
    kind: str,
    delay: Fraction | int,
    loop: int,
    **options: Any,
) -> None:
    options |= {"duration": round(10 * delay), "save_all": True, "format": kind}
    # In GIF no word means once, and a number how often it is shown again.
    if kind != "GIF" or loop != 1:
        options["loop"] = loop - 1 if kind == "GIF" and loop else loop
    if kind == "GIF":
        # One palette for all, of frames from the whole film: else colours would flicker.
        some = frames[:: max(1, len(frames) // 16)]
        palette = contact_sheet(some).quantize(256, Image.Quantize.MEDIANCUT)
        frames = [frame.quantize(palette=palette) for frame in frames]
    if kind == "WEBP":
        options |= {"quality": 90, "method": 4}
    frames[0].save(part, append_images=frames[1:], **options)


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise UsageError(
            "videos need PyAV: pip install 'lucid-nightmare[video]', or end the name in .gif"
        ) from None
    return av


def _encode(
    frames: Iterable[Image.Image], part: Path, ending: str, delay: Fraction | int, note: str
) -> None:
    av = _av()
    # Without a date or a number drawn at random: the same frames make the same file.
    exact = {"fflags": "+bitexact"}
    with av.open(str(part), "w", format=ending[1:], options=exact) as container:
        container.metadata["comment"] = note
        stream = None
        for frame in frames:
            # Both encoders halve the resolution of colours.
            even = frame.crop((0, 0, frame.width // 2 * 2, frame.height // 2 * 2))
            if stream is None:
                stream = container.add_stream(
                    VIDEO[ending], rate=(100 / Fraction(delay)).limit_denominator(1000)
                )
                stream.width, stream.height = even.size
                stream.pix_fmt = "yuv420p"
                stream.options = QUALITY[VIDEO[ending]]
            container.mux(stream.encode(av.VideoFrame.from_image(even)))
        if stream is not None:
            container.mux(stream.encode())


def _decoded(path: Path) -> Iterator[Image.Image]:
    av = _av()
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_image()
    except (av.FFmpegError, IndexError, OSError) as error:
        raise LucidError(f"{path}: cannot be read as a video ({error})") from error
