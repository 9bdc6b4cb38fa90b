from __future__ import annotations

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from flicker import camera_flows, camera_frames
from metrics import flicker
from PIL import Image
from torch import Generator, Tensor

from lucid.cli import main
from lucid.core.device import Runtime
from lucid.core.objectives import Channel, LayerL2
from lucid.drawing.config import DEFAULTS, SMALL_FROM_NOISE
from lucid.drawing.loop import draw
from lucid.drawing.options import DrawOptions
from lucid.drawing.targets import Target, classes
from lucid.errors import UsageError
from lucid.films.film import film, film_config
from lucid.films.keyframes import Keyframes, between
from lucid.films.optical_flow import estimate_flow
from lucid.films.video_dream import dream_over
from lucid.films.warp import parse
from lucid.imaging import video
from lucid.imaging.filters import luma
from lucid.imaging.io import from_pil, read_image, to_pil, write_image
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import load
from lucid.tiling.regions import MaskRegion, PathRegion, move

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"tile_size": 32, "octave_count": 1, "iterations": 1, "runtime": CPU}
OPTIONS = "--net tiny.cfg --class goldfish --tile-size 32 --octaves 1 --iters 1 --device cpu"


def run(words: str, *more: str) -> Result:
    return CliRunner().invoke(main, ["film", *words.split(), *more])


@pytest.fixture
def quick_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing from noise takes one pass, not the default configuration's hundred."""
    for size in ("small", "medium", "large"):
        config = replace(DEFAULTS[size, False], octaves=1, iterations=1, first_octave_factor=1)
        monkeypatch.setitem(DEFAULTS, (size, False), config)


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def test_each_frame_is_drawn_on_the_frame_before_after_its_warp(
    classifier: Net, photo: Tensor
) -> None:
    keyframes = Keyframes({0: classes(classifier, ["goldfish"])}, [parse("translate:4")])
    frames = list(film(classifier, keyframes, photo, frames=3, **QUICK))
    assert len(frames) == 3
    moved = parse("translate:4")(from_pil(frames[1]), 2, Generator())
    change = (from_pil(frames[2]) - moved).abs().mean()
    still = (from_pil(frames[2]) - from_pil(frames[1])).abs().mean()
    assert 0 < change < still / 2


@pytest.mark.usefixtures("quick_noise")
@pytest.mark.parametrize("from_noise", [False, True])
def test_a_film_cut_short_continues_with_the_same_frames(
    classifier: Net, photo: Tensor, from_noise: bool
) -> None:
    keyframes = Keyframes({0: classes(classifier, ["goldfish"])}, [parse("random-roll:-3,3")])
    options: dict[str, Any] = {**QUICK, "seed": 3, "size": (40, 48)}
    base = None if from_noise else photo
    whole = list(film(classifier, keyframes, base, frames=4, **options))
    rest = list(film(classifier, keyframes, base, frames=4, after=(1, whole[1]), **options))
    assert len(rest) == 2
    assert all(map(same, rest, whole[2:]))


@pytest.mark.usefixtures("quick_noise")
def test_without_a_base_the_first_frame_is_what_draw_draws_from_noise(classifier: Net) -> None:
    options: dict[str, Any] = {**QUICK, "size": (40, 36), "seed": 5}
    first, second = film(classifier, "goldfish", frames=2, contrast=0, **options)
    assert first.size == second.size == (36, 40)
    config = replace(SMALL_FROM_NOISE, tint=0.0, noise=0.0)
    assert same(first, draw(classifier, "goldfish", config=config, **options))


def test_a_film_takes_the_options_of_draw(classifier: Net, photo: Tensor) -> None:
    def last(**more: Unpack[DrawOptions]) -> Image.Image:
        options: dict[str, Any] = {**QUICK, **more}
        return list(film(classifier, "goldfish", photo, frames=2, **options))[-1]

    plain = last()
    changes: list[DrawOptions] = [
        {"order": "grid"},
        {"padding": "wrap"},
        {"overlap": 0.2},
        {"keep_colors": True},
        {"octave_count": 2, "octave_scale": 1.1},
        {"config": replace(film_config(classifier), lr=0.02)},
    ]
    for change in changes:
        assert not same(last(**change), plain), change
    mask = torch.zeros(photo.shape[1:])
    mask[:, 30:] = 1
    masked = from_pil(last(mask=mask))
    original = from_pil(to_pil(photo))
    assert masked[:, :, :28].equal(original[:, :, :28])
    assert not masked[:, :, 30:].equal(original[:, :, 30:])


