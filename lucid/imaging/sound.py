"""The sound of films: taken from a video or a sound file, and written beside the frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lucid.errors import LucidError, UsageError
from lucid.reading import check_regular

CODECS = {".mp4": "aac", ".webm": "libopus"}
"""Suffixes of the videos that hold sound, with FFmpeg's encoder names."""

COPIED = {".mp4": ("aac", "mp3"), ".webm": ("opus", "vorbis")}
"""Codecs of sounds that are copied as they are; others are encoded anew."""

RATE = 48_000
"""Samples a second of sound that is encoded anew."""


def import_av() -> Any:
    """Import the optional PyAV library; a UsageError says how to get it."""
    try:
        import av
    except ImportError:
        raise UsageError(
            "videos need PyAV: pip install 'lucid-nightmare[video]', or end the name in .gif"
        ) from None
    return av


@contextlib.contextmanager
def open_sound(path: Path) -> Iterator[Any]:
    """Open the first sound of a file.

    Raises:
        LucidError: the file cannot be read, or it has no sound.
    """
    av = import_av()
    check_regular(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise LucidError(f"{path}: has no sound")
            yield container.streams.audio[0]
    except (av.FFmpegError, OSError) as error:
        raise LucidError(f"{path}: its sound cannot be read ({error})") from error


def has_sound(path: Path) -> bool:
    """Tell whether a file has sound that can be read."""
    with contextlib.suppress(LucidError), open_sound(path):
        return True
    return False


def check_sound(path: Path, film: Path) -> None:
    """Refuse a file without sound, and a film that cannot hold it.

    Raises:
        UsageError: the film is no video.
        LucidError: the file cannot be read, or it has no sound.
    """
    if film.suffix.lower() not in CODECS:
        raise UsageError(f"{film}: holds no sound: end the name in {' or '.join(CODECS)}")
    with open_sound(path):
        pass


class Soundtrack:
    """Sound that is written to a video little by little, as its frames are.

    Attributes:
        container: the video that is written.
    """

    def __init__(self, container: Any, sound: Any, suffix: str) -> None:
        """Begin a soundtrack.

        Args:
            container: the video to write, with all of its other streams.
            sound: the sound that ``open_sound`` opened.
            suffix: of the video.
        """
        self.container = container
        self._copied = sound.codec_context.name in COPIED[suffix]
        if self._copied:
            self._stream = container.add_stream_from_template(sound)
        else:
            self._stream = container.add_stream(CODECS[suffix], rate=RATE, layout="stereo")
            self._stream.codec_context.thread_count = 1
        self._packets = self._copies(sound) if self._copied else self._encoded(sound)
        self._next = next(self._packets, None)

    def write_until(self, seconds: float) -> None:
        """Write the sound that begins before a time of the film."""
        while self._next is not None:
            if self._next.pts is not None and self._next.pts * self._next.time_base >= seconds:
                return
            self.container.mux(self._next)
            self._next = next(self._packets, None)

    def _copies(self, sound: Any) -> Iterator[Any]:
        for packet in sound.container.demux(sound):
            if packet.dts is not None:  # the last one is empty
                packet.stream = self._stream
                yield packet

    def _encoded(self, sound: Any) -> Iterator[Any]:
        for frame in sound.container.decode(sound):
            yield from self._stream.encode(frame)
        yield from self._stream.encode(None)
