"""Read and write films: numbered frames, GIF, animated PNG and WebP, MP4 and WebM."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from lucid.errors import LucidError, UsageError
from lucid.imaging import files
from lucid.imaging.av_files import import_av, open_av
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.files import FORMATS, atomic_write, check_path, open_image
from lucid.imaging.metadata import metadata_options
from lucid.imaging.sound import Soundtrack

DEFAULT_DELAY = 7
"""Time between frames in hundredths of a second."""

ANIMATION_FORMATS = {".gif": "GIF", ".apng": "PNG", ".webp": "WEBP"}
"""Suffixes of animations that lucid writes, with Pillow's format names."""

VIDEO_CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9"}
"""Suffixes of videos that lucid writes, with FFmpeg's encoder names."""

CODEC_OPTIONS = {"libx264": {"crf": "16", "preset": "slow"}, "libvpx-vp9": {"crf": "24", "b": "0"}}

WRITABLE_SUFFIXES = (*ANIMATION_FORMATS, *VIDEO_CODECS)
"""Suffixes of films that lucid writes."""

VIDEO_SUFFIXES = (*VIDEO_CODECS, ".mov", ".mkv", ".avi", ".m4v")
"""Suffixes of videos that lucid reads."""

MAX_PIXELS_IN_MEMORY = 2**29
"""Pixels of all frames that are held in memory, of three bytes each, to show them backwards."""


class ImageFiles(Sequence[Image.Image]):
    """A sequence of RGB images, each of which is read from its file on access."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = list(files)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        with open_image(self.files[index]) as image:
            return image.convert("RGB")


class Frames(ImageFiles):
    """The numbered frames in a folder: ``frame_000000.png``, ``frame_000001.png`` and so on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(itertools.takewhile(Path.exists, map(self.path, itertools.count())))

    def path(self, number: int) -> Path:
        """Return the path of the frame with a number, which need not exist."""
        return self.folder / f"frame_{number:06d}.png"

    def append(self, frame: Image.Image, metadata: str = "") -> None:
        """Write the next frame atomically, with an ASCII text as metadata."""
        path = self.path(len(self))
        with atomic_write(path, replace=False) as part:
            frame.save(part, format="PNG", **metadata_options("PNG", metadata))
        self.files.append(path)

    def remove(self, *others: str) -> None:
        """Delete all frames and other named files."""
        for path in [*self.files, *map(self.folder.joinpath, others)]:
            path.unlink(missing_ok=True)
        self.files.clear()


def read(path: Path) -> Sequence[Image.Image]:
    """Read the RGB frames of an animation or video into memory, or those of a folder on access.

    From a folder come its numbered frames if there are any, otherwise all images in the order of
    the numbers in their names.

    Raises:
        LucidError: the file cannot be read, its frames have more than ``MAX_PIXELS_IN_MEMORY``,
            or the folder holds no images.
    """
    if path.is_dir():
        if len(frames := Frames(path)):
            return frames
        files = [file for file in path.iterdir() if file.suffix.lower() in FORMATS]
        if not files:
            raise LucidError(f"{path}: holds no pictures")
        return ImageFiles(sorted(files, key=_natural_order))
    held: list[Image.Image] = []
    room = MAX_PIXELS_IN_MEMORY
    if path.suffix.lower() in {*ANIMATION_FORMATS, *FORMATS}:
        with open_image(path) as image:  # whose header tells how much there is
            pixels = getattr(image, "n_frames", 1) * image.width * image.height
        if pixels > room:
            raise LucidError(
                f"{path}: {pixels:,} pixels in all frames are too many for the memory: give a "
                "folder of frames, which `lucid film --from FILE -o FOLDER` makes"
            )
    for frame in _stream(path):
        room -= frame.width * frame.height
        if room < 0:
            raise LucidError(
                f"{path}: its first {len(held)} frames of {frame.width}x{frame.height} pixels fill "
                "the memory: `lucid film --from VIDEO -o FOLDER` first, then --from FOLDER"
            )
        held.append(frame)
    return held