def test_a_deterministic_runtime_is_passed_on(classifier: Net, photo: Tensor) -> None:
    options: dict[str, Any] = {**QUICK, "runtime": Runtime("cpu", "fp32", deterministic=True)}
    try:
        next(film(classifier, "goldfish", photo, frames=1, **options))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_keywords_of_version_0_1_are_understood(classifier: Net, photo: Tensor) -> None:
    pytest.importorskip("cv2")
    config = replace(film_config(classifier), iterations=1)
    now: dict[str, Any] = {"config": config, "runtime": CPU, "tile_size": 32}
    before: dict[str, Any] = {"manner": config, "device": "cpu", "precision": "fp32"}
    before["tile_size"] = 32
    (frame,) = film(classifier, "goldfish", photo, frames=1, **now)
    (same_frame,) = film(classifier, "goldfish", photo, frames=1, **before)
    assert same(frame, same_frame)
    footage = [to_pil(photo), to_pil(photo.roll(2, 2))]
    frames = [
        list(dream_over(classifier, "goldfish", footage, **options))[1]
        for options in ({**now, "blend": 0.3}, {**before, "hold": 0.3}, now)
    ]
    assert same(frames[0], frames[1])
    assert not same(frames[0], frames[2])


def test_a_film_draws_any_function_of_activations(classifier: Net, photo: Tensor) -> None:
    (frame,) = film(classifier, lambda acts: acts["2"].mean((1, 2, 3)), photo, frames=1, **QUICK)
    assert not same(frame, to_pil(photo))


def test_targets_that_make_no_film_are_refused(classifier: Net, photo: Tensor) -> None:
    goldfish = classes(classifier, ["goldfish"])
    for targets, warps, said in (
        (Keyframes({0: goldfish}), ["zoom:1"], "warps of their own"),
        (Keyframes({0: goldfish, 9: LayerL2("77")}), (), "no layer 77"),
    ):
        with pytest.raises(UsageError, match=said):
            next(film(classifier, targets, photo, frames=1, warps=warps, **QUICK))


def test_between_two_keyframes_the_position_grows_linearly() -> None:
    keyframes = {10: "a", 20: "b", 40: "c"}
    assert between(keyframes, 0) == ("a", "a", 0)
    assert between(keyframes, 10) == ("a", "b", 0)
    assert between(keyframes, 15) == ("a", "b", 0.5)
    assert between(keyframes, 35) == ("b", "c", 0.75)
    assert between(keyframes, 99) == ("c", "c", 0)


def test_keyframes_change_objective_strength_and_warp(classifier: Net, photo: Tensor) -> None:
    goldfish, tench = (classes(classifier, [name]) for name in ("goldfish", "tench"))
    keyframes = Keyframes(
        {0: goldfish, 10: tench},
        [parse("translate:0,t")],
        {"translate": {4: 8.0}, "strength": {10: 0.0}},
    )
    assert keyframes.objective(0) is goldfish
    scores = {LOGITS: torch.randn(1, 5)}
    mixed = classes(classifier, {"goldfish": 0.6, "tench": 0.4})
    mixed = replace(mixed, log_prob_weight=goldfish.log_prob_weight)
    torch.testing.assert_close(keyframes.objective(4).forward(scores), mixed.forward(scores))
    layers = Keyframes({0: LayerL2("0"), 10: Channel("0", 1)}).objective(4)
    acts = {"0": torch.randn(1, 8, 4, 4)}
    expected = 0.6 * LayerL2("0").forward(acts) + 0.4 * Channel("0", 1).forward(acts)
    torch.testing.assert_close(layers.forward(acts).sum(), expected.sum())
    assert keyframes.strength(5) == 0.5
    assert keyframes.objective(12) is tench
    moved = keyframes.warp(photo, 2, Generator())
    torch.testing.assert_close(moved, parse("translate:4,2")(photo, 2, Generator()))
    with pytest.raises(UsageError, match="zoom"):
        Keyframes({0: goldfish}, [], {"zoom": {1: 1.0}})
    with pytest.raises(UsageError, match="nothing to dream"):
        Keyframes({})


