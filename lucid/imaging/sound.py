"""The sound of films: taken from a video or a sound file, and written beside the frames."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from lucid.errors import LucidError, UsageError
from lucid.imaging.av_files import open_av

CODECS = {".mp4": "aac", ".webm": "libopus"}
"""Suffixes of the videos that hold sound, with FFmpeg's encoder names."""

COPIED = {".mp4": ("aac", "mp3"), ".webm": ("opus", "vorbis")}
"""Codecs of sounds that are copied as they are; others are encoded anew."""

RATE = 48_000
"""Samples a second of sound that is encoded anew."""


@contextlib.contextmanager
def open_sound(path: Path) -> Iterator[Any]:
    """Open the first sound of a file.

    Raises:
        LucidError: the file cannot be read, or it has no sound.
    """
    with open_av(path, "its sound cannot be read") as container:
        if not container.streams.audio:
            raise LucidError(f"{path}: has no sound")
        yield container.streams.audio[0]


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
    """Sound that is written to a video little by little, as its frames are."""

    def __init__(self, container: Any, path: Path, suffix: str, start: Fraction) -> None:
        """Begin a soundtrack.

        Args:
            container: the video to write, with all of its other streams.
            path: the file whose first sound it gets.
            suffix: of the video.
            start: of the sound that goes with the first frame, in seconds.

        Raises:
            LucidError: the file cannot be read, or it has no sound.
        """
        self._container = container
        self._packets = _packets(container, path, suffix, start)
        self._next = next(self._packets, None)

    def write_until(self, seconds: float) -> None:
        """Write the sound that begins before a time of the film.

        Raises:
            LucidError: the file cannot be read further.
        """
        while self._next is not None:
            if self._next.pts is not None and self._next.pts * self._next.time_base >= seconds:
                return
            self._container.mux(self._next)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the file that the sound is read from."""
        self._packets.close()


def _packets(
    container: Any, path: Path, suffix: str, start: Fraction
) -> Generator[Any, None, None]:
    """Add a stream to a video, and yield what is to be written there."""
    # As a generator, so that `open_sound` does not take errors of the video for its own.
    with open_sound(path) as sound:
        if sound.codec_context.name in COPIED[suffix]:
            stream = container.add_stream_from_template(sound)
            for packet in sound.container.demux(sound):
                if packet.dts is None or (start and packet.pts * packet.time_base < start):
                    continue  # the last one is empty
                ticks = round(start / packet.time_base)
                packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
                packet.stream = stream
                yield packet
            return
        stream = container.add_stream(CODECS[suffix], rate=RATE, layout="stereo")
        stream.codec_context.thread_count = 1
        for frame in sound.container.decode(sound):
            if start and frame.pts is not None:
                if frame.pts * frame.time_base < start:
                    continue
                frame.pts -= round(start / frame.time_base)
            yield from stream.encode(frame)
        yield from stream.encode(None)
