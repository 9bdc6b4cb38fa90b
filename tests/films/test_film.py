from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from conftest import CLASS_NAMES, CLASSIFIER, LUCID, write_net
from flicker import camera, motions
from metrics import flicker
from PIL import Image
from torch import Generator, Tensor

from lucid.cli import main
from lucid.drawing.loop import classes
from lucid.errors import UsageError
from lucid.films.film import Keyframes, between, dream_over, film
from lucid.films.optical_flow import estimate_flow
from lucid.films.warps import parse
from lucid.imaging import video
from lucid.imaging.io import from_pil, to_pil, write_image
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import load

QUICK = {"tile_size": 32, "octave_count": 1, "iterations": 1, "device": "cpu", "precision": "fp32"}
OPTIONS = "--net tiny.cfg --class goldfish --tile-size 32 --octaves 1 --iters 1 --device cpu"


def run(words: str, *more: str) -> Result:
    return CliRunner().invoke(main, ["film", *words.split(), *more])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Tensor) -> Path:
    """A folder to work in, with a net and a photograph in it."""
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    write_image(to_pil(photo), tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def test_each_frame_dreams_on_the_one_before_warped(classifier: Net, photo: Tensor) -> None:
    script = Keyframes({0: classes(classifier, ["goldfish"])}, [parse("glide:4")])
    frames = list(film(classifier, script, photo, frames=3, **QUICK))
    assert len(frames) == 3
    moved = parse("glide:4")(from_pil(frames[1]), 2, Generator())
    change = (from_pil(frames[2]) - moved).abs().mean()
    still = (from_pil(frames[2]) - from_pil(frames[1])).abs().mean()
    assert 0 < change < still / 2


def test_a_film_goes_on_from_any_frame(classifier: Net, photo: Tensor) -> None:
    script = Keyframes({0: classes(classifier, ["goldfish"])}, [parse("random-roll:-3,3")])
    for base in (photo, None):
        size = {"size": (40, 48)}
        whole = list(film(classifier, script, base, frames=4, seed=3, **size, **QUICK))
        rest = film(
            classifier, script, base, frames=4, seed=3, after=(1, whole[1]), **size, **QUICK
        )
        assert all(map(same, rest, whole[2:]))


def test_without_a_base_the_first_frame_is_drawn_from_noise(classifier: Net) -> None:
    script = Keyframes({0: classes(classifier, ["goldfish"])})
    frames = list(film(classifier, script, frames=2, size=(40, 36), **QUICK))
    assert [frame.size for frame in frames] == [(36, 40)] * 2


def test_keys_give_way_to_each_other() -> None:
    keys = {10: "a", 20: "b", 40: "c"}
    assert between(keys, 0) == ("a", "a", 0)
    assert between(keys, 10) == ("a", "b", 0)
    assert between(keys, 15) == ("a", "b", 0.5)
    assert between(keys, 35) == ("b", "c", 0.75)
    assert between(keys, 99) == ("c", "c", 0)


def test_key_frames_change_what_grows_and_what_happens(classifier: Net, photo: Tensor) -> None:
    goldfish, tench = (classes(classifier, [name]) for name in ("goldfish", "tench"))
    script = Keyframes(
        {0: goldfish, 10: tench},
        [parse("glide:0,t")],
        {"glide": {4: 8.0}, "strength": {10: 0.0}},
    )
    assert script.objective(0) is goldfish
    scores = {LOGITS: torch.randn(1, 5)}
    mixed = 0.6 * goldfish.measure(scores) + 0.4 * tench.measure(scores)
    torch.testing.assert_close(script.objective(4).measure(scores), mixed)
    assert script.strength(5) == 0.5
    assert script.objective(12) is tench
    glided = script.warp(photo, 2, Generator())
    torch.testing.assert_close(glided, parse("glide:4,2")(photo, 2, Generator()))
    with pytest.raises(UsageError, match="zoom"):
        Keyframes({0: goldfish}, [], {"zoom": {1: 1.0}})
    with pytest.raises(UsageError, match="nothing to dream"):
        Keyframes({})


def test_a_killed_film_goes_on_to_the_same_bytes(desk: Path) -> None:
    words = f"photo.png {OPTIONS} --warp random-roll:-2,2 --warp zoom:.02 --frames 30 --seed 4"
    running = subprocess.Popen(
        [*LUCID, "film", *words.split(), "-q", "-o", "cut.gif"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    reached = desk / "cut.gif.part" / "frame_000003.png"
    while running.poll() is None and not reached.exists():
        time.sleep(0.005)
    running.kill()
    assert running.wait() < 0, "the film was over before it could be killed"
    assert "--resume" in run(words, "-o", "cut.gif").stderr
    assert run(words, "-o", "cut.gif", "--resume").exit_code == 0
    assert run(words, "-o", "whole.gif").exit_code == 0
    assert Path("cut.gif").read_bytes() == Path("whole.gif").read_bytes()
    assert not Path("cut.gif.part").exists()


def test_frames_in_a_folder_can_be_made_more(desk: Path) -> None:
    words = f"photo.png {OPTIONS} --warp zoom:.1 -o frames"
    assert run(f"{words} --frames 2 --seed 1").exit_code == 0
    first = Path("frames/frame_000001.png").read_bytes()
    assert run(f"{words} --frames 4 --resume").exit_code == 0
    assert Path("frames/frame_000001.png").read_bytes() == first
    assert len(video.Frames(Path("frames"))) == 4
    assert Image.open("frames/preview.png").width > 56
    assert json.loads(Path("frames/film.json").read_text())["seed"] == 1
    assert "begun with seed 1" in run(f"{words} --seed 2 --resume").stderr
    assert "other settings" in run(f"{words} --strength 2 --resume").stderr
    assert "--force" in run(f"{words} --frames 1").stderr
    assert len(video.Frames(Path("frames"))) == 4
    assert run(f"{words} --frames 1 --force").exit_code == 0
    assert len(video.Frames(Path("frames"))) == 1
    assert run("--from frames -o frames --force").exit_code == 0
    assert len(video.Frames(Path("frames"))) == 1


def test_a_nightmares_layer_can_be_filmed(desk: Path) -> None:
    machine = OPTIONS.replace("--class goldfish ", "")
    words = f"photo.png {machine} --layer 0 --frames 2 --seed 1"
    assert run(f"{words} -o all").exit_code == 0
    assert run(f"{words} --threshold 1 -o above").exit_code == 0
    last = [video.Frames(Path(folder))[1] for folder in ("all", "above")]
    assert not same(*last)


def test_what_is_there_stays_without_force(desk: Path) -> None:
    Path("film.gif").write_text("mine")
    Path("mine").mkdir()
    Path("mine/preview.png").write_text("mine")
    Path("later").mkdir()
    Path("later/frame_000005.png").write_text("mine")
    words = f"photo.png {OPTIONS} --frames 2"
    for target in ("film.gif", "mine", "later"):
        assert "--force" in run(f"{words} -o {target}").stderr
        assert "--force" in run(f"--from photo.png -o {target}").stderr
    assert "exists" in run(f"{words} -o film.gif --resume").stderr
    for kept in ("film.gif", "mine/preview.png", "later/frame_000005.png"):
        assert Path(kept).read_text() == "mine"


@pytest.mark.parametrize("ending", [".gif", ".apng", ".webp", ".mp4", ".webm"])
def test_frames_become_films_and_films_are_read(tmp_path: Path, ending: str) -> None:
    if ending in video.VIDEO_CODECS:
        pytest.importorskip("av")
    frames = [Image.new("RGB", (64, 48), (40 * n, 120, 255 - 40 * n)) for n in range(5)]
    path = tmp_path / f"film{ending}"
    video.write(frames, path, delay=10, loop=2)
    shown = list(video.read(path))
    assert len(shown) == 5
    for frame, found in zip(frames, shown, strict=True):
        difference = np.asarray(frame).astype(int) - np.asarray(found).astype(int)
        assert abs(difference).max() < 24
    again = tmp_path / f"again{ending}"
    video.write(frames, again, delay=10, loop=2)
    assert again.read_bytes() == path.read_bytes()
    assert video.Footage(path).delay == 10
    if ending == ".gif":
        with Image.open(path) as image:
            assert image.info["loop"] == 1


def test_an_animation_that_is_shown_once_says_so(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), shade) for shade in ("red", "green")]
    for loop, said in ((0, 0), (1, None)):
        video.write(frames, tmp_path / "film.gif", loop=loop)
        with Image.open(tmp_path / "film.gif") as image:
            assert image.info.get("loop") == said


def test_frames_that_are_there_are_put_together_without_dreaming(desk: Path) -> None:
    shades = ["red", "green", "blue"]
    Path("in").mkdir()
    for number, shade in enumerate(shades):
        Image.new("RGB", (8, 8), shade).save(f"in/round_{number + 9}.png")
    assert run("--from in -o there.gif --boomerang").exit_code == 0
    assert run("--from there.gif -o back.apng --reverse").exit_code == 0
    assert run("--from back.apng -o out").exit_code == 0
    found = [frame.getpixel((0, 0)) for frame in video.Frames(Path("out"))]
    expected = [Image.new("RGB", (1, 1), shade).getpixel((0, 0)) for shade in shades]
    assert found == [expected[n] for n in (1, 2, 1, 0)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("photo.png --warp zom:1", "no warp 'zom'; the nearest are zoom"),
        ("photo.png --warp zoom", "write zoom:SHARE"),
        ("photo.png --warp roll:open(n)", "arithmetic"),
        ("photo.png --frames 0", "shows nothing"),
        ("photo.png --at 5 zoom=1", "none of the film's warps"),
        ("photo.png --at 5 zoom", "NAME=VALUE"),
        ("photo.png --warp sobel --at 5 sobel=.5", "no number to begin with"),
        ("photo.png --warp roll:n --at 5 roll=5", "no number to begin with"),
        ("photo.png --warp zoom:1 --at 5 zoom=nan", "no number"),
        ("photo.png --warp zoom:1 --at 5 zoom=-1", "nothing"),
        ("photo.png --at 5 strength=-5", "from 0 to 100"),
        ("--from photo.png --class goldfish", "dreams nothing"),
        ("photo.png --threshold 1", "for a whole --layer"),
        ("mixed --class goldfish --net tiny.cfg --octaves 1 --iters 1 -o other.gif", "give a size"),
        ("--from mixed -o film.webp", "not all of one size"),
        ("--from thin -o film.mp4", "two pixels"),
        ("photo.png --warp zoom:1 --at 5 zoom=x", "no number"),
        ("photo.png --at 5 class=gold-fisch", "gold-fisch"),
        ("photo.png -o film.avi", ".mp4"),
        ("photo.png -o nowhere/film.gif", "nowhere"),
        ("photo.png --hold .5", "for videos"),
        ("photo.png -o there --reverse", "is a folder"),
        ("none.png", "none.png"),
        ("broken.mp4", "broken.mp4: cannot be read as a video"),
        ("--from broken.gif", "broken.gif: is not an image that can be read"),
        ("--from empty", "holds no pictures"),
        ("photo.png --resume -o film.gif", "nothing to resume"),
        ("photo.png --warps broken.mp4", "broken.mp4: SyntaxError"),
    ],
)
def test_bad_input_gets_one_line_that_says_what_is_wrong(desk: Path, words: str, said: str) -> None:
    if "mp4" in words:
        pytest.importorskip("av")
    Path("broken.mp4").write_text("this is no video, and no Python")
    Path("broken.gif").write_text("no animation")
    Path("empty").mkdir()
    for folder, sizes in {"mixed": [(48, 32), (32, 48)], "thin": [(1, 9)]}.items():
        Path(folder).mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size).save(f"{folder}/{number}.png")
    result = run(words if "--from" in words else f"{OPTIONS} {words}")
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(desk.glob("film*"))