def test_keyframes_know_a_warp_by_its_name_of_version_0_1(classifier: Net, photo: Tensor) -> None:
    goldfish = classes(classifier, ["goldfish"])
    old, new = (
        Keyframes({0: goldfish}, [parse(f"{name}:0")], {name: {4: 8.0}})
        for name in ("glide", "translate")
    )
    assert old == new
    assert not old.warp(photo, 2, Generator()).equal(photo)


@pytest.mark.slow
def test_a_film_killed_while_it_writes_a_frame_resumes_to_the_same_bytes(desk: Path) -> None:
    words = f"photo.png {OPTIONS} --warp random-roll:-2,2 --warp zoom:.02 --frames 6 --seed 4"
    code = (
        "import os, signal\n"
        "link = os.link\n"
        "def kill_or_link(source, target):\n"
        "    if str(target).endswith('frame_000003.png'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    link(source, target)\n"
        "os.link = kill_or_link\n"
        "from lucid.cli import main; main()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, "film", *words.split(), "-q", "-o", "cut.gif"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(video.Frames(Path("cut.gif.part"))) == 3
    assert "--resume" in run(words, "-o", "cut.gif").stderr
    assert run(words, "-o", "cut.gif", "--resume").exit_code == 0
    assert run(words, "-o", "whole.gif").exit_code == 0
    assert Path("cut.gif").read_bytes() == Path("whole.gif").read_bytes()
    assert not Path("cut.gif.part").exists()


@pytest.mark.slow
def test_a_film_in_a_folder_can_be_made_longer_or_anew(desk: Path) -> None:
    words = f"photo.png {OPTIONS} --warp zoom:.1 -o frames"
    assert run(f"{words} --frames 2 --seed 1").exit_code == 0
    first = Path("frames/frame_000001.png").read_bytes()
    assert run(f"{words} --frames 4 --resume").exit_code == 0
    assert Path("frames/frame_000001.png").read_bytes() == first
    assert len(video.Frames(Path("frames"))) == 4
    with Image.open("frames/preview.png") as preview:
        assert preview.width > 56
    assert json.loads(Path("frames/film.json").read_text())["seed"] == 1
    assert "begun with seed 1" in run(f"{words} --seed 2 --resume").stderr
    assert "other settings" in run(f"{words} --strength 2 --resume").stderr
    assert "--force" in run(f"{words} --frames 1").stderr
    assert len(video.Frames(Path("frames"))) == 4
    assert run(f"{words} --frames 1 --force").exit_code == 0
    assert len(video.Frames(Path("frames"))) == 1
    assert run("--from frames -o frames --force").exit_code == 0
    assert len(video.Frames(Path("frames"))) == 1


def test_a_threshold_enhances_only_part_of_a_layer(desk: Path) -> None:
    machine = OPTIONS.replace("--class goldfish ", "")
    words = f"photo.png {machine} --layer 0 --frames 2 --seed 1"
    assert run(f"{words} -o all").exit_code == 0
    assert run(f"{words} --threshold 1 -o above").exit_code == 0
    last = [video.Frames(Path(folder))[1] for folder in ("all", "above")]
    assert not same(*last)


def test_existing_files_stay_without_force(desk: Path) -> None:
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
def test_a_film_is_read_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
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


def test_a_gif_shown_once_has_no_loop_entry(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), shade) for shade in ("red", "green")]
    for loop, said in ((0, 0), (1, None)):
        video.write(frames, tmp_path / "film.gif", loop=loop)
        with Image.open(tmp_path / "film.gif") as image:
            assert image.info.get("loop") == said