def first_frame(path: Path) -> Image.Image:
    """Read the first frame, RGB, of an animation or video, and no other.

    Raises:
        LucidError: the file cannot be read, or holds no frame.
    """
    frames = _stream(path)
    with contextlib.closing(frames):
        for frame in frames:
            return frame
    raise LucidError(f"{path}: holds no frame")


def _stream(path: Path) -> Generator[Image.Image]:
    """Read the RGB frames of an animation or video, one at a time."""
    if path.suffix.lower() not in {*ANIMATION_FORMATS, *FORMATS}:
        yield from _decode(path)
        return
    with open_image(path) as image:
        for frame in ImageSequence.Iterator(image):
            yield frame.convert("RGB")


def _natural_order(path: Path) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path.name)]


class Footage:
    """A film to dream on. Iterating yields RGB images, of which one at a time is in memory.

    Attributes:
        path: an animation, a video or a folder of images.
        start: number of the first frame, from 0; those before it are left out.
        count: number of frames from there on.
        delay: time between frames in hundredths of a second.
    """

    def __init__(self, path: Path, start: int = 0, most: int | None = None) -> None:
        """Read the number of frames and the frame rate of a path for which ``is_film`` is true.

        With ``most``, there are at most so many frames.

        Raises:
            UsageError: the film ends before ``start``.
            LucidError: the film cannot be read.
        """
        self.path, self.start = path, start
        self.delay = Fraction(DEFAULT_DELAY)
        if path.is_dir():
            self.count = len(read(path))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            with _open_video(path) as container:
                stream = container.streams.video[0]
                self.count = stream.frames or sum(1 for _ in container.decode(stream))
                self.delay = 100 / Fraction(stream.average_rate or 25)
        else:
            with open_image(path) as image:
                image.load()  # Pillow knows the duration of a WebP frame after decoding it
                milliseconds = Fraction(image.info.get("duration") or 10 * DEFAULT_DELAY)
                self.delay = (milliseconds / 10).limit_denominator(1000)
                self.count = getattr(image, "n_frames", 1)
        if start >= self.count:
            raise UsageError(f"{path}: has {self.count} frames, and none of number {start}")
        self.count = min(self.count - start, most or self.count)

    def __iter__(self) -> Iterator[Image.Image]:
        frames = iter(read(self.path)) if self.path.is_dir() else _stream(self.path)
        return itertools.islice(frames, self.start, self.start + self.count)


def is_film(path: Path) -> bool:
    """Tell whether a path is a folder, a video, or an animation of two frames or more."""
    if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    if path.suffix.lower() not in ANIMATION_FORMATS:
        return False
    with contextlib.suppress(LucidError), open_image(path) as image:
        return getattr(image, "n_frames", 1) > 1
    return False


def playback_order(
    frames: Sequence[Image.Image], *, reverse: bool = False, boomerang: bool = False
) -> Iterator[Image.Image]:
    """Iterate over frames as a film shows them, reading each when it is needed.

    ``reverse`` starts with the last frame; ``boomerang`` then goes back to the first, and shows the
    frames at both ends once.
    """
    order = list(range(len(frames)))[:: -1 if reverse else 1]
    if boomerang:
        order += order[-2:0:-1]
    return (frames[number] for number in order)


def check_writable(path: Path) -> None:
    """Raise a UsageError before long work if a film cannot be written; any folder is accepted."""
    if not path.suffix:
        return
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UsageError(
            f"{path}: end the name in {', '.join(WRITABLE_SUFFIXES)}, or give a folder"
        )
    if path.suffix.lower() in VIDEO_CODECS:
        import_av()
    check_path(path)


