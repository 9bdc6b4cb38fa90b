"""Films with sound."""

from __future__ import annotations

import itertools
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from lucid.cli import main
from lucid.errors import LucidError, UsageError
from lucid.imaging import video
from lucid.imaging.sound import check_sound, has_sound, open_sound

av = pytest.importorskip("av")

FRAMES = [Image.new("RGB", (32, 24), (20 * n, 90, 90)) for n in range(10)]


def write_clicks(path: Path, seconds: float, times: tuple[float, ...], rate: int = 22_050) -> None:
    """A sound of silence and of clicks, 5 ms of a sine of 1 kHz each."""
    samples = np.zeros(int(seconds * rate))
    click = np.sin(2 * np.pi * 1000 * np.arange(rate // 200) / rate)
    for time in times:
        start = int(time * rate)
        samples[start : start + len(click)] = click
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 30_000).astype("<i2").tobytes())


def heard(path: Path) -> tuple[float, list[float]]:
    """How long the sound of a file lasts, and when it is loud for the first time after silence."""
    with open_sound(path) as sound:
        rate = sound.rate
        frames = list(sound.container.decode(sound))
    parts = [frame.to_ndarray() for frame in frames]
    begin = float(frames[0].pts * frames[0].time_base)
    flat = [part.reshape(1, -1, 2).mean(2) if len(part) == 1 else part for part in parts]
    samples = np.concatenate([np.abs(part.astype(float)).mean(0) for part in flat])
    loud = begin + np.flatnonzero(samples > samples.max() / 3) / rate
    starts = [loud[0], *(b for a, b in itertools.pairwise(loud) if b - a > 0.1)]
    return len(samples) / rate, starts


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_film_gets_a_soundtrack_that_ends_with_it(suffix: str, tmp_path: Path) -> None:
    sound, film = tmp_path / "clicks.wav", tmp_path / f"film{suffix}"
    write_clicks(sound, 3, (0.25, 0.7, 2.5))
    video.write(FRAMES, film, delay=10, sound=sound)
    length, starts = heard(film)
    assert abs(length - 1) < 0.1
    assert len(starts) == 2
    assert np.allclose(starts, [0.25, 0.7], atol=0.04)
    later = tmp_path / f"later{suffix}"
    video.write(FRAMES, later, delay=10, sound=sound, sound_start=Fraction(1, 2))
    assert np.allclose(heard(later)[1], [0.2], atol=0.04)
    copied = tmp_path / f"copied{suffix}"  # the same, of sound that is not encoded anew
    video.write(FRAMES[:5], copied, delay=10, sound=film, sound_start=Fraction(1, 2))
    assert np.allclose(heard(copied)[1], [0.2], atol=0.06)
    again = tmp_path / f"again{suffix}"
    video.write(FRAMES, again, delay=10, sound=sound)
    assert again.read_bytes() == film.read_bytes()
    copied = tmp_path / f"copied{suffix}"
    video.write(FRAMES[:5], copied, delay=10, sound=film)  # whose sound is copied
    length, starts = heard(copied)
    assert abs(length - 0.5) < 0.1
    assert np.allclose(starts, [0.25], atol=0.04)


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    silent, text = tmp_path / "silent.mp4", tmp_path / "text.wav"
    video.write(FRAMES, silent)
    text.write_text("no sound")
    assert not has_sound(silent)
    with pytest.raises(LucidError, match=r"silent.mp4: has no sound"):
        check_sound(silent, tmp_path / "film.mp4")
    with pytest.raises(LucidError, match=r"text.wav: its sound cannot be read"):
        check_sound(text, tmp_path / "film.mp4")
    with pytest.raises(UsageError, match=r"film.gif: holds no sound: end the name in .mp4 or"):
        check_sound(silent, tmp_path / "film.gif")


def test_an_error_of_the_film_is_not_the_sounds(tmp_path: Path) -> None:
    sound = tmp_path / "clicks.wav"
    write_clicks(sound, 3, (0.25,))

    def broken() -> Iterator[Image.Image]:
        yield from FRAMES[:2]
        raise OSError("no space left")

    with pytest.raises((OSError, LucidError), match="no space left") as caught:
        video.write(broken(), tmp_path / "film.mp4", sound=sound)
    assert "sound" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [sound]


@pytest.mark.slow
def test_a_dreamt_video_keeps_its_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    write_clicks(Path("clicks.wav"), 3, (0.25,))
    video.write(FRAMES, Path("clip.mp4"), delay=10, sound=Path("clicks.wav"))
    words = [
        "--class",
        "lion",
        "--iters",
        "1",
        "--octaves",
        "1",
        "--frames",
        "4",
        "--size",
        "32x24",
    ]
    quick = ["film", *words, "--tile-size", "32", "--device", "cpu", "--no-flow"]
    for name, more in (
        ("dream.mp4", []),
        ("back.mp4", ["--reverse"]),
        ("slow.mp4", ["--fps", "4"]),
    ):
        made = CliRunner().invoke(main, [*quick, "clip.mp4", *more, "-o", name])
        assert made.exit_code == 0, made.output
    length, starts = heard(Path("dream.mp4"))
    assert abs(length - 0.4) < 0.1
    assert np.allclose(starts, [0.25], atol=0.04)
    assert not has_sound(Path("back.mp4"))
    assert not has_sound(Path("slow.mp4"))
    other = CliRunner().invoke(main, ["film", "--from", "clip.mp4", "-o", "same.mp4"])
    assert other.exit_code == 0, other.output
    assert has_sound(Path("same.mp4"))
    refused = CliRunner().invoke(main, [*quick[:3], "--audio", "clicks.wav", "-o", "x.gif"])
    assert refused.exit_code == 2
    assert "x.gif: holds no sound" in refused.output