def test_from_puts_existing_frames_together(desk: Path) -> None:
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
        ("photo.png --warp zom:1", "no warp 'zom'; the nearest is zoom"),
        ("photo.png --warp zoom", "write zoom:FRACTION"),
        ("photo.png --warp roll:open(n)", "arithmetic"),
        ("photo.png --frames 0", "0 is not in the range 1 or more"),
        ("photo.png --at 5 zoom=1", "none of the film's warps"),
        ("photo.png --at 5 zoom", "NAME=VALUE"),
        ("photo.png --warp sobel --at 5 sobel=.5", "no first number"),
        ("photo.png --warp roll:n --at 5 roll=5", "no first number"),
        ("photo.png --warp zoom:1 --at 5 zoom=nan", "no number"),
        ("photo.png --warp zoom:1 --at 5 zoom=-1", "nothing"),
        ("photo.png --at 5 strength=-5", "from 0 to 100"),
        ("--from photo.png --class goldfish", "--from encodes frames and paints none"),
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
def test_bad_input_gets_an_error_message_of_one_line(desk: Path, words: str, said: str) -> None:
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
    assert said in result.stderr.splitlines()[-1]
    assert result.stderr.removeprefix("painting goldfish (0)\n").count("\n") == 1
    assert not list(desk.glob("film*"))