def write(
    frames: Iterable[Image.Image],
    path: Path,
    *,
    delay: Fraction | int = DEFAULT_DELAY,
    loop: int = 0,
    metadata: str = "",
    sound: Path | None = None,
    sound_start: Fraction = Fraction(0),
    replace: bool = True,
) -> None:
    """Write RGB images as an animation or a video, atomically, with ASCII metadata.

    The delay between frames is in hundredths of a second. An animation plays ``loop`` times, or
    for ever if this is 0; videos do not store it. A video has the first sound of the file
    ``sound`` from ``sound_start`` in seconds, as far as the frames last. Without ``replace``, an
    existing file is kept (see
    ``atomic_write``).

    Raises:
        UsageError: ``check_writable`` refuses the path.
        LucidError: the frames differ in size or are too small, or the file cannot be written.
    """
    check_writable(path)
    suffix = path.suffix.lower()
    frames = _checked(frames, path)
    with atomic_write(path, replace=replace) as part:
        if suffix in VIDEO_CODECS:
            _encode(frames, part, suffix, delay, metadata, sound, sound_start)
        else:
            name = ANIMATION_FORMATS[suffix]
            options = {"duration": round(10 * delay), "loop": loop}
            _animate(list(frames), part, name, options | metadata_options(name, metadata))


def _checked(frames: Iterable[Image.Image], path: Path) -> Iterator[Image.Image]:
    """Pass frames through, and raise an error for a frame that the film cannot hold."""
    size: tuple[int, int] | None = None
    for frame in frames:
        size = size or frame.size
        if frame.size != size:
            raise LucidError(f"{path}: its frames are not all of one size")
        if path.suffix.lower() in VIDEO_CODECS and min(size) < 2:
            raise LucidError(f"{path}: a video is two pixels wide and high, or more")
        yield frame


def _animate(
    frames: list[Image.Image], part: Path, format_name: str, options: dict[str, Any]
) -> None:
    if format_name == "GIF":
        # GIF stores the number of repetitions after the first time; no number means none.
        if options["loop"] == 1:
            del options["loop"]
        elif options["loop"]:
            options["loop"] -= 1
        # One palette for all frames, made from about 16 of them, avoids flickering colours.
        some = frames[:: max(1, len(frames) // 16)]
        palette = contact_sheet(some).quantize(256, Image.Quantize.MEDIANCUT)
        frames = [frame.quantize(palette=palette) for frame in frames]
    if format_name == "WEBP":
        options |= {"quality": 90, "method": 4}
    frames[0].save(part, format_name, save_all=True, append_images=frames[1:], **options)


def _encode(
    frames: Iterable[Image.Image],
    part: Path,
    suffix: str,
    delay: Fraction | int,
    metadata: str,
    sound: Path | None,
    sound_start: Fraction,
) -> None:
    av = import_av()
    codec, stream, soundtrack = VIDEO_CODECS[suffix], None, None
    # FFmpeg's bitexact flag leaves out the date and random identifiers, so that the same frames
    # always give the same bytes.
    options = {"fflags": "+bitexact"}
    with av.open(str(part), "w", format=suffix[1:], options=options) as container:
        container.metadata["comment"] = metadata
        for number, frame in enumerate(frames, start=1):
            # Both codecs store colours at half the resolution, which requires even sizes.
            even = frame.crop((0, 0, frame.width // 2 * 2, frame.height // 2 * 2))
            if stream is None:
                rate = (100 / Fraction(delay)).limit_denominator(1000)
                stream = container.add_stream(codec, rate, options=CODEC_OPTIONS[codec])
                stream.width, stream.height = even.size
                stream.pix_fmt = "yuv420p"
                # With more threads, x264 now and then makes other bytes of the same frames.
                stream.thread_count = 1
                if sound:
                    soundtrack = Soundtrack(container, sound, suffix, sound_start)
            container.mux(stream.encode(av.VideoFrame.from_image(even)))
            if soundtrack:
                soundtrack.write_until(float(number * Fraction(delay) / 100))
        if stream is not None:
            container.mux(stream.encode())
        if soundtrack:
            soundtrack.close()


@contextlib.contextmanager
def _open_video(path: Path) -> Iterator[Any]:
    with open_av(path, "cannot be read as a video") as container:
        for stream in container.streams.video:
            if stream.width * stream.height > files.MAX_PIXELS:
                raise LucidError(
                    f"{path}: {stream.width}x{stream.height} pixels are too many for a frame"
                )
        yield container


def _decode(path: Path) -> Iterator[Image.Image]:
    with _open_video(path) as container:
        for frame in container.decode(video=0):
            yield frame.to_image()