def test_a_full_disk_leaves_the_frames_that_are_whole(desk: Path) -> None:
    """A limit on the size of files stands for it."""
    size = Path("photo.png").stat().st_size
    code = (
        "import resource; from lucid.cli import main; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({2 * size}, resource.RLIM_INFINITY)); main()"
    )
    words = f"film photo.png {OPTIONS} --warp random-roll:0,40 --frames 9 -o out -q"
    result = subprocess.run(
        [sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: out/")
    assert "cannot be written" in result.stderr
    kept = list(Path("out").glob("frame_*"))
    assert kept
    for path in kept:
        Image.open(path).load()


def test_motion_that_is_known_is_found(photo: Tensor) -> None:
    pytest.importorskip("cv2")
    large = torch.nn.functional.interpolate(photo[None], (160, 224), mode="bicubic")[0].clamp(0, 1)
    video = camera(large, 2, (96, 128), pan=3, turn=1)
    (known,) = motions(2, (96, 128), pan=3, turn=1)
    found = estimate_flow(*video)
    inside = known.seen.bool()
    inside[:8], inside[-8:], inside[:, :8], inside[:, -8:] = False, False, False, False
    assert (found.back - known.back).abs()[:, inside].median() < 0.3
    carried = (known.carry(video[0]) - video[1]).abs()[:, inside]
    assert carried.mean() < 0.01


def test_raft_is_asked_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Tensor
) -> None:
    """Random weights find no motion, but take the same way."""
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    name = Path(Raft_Small_Weights.DEFAULT.url).name
    torch.save(raft_small(weights=None).state_dict(), tmp_path / "checkpoints" / name)
    found = estimate_flow(photo, photo.roll(2, 2))
    assert found.back.shape == (2, *photo.shape[1:])
    assert found.back.isfinite().all()
    torch.testing.assert_close(estimate_flow(photo, photo.roll(2, 2)).back, found.back)


def test_a_dream_that_is_moved_along_flickers_less(photo: Tensor) -> None:
    pytest.importorskip("cv2")
    large = torch.nn.functional.interpolate(photo[None], (160, 224), mode="bicubic")[0].clamp(0, 1)
    video = camera(large, 3, (96, 96), pan=2, turn=0.5)
    flows = motions(3, (96, 96), pan=2, turn=0.5)
    footage = [to_pil(frame) for frame in video]
    net = load("lucid64")
    script = Keyframes({0: classes(net, ["tabby"])})

    def measured(flow: bool) -> float:
        dreams = dream_over(net, script, footage, flow=flow, octave_count=1)
        return flicker([from_pil(dream) for dream in dreams], flows)

    assert measured(flow=True) < 0.7 * measured(flow=False)


def test_a_dream_on_a_video_goes_on_from_any_frame(classifier: Net, photo: Tensor) -> None:
    pytest.importorskip("cv2")
    footage = [to_pil(frame) for frame in camera(photo, 4, (40, 48), pan=2, turn=0.5)]
    script = Keyframes({0: classes(classifier, ["goldfish"])})
    whole = list(dream_over(classifier, script, footage, **QUICK))
    rest = dream_over(classifier, script, footage, skip=2, last=whole[1], **QUICK)
    assert all(map(same, rest, whole[2:]))
    with pytest.raises(UsageError, match="hold"):
        next(dream_over(classifier, script, footage, hold=2))


def test_a_video_is_dreamt_on_frame_by_frame(desk: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("cv2")
    frames = [to_pil(frame) for frame in camera(torch.rand(3, 60, 80), 3, (40, 48), 1, 0)]
    video.write(frames, Path("clip.mp4"), delay=20)
    assert run(f"clip.mp4 {OPTIONS} -o dream.mp4").exit_code == 0
    made = video.Footage(Path("dream.mp4"))
    assert (made.count, made.delay) == (3, 20)
    assert len(list(made)) == 3
    assert run(f"clip.mp4 {OPTIONS} --frames 2 -o dream.gif").exit_code == 0
    assert video.Footage(Path("dream.gif")).count == 2
    assert "moves by itself" in run(f"clip.mp4 {OPTIONS} --warp zoom:1 -o x.mp4").stderr


def _commands() -> list[str]:
    text = (Path(__file__).parents[2] / "examples" / "films.md").read_text(encoding="utf-8")
    return re.findall(r"(?:`|^)lucid film (.*?)(?:`|$)", text, re.MULTILINE)


@pytest.mark.parametrize("words", _commands())
def test_the_films_that_are_shown_can_be_made(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Tensor
) -> None:
    pytest.importorskip("av")
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    write_image(to_pil(photo), Path("base.png"))
    shades = [Image.new("RGB", (48, 32), (60 * n, 90, 90)) for n in range(3)]
    video.write(shades, Path("clip.mp4"))
    kept = video.Frames(Path("frames"))
    kept.folder.mkdir()
    for shade in shades:
        kept.append(shade)
    quick = (
        []
        if "--from" in words
        else ["--octaves", "1", "--iters", "1", "--frames", "2", "--device", "cpu"]
    )
    small = [] if {"base.png", "clip.mp4", "--from"} & set(words.split()) else ["--size", "48x32"]
    result = CliRunner().invoke(main, ["film", *shlex.split(words), *quick, *small])
    assert result.exit_code == 0, result.output
    target = Path(re.search(r"wrote (\S+) \(\d frames", result.output)[1])  # type: ignore[index]
    assert len(video.read(target)) >= 2


def test_there_are_eleven_films() -> None:
    assert len(_commands()) >= 9 + 4