def test_a_full_disk_leaves_only_whole_frames(desk: Path) -> None:
    """A limit on the size of files stands for the full disk."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 2 * Path("photo.png").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    try:
        result = run(f"photo.png {OPTIONS} --warp random-roll:0,40 --frames 9 -o out -q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: out/")
    assert "cannot be written" in result.stderr
    kept = list(Path("out").glob("frame_*"))
    assert kept
    for path in kept:
        Image.open(path).load()


def test_a_known_motion_is_estimated(photo: Tensor) -> None:
    pytest.importorskip("cv2")
    large = torch.nn.functional.interpolate(photo[None], (160, 224), mode="bicubic")[0].clamp(0, 1)
    clip = camera_frames(large, 2, (96, 128), pan=3, turn=1)
    (known,) = camera_flows(2, (96, 128), pan=3, turn=1)
    found = estimate_flow(*clip)
    inside = known.valid.bool()
    inside[:8], inside[-8:], inside[:, :8], inside[:, -8:] = False, False, False, False
    assert (found.backward - known.backward).abs()[:, inside].median() < 0.3
    error = (known.warp(clip[0]) - clip[1]).abs()[:, inside]
    assert error.mean() < 0.01


@pytest.mark.slow
def test_raft_is_used_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Tensor
) -> None:
    """Random weights find no motion, but run the same code."""
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    name = Path(Raft_Small_Weights.DEFAULT.url).name
    torch.save(raft_small(weights=None).state_dict(), tmp_path / "checkpoints" / name)
    found = estimate_flow(photo, photo.roll(2, 2))
    assert found.backward.shape == (2, *photo.shape[1:])
    assert found.backward.isfinite().all()
    torch.testing.assert_close(estimate_flow(photo, photo.roll(2, 2)).backward, found.backward)


@pytest.mark.slow
def test_results_warped_along_the_optical_flow_flicker_less(photo: Tensor) -> None:
    pytest.importorskip("cv2")
    large = torch.nn.functional.interpolate(photo[None], (160, 224), mode="bicubic")[0].clamp(0, 1)
    clip = camera_frames(large, 3, (96, 96), pan=2, turn=0.5)
    flows = camera_flows(3, (96, 96), pan=2, turn=0.5)
    footage = [to_pil(frame) for frame in clip]
    net = load("lucid64")
    keyframes = Keyframes({0: classes(net, ["tabby"])})

    def measured(flow: bool) -> float:
        dreams = dream_over(net, keyframes, footage, flow=flow, octave_count=1)
        return flicker([from_pil(dream) for dream in dreams], flows)

    assert measured(flow=True) < 0.7 * measured(flow=False)


def test_drawing_on_a_video_continues_with_the_same_frames(classifier: Net, photo: Tensor) -> None:
    pytest.importorskip("cv2")
    footage = [to_pil(frame) for frame in camera_frames(photo, 4, (40, 48), pan=2, turn=0.5)]
    keyframes = Keyframes({0: classes(classifier, ["goldfish"])})
    whole = list(dream_over(classifier, keyframes, footage, **QUICK))
    rest = list(dream_over(classifier, keyframes, footage, skip=2, last=whole[1], **QUICK))
    assert len(rest) == 2
    assert all(map(same, rest, whole[2:]))
    with pytest.raises(UsageError, match="blend"):
        next(dream_over(classifier, keyframes, footage, blend=2))


@pytest.mark.slow
def test_every_frame_of_a_video_is_drawn_on(desk: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("cv2")
    frames = [to_pil(frame) for frame in camera_frames(torch.rand(3, 60, 80), 3, (40, 48), 1, 0)]
    video.write(frames, Path("clip.mp4"), delay=20)
    assert run(f"clip.mp4 {OPTIONS} -o dream.mp4").exit_code == 0
    made = video.Footage(Path("dream.mp4"))
    assert made.count == 3
    assert made.delay == 20
    assert len(list(made)) == 3
    assert run(f"clip.mp4 {OPTIONS} --frames 2 -o dream.gif").exit_code == 0
    assert video.Footage(Path("dream.gif")).count == 2
    assert "leaves out" in run(f"clip.mp4 {OPTIONS} --warp zoom:1 --no-flow -o x.mp4").stderr
    assert "none of number 3" in run(f"clip.mp4 {OPTIONS} --start 3 -o x.mp4").stderr
    assert run(f"clip.mp4 {OPTIONS} --start 1 --frames 5 -o rest.gif").exit_code == 0
    assert video.Footage(Path("rest.gif")).count == 2


@pytest.mark.slow
def test_warps_and_key_frames_of_the_blend_change_a_video(classifier: Net, photo: Tensor) -> None:
    pytest.importorskip("cv2")
    footage = [to_pil(frame) for frame in camera_frames(photo, 3, (40, 48), pan=2, turn=0.5)]
    goldfish = classes(classifier, ["goldfish"])
    plain = list(dream_over(classifier, goldfish, footage, **QUICK))
    for keyframes in (
        Keyframes({0: goldfish}, ["translate:5"]),
        Keyframes({0: goldfish}, keyframes={"blend": {0: 0.85, 1: 0.2}}),
    ):
        changed = list(dream_over(classifier, keyframes, footage, **QUICK))
        assert same(changed[0], plain[0])
        assert not same(changed[1], plain[1])
    # A blend of 0 keeps nothing: each frame is the video's, dreamt on alone.
    alone = Keyframes({0: goldfish}, keyframes={"hold": {0: 0}})
    one = list(dream_over(classifier, alone, footage[1:], contrast=0, **QUICK))
    two = list(dream_over(classifier, alone, footage, contrast=0, **QUICK))
    assert same(one[1], two[2])


def test_regions_move_between_key_frames(classifier: Net, photo: Tensor) -> None:
    goldfish = classes(classifier, ["goldfish"])
    left, right = PathRegion(((0.2, 0.5),), 0.4), PathRegion(((0.8, 0.5),), 0.6)
    keyframes = Keyframes({0: Target(goldfish, left), 2: Target(goldfish, right)})
    (halfway,) = keyframes.at(1)
    assert halfway.objective is goldfish
    assert halfway.region == PathRegion(((0.5, 0.5),), 0.5)
    frames = list(film(classifier, keyframes, photo, frames=3, contrast=0, **QUICK))
    for before, after, region in zip(frames, frames[1:], (halfway.region, right), strict=False):
        changed = (from_pil(after) - from_pil(before)).abs().amax(0) > 0
        allowed = region.mask((photo.shape[1], photo.shape[2])) > 0
        assert changed.any()
        assert not changed[~allowed].any()
    with pytest.raises(UsageError, match="nothing to dream of"):
        Keyframes({})


def test_masks_are_mixed_between_key_frames() -> None:
    dark, bright = MaskRegion(torch.zeros(4, 4)), MaskRegion(torch.ones(8, 8))
    mixed = move(dark, bright, 0.25)
    assert isinstance(mixed, MaskRegion)
    torch.testing.assert_close(mixed.shape, torch.full((4, 4), 0.25))
    assert move(None, bright, 0.5) is None
    assert move(dark, None, 0.5) is dark


@pytest.mark.slow
def test_places_and_mixes_of_films(desk: Path) -> None:
    (desk / "mix.json").write_text('{"tench": 1, "goldfish": 0.5}')
    small = "--size 64x48 --tile-size 32 --octaves 1 --iters 1 --device cpu --seed 1 --frames 3"
    for words in (
        "--class goldfish@.2,.5,16 --class tench@.8,.5,16",
        "--class goldfish@.2,.5,16 --at 2 place=.8,.5",
        "--class goldfish@.2,.5,16 --at 2 class=tench@.8,.5,20",
        "--class goldfish --path line --brush 16",
        "--mix mix.json",
        "--mix random",
        "--random-classes 2",
    ):
        made = run(f"photo.png --net tiny.cfg {words} {small} -o film.gif --force")
        assert made.exit_code == 0, made.output
        again = CliRunner().invoke(main, ["redo", "film.gif", "-o", "again.gif", "--force"])
        assert again.exit_code == 0, again.output
        assert (desk / "again.gif").read_bytes() == (desk / "film.gif").read_bytes()
    for words, said in (
        ("--class goldfish --at 1 place=2,2", "X and Y must be from 0 to 1"),
        ("--layer 0 --at 1 plac=.5,.5", "no key 'plac'; the nearest"),
        ("--class goldfish --at 1 blend=2", "a blend must be from 0 to 1"),
        ("--class goldfish --at 1 hold=2", "a blend must be from 0 to 1"),
        ("--at 1 place=.5,.5", "give a --class to be there"),
    ):
        refused = run(f"photo.png --net tiny.cfg {words} {small} -o no.gif")
        assert refused.exit_code == 2
        assert said in refused.stderr


@pytest.mark.slow
def test_a_guide_that_is_a_film(desk: Path, photo: Tensor) -> None:
    frames = [to_pil(frame) for frame in (photo.flip(0), photo.flip(1))]
    video.write(frames, Path("guide.gif"))
    small = "--tile-size 32 --octaves 1 --iters 1 --device cpu --seed 1 --frames 4"
    made = run(f"photo.png --net tiny.cfg --layer 0 --guide guide.gif {small} -o moving")
    assert made.exit_code == 0, made.output
    # The guide's last frame stays, so the first two frames of another guide decide.
    write_image(frames[0], desk / "still.png")
    still = run(f"photo.png --net tiny.cfg --layer 0 --guide still.png {small} -o still")
    assert still.exit_code == 0, still.output
    one, other = (video.Frames(Path(name)) for name in ("moving", "still"))
    assert len(one) == len(other) == 4
    assert not same(one[1], other[1])
    refused = run(f"photo.png --net tiny.cfg --layer 0 --guide guide.gif --at 1 layer=0 {small}")
    assert "the frames of --guide say" in refused.stderr


FILMS = (Path(__file__).parents[2] / "examples" / "films.md").read_text(encoding="utf-8")


def _commands() -> list[str]:
    return re.findall(r"`lucid film (.*?)`", FILMS)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_noise")
@pytest.mark.parametrize("words", _commands())
def test_the_commands_in_films_md_run(
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


def test_films_md_shows_eleven_films() -> None:
    _, *films = re.findall(r"^\| (.*?) \|", FILMS, re.MULTILINE)
    assert FILMS.startswith("# Eleven films")
    assert len(set(films)) == 11


@pytest.mark.slow
def test_a_film_takes_what_a_drawing_takes(desk: Path) -> None:
    """Masks, colours, padding, canvases, presets and guides."""
    plain = run(f"photo.png {OPTIONS} --frames 2 --seed 1 -o plain")
    assert plain.exit_code == 0, plain.output
    made = {}
    for name, words in {
        "mask": "--mask left",
        "colors": "--keep-colors",
        "padding": "--padding wrap",
        "canvas": "--canvas pixels",
        "preset": "--preset deepdream",
        "scale": "--octaves 2 --octave-scale 1.2",
    }.items():
        film = run(f"photo.png {OPTIONS} --frames 2 --seed 1 {words} -o {name}")
        assert film.exit_code == 0, film.output
        made[name] = read_image(Path(name, "frame_000001.png"))
    base, before = read_image(Path("photo.png")), read_image(Path("plain", "frame_000001.png"))
    for name, frame in made.items():
        assert not torch.equal(frame, before), name
    middle = base.shape[2] * 3 // 4
    assert torch.allclose(made["mask"][:, :, middle:], base[:, :, middle:], atol=2 / 255)
    moved = {
        name: float(((frame - luma(frame)) - (base - luma(base))).abs().mean())
        for name, frame in (("kept", made["colors"]), ("changed", before))
    }
    assert moved["kept"] < moved["changed"] / 2
    layer = OPTIONS.replace("--class goldfish", "--layer 2")
    guided = run(f"photo.png {layer} --guide photo.png --frames 1 --seed 1 -o guided")
    assert guided.exit_code == 0, guided.output
    refused = run(f"photo.png {OPTIONS} --guide photo.png --frames 1 -o refused")
    assert "--guide needs one --layer" in refused.stderr


@pytest.mark.slow
def test_a_recipe_with_a_warp_that_looks_like_a_module_is_followed(desk: Path) -> None:
    small = "--tile-size 32 --octaves 1 --iters 1 --device cpu --frames 2"
    made = run(f"photo.png --net tiny.cfg --class goldfish --warp rotate:t {small} -o a.gif")
    assert made.exit_code == 0, made.output
    again = CliRunner().invoke(main, ["redo", "a.gif", "-o", "b.gif"])
    assert again.exit_code == 0, again.output
    assert (desk / "a.gif").read_bytes() == (desk / "b.gif").read_bytes()


def test_a_part_of_a_film_is_shown_again(desk: Path) -> None:
    frames = [Image.new("RGB", (16, 12), (40 * number, 0, 0)) for number in range(5)]
    video.write(frames, Path("clip.gif"))
    for words, expected in (
        ("--start 1 --frames 2", [40, 80]),
        ("--start 2 --reverse", [160, 120, 80]),
        ("--frames 2 --boomerang", [0, 40]),
    ):
        made = run(f"--from clip.gif {words} -o part --force")
        assert made.exit_code == 0, made.output
        shown = [np.asarray(frame)[3, 3, 0] for frame in video.Frames(Path("part"))]
        assert np.allclose(shown, expected, atol=12)


@pytest.mark.slow
def test_what_is_dreamt_besides_a_guide_stays(desk: Path) -> None:
    (desk / "mine.py").write_text("def mine(acts):\n    return 9 * acts['2'].mean()\n")
    small = "--tile-size 32 --octaves 1 --iters 1 --device cpu --seed 1 --frames 2 --force"
    guided = f"photo.png --net tiny.cfg --layer 0 --guide photo.png {small}"
    assert run(f"{guided} -o alone.gif").exit_code == 0
    assert run(f"{guided} --objective mine.py:mine -o both.gif").exit_code == 0
    assert (desk / "alone.gif").read_bytes() != (desk / "both.gif").read_bytes()
    brushed = "--class goldfish --brush 16 --at 1 place=.3,.3"
    assert run(f"photo.png --net tiny.cfg {brushed} {small} -o c.gif").exit_code == 0
    for words, said in (
        ("--class goldfish --brush 16", "--brush means nothing"),
        ("--class goldfish --canvas cppn", "a CPPN starts from nothing"),
    ):
        assert said in run(f"photo.png --net tiny.cfg {words} {small} -o d.gif").stderr
