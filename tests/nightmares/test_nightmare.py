from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import RECORDED
from PIL import Image, ImageChops, ImageStat
from torch import Tensor

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import PixelCanvas
from lucid.core.device import Runtime
from lucid.core.objectives import Enhance
from lucid.core.optimizers import DarknetStep
from lucid.errors import LucidError, UsageError
from lucid.imaging.io import from_pil, read_image, to_pil
from lucid.nets.net import Net
from lucid.nets.registry import load, random_init
from lucid.nightmares import darknet_ops
from lucid.nightmares.nightmare import ShiftedView, nightmare
from lucid.nightmares.reconstruct import reconstruct
from lucid.nightmares.steps import NightmareStep, read_steps

CPU = Runtime("cpu", "fp32")

# How the recordings were made; the rest is Darknet's default.
RECORDINGS: dict[str, dict[str, Any]] = {
    "plain": {"rate": 0.04},
    "options": {"rate": 0.05, "threshold": 0.5, "zoom": 0.94, "rotate": 0.07},
    "zoom_out": {"rate": 0.01, "threshold": 0, "zoom": 1.08, "normalize": False},
}


def psnr(found: Tensor, expected: np.ndarray) -> float:
    error = float(((found.numpy() - expected) ** 2).mean())
    return -10 * math.log10(max(error, 1e-30))


def warp(picture: Tensor, options: dict[str, Any]) -> Tensor:
    if "rotate" in options:
        picture = darknet_ops.rotate(picture, options["rotate"])
    return darknet_ops.zoom(picture, options.get("zoom", 1))


@pytest.fixture
def sequential() -> Net:
    """The net of the recordings."""
    return load(str(RECORDED / "sequential.cfg"))


@pytest.mark.parametrize("name", RECORDINGS)
def test_each_step_is_the_step_that_darknet_recorded(sequential: Net, name: str) -> None:
    recorded = np.load(RECORDED / f"{name}.npz")
    options = RECORDINGS[name]
    ascent = Ascent(sequential, CPU)
    optimizer = DarknetStep(
        options["rate"], normalize=options.get("normalize", True), grey="darknet"
    )
    quality = []
    before = recorded["start"]
    for number, step in enumerate(read_steps(RECORDED / f"{name}.json", sequential)):
        after, round_end = f"after{number:02d}", f"round_end{number + 1:02d}"
        canvas = PixelCanvas(torch.from_numpy(before))
        view = ShiftedView(step, (before.shape[1], before.shape[2]))
        objective = Enhance(step.layer, options.get("threshold", 1.0))
        ascent.step(canvas, Step(view, objective), optimizer)
        quality.append(psnr(canvas.image().detach(), recorded[after]))
        before = recorded[after]
        if round_end in recorded:
            before = recorded[round_end]
            assert psnr(warp(torch.from_numpy(recorded[after]), options), before) > 100
    assert min(quality) > 60
    # Single features on the other side of the threshold cost up to half of zoom_out's steps.
    assert statistics.median_high(quality) > 120


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_steps_are_replayed(sequential: Net, name: str) -> None:
    recorded = np.load(RECORDED / f"{name}.npz")
    ends = [key for key in recorded if key.startswith("round_end")]
    rounds = nightmare(
        sequential,
        torch.from_numpy(recorded["start"]),
        "5",
        rounds=len(ends),
        steps=read_steps(RECORDED / f"{name}.json", sequential),
        grey="darknet",
        runtime=CPU,
        **RECORDINGS[name],
    )
    for picture, end in zip(rounds, ends, strict=True):
        after = recorded[f"after{int(end[-2:]) - 1:02d}"]
        # Rounding to 1/255 leaves 59 dB; a single feature on the other side of the threshold
        # changes all later steps a little.
        assert psnr(from_pil(picture), after) > 40


def test_rounds_depend_on_the_round_before_and_on_the_seed(classifier: Net, photo: Tensor) -> None:
    def rounds(**options: Any) -> list[bytes]:
        return [
            picture.tobytes()
            for picture in nightmare(
                classifier, photo, "2", rounds=3, iterations=2, runtime=CPU, **options
            )
        ]

    first = rounds()
    assert len(set(first)) == 3
    assert rounds() == first
    assert rounds(seed=1) != first
    assert rounds(zoom=0.8)[0] == first[0], "the first round is written before the zoom"
    assert rounds(zoom=0.8)[1] != first[1]
    assert rounds(rotate=0.3)[1] != first[1]


def test_scatter_returns_pixels_to_where_gather_took_them() -> None:
    picture = torch.zeros(3, 40, 60)
    picture[:, 20:22, 30:32] = 1
    for flip in (False, True):
        view = ShiftedView(NightmareStep("0", dx=5, dy=-7, flip=flip, scale=1.0), (40, 60))
        shown = view.gather(picture)
        assert shown.shape == (1, 3, 40, 60)
        assert shown[0, 0, 27, (60 - 1 - 25) if flip else 25] == 1
        torch.testing.assert_close(view.scatter(shown), picture, atol=1e-5, rtol=0)


def test_a_layer_of_a_torchvision_net_is_enhanced(photo: Tensor) -> None:
    net = random_init("squeezenet1_1")
    (picture,) = nightmare(net, photo, "features.3", octaves=1, iterations=2, runtime=CPU)
    assert picture.size == (56, 40)
    assert ImageStat.Stat(ImageChops.difference(picture, to_pil(photo))).sum[0] > 0


def test_a_nightmare_on_squeezenet_keeps_its_contrast(assets: Path, squeezenet: Net) -> None:
    scream = read_image(assets / "golden" / "nightmare" / "scream_small.png")
    options: dict[str, Any] = {"rounds": 2, "iterations": 6, "octaves": 1, "runtime": CPU}
    *_, last = nightmare(squeezenet, scream, "12", layer_range=5, **options)
    assert min(ImageStat.Stat(last).stddev) > 30


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_grey_auto_keeps_contrast_where_gradients_are_small(photo: Tensor, rate: float) -> None:
    """An untrained GoogLeNet's gradients are 1e-9 of the pull."""
    net = random_init("googlenet")
    options: dict[str, Any] = {
        "rounds": 3,
        "iterations": 10,
        "octaves": 1,
        "runtime": CPU,
        "rate": rate,
    }
    left = {}
    for grey in ("darknet", "auto"):
        *_, last = nightmare(net, photo, "inception4c", grey=grey, **options)
        left[grey] = min(ImageStat.Stat(last).stddev)
    before = min(ImageStat.Stat(to_pil(photo)).stddev)
    assert left["darknet"] < before / 4
    assert left["auto"] > before / 2


def test_watch_is_called_after_each_step(classifier: Net, photo: Tensor) -> None:
    calls = []
    list(
        nightmare(
            classifier,
            photo,
            "2",
            rounds=2,
            iterations=3,
            runtime=CPU,
            watch=lambda progress: calls.append((progress.done, progress.total)),
        )
    )
    assert calls == [(n, 6) for n in range(1, 7)]


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        ("9", {}, "tiny has no layer 9: its layers are 0 to 5"),
        ("5", {"layer_range": 3}, "reaches from layer number 4 to 6: tiny's are 0 to 5"),
        ("0", {"layer_range": 2}, "reaches from layer number -1 to 0"),
        ("2", {"rounds": 0}, "rounds 0 must be 1 or more"),
        ("2", {"zoom": 0}, "zoom 0 must be above 0"),
        ("2", {"grey": "black"}, "grey='black' is not auto"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_the_first_step(
    classifier: Net, photo: Tensor, layer: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        nightmare(classifier, photo, layer, runtime=CPU, **options)


def test_a_picture_too_small_for_the_smallest_octave_is_refused_before_the_first_step(
    make_net: Callable[..., Net],
) -> None:
    net = make_net(
        "[net]\nwidth=64\nheight=64\nchannels=3\n"
        "[convolutional]\nsize=20\nfilters=2\nactivation=relu\n"
    )
    with pytest.raises(LucidError, match=r"12x12: it is too small .* Use fewer octaves"):
        nightmare(net, torch.rand(3, 30, 30), "0", iterations=20, octaves=4, runtime=CPU)


def test_each_round_of_a_reconstruction_is_closer_to_the_picture(
    sequential: Net, photo: Tensor
) -> None:
    rounds = list(
        reconstruct(sequential, photo, "0", rounds=3, iterations=20, rate=0.01, runtime=CPU)
    )
    quality = [psnr(from_pil(picture), photo.numpy()) for picture in rounds]
    assert quality == sorted(quality)
    assert quality[-1] > 20


def test_a_reconstruction_depends_on_its_seed(sequential: Net, photo: Tensor) -> None:
    def picture(seed: int) -> bytes:
        (made,) = reconstruct(sequential, photo, "0", iterations=1, seed=seed, runtime=CPU)
        return made.tobytes()

    assert picture(0) == picture(0) != picture(1)


@pytest.mark.parametrize("name", ["momentum", "rate", "pull"])
def test_a_reconstruction_needs_finite_settings(sequential: Net, photo: Tensor, name: str) -> None:
    options: dict[str, Any] = {name: math.nan}
    with pytest.raises(UsageError, match=r"must be from (-1000000 to 1000000|0 to under 1)"):
        reconstruct(sequential, photo, "0", runtime=CPU, **options)


def test_steps_that_do_not_fill_the_rounds_are_refused(classifier: Net, photo: Tensor) -> None:
    steps = [NightmareStep("2", 0, 0, False, 1.0)] * 3
    with pytest.raises(UsageError, match="3 steps cannot be shared out among 2 rounds"):
        nightmare(classifier, photo, "2", rounds=2, steps=steps, runtime=CPU)


@pytest.mark.parametrize("paint", [nightmare, reconstruct])
def test_keywords_of_version_0_1_mean_the_same_as_a_runtime(
    paint: Callable[..., Iterator[Image.Image]], classifier: Net, photo: Tensor
) -> None:
    (now,) = paint(classifier, photo, "2", iterations=1, runtime=CPU)
    (before,) = paint(classifier, photo, "2", iterations=1, device="cpu", precision="fp32")
    assert now.tobytes() == before.tobytes()
    with pytest.raises(TypeError, match="inside runtime="):
        paint(classifier, photo, "2", runtime=CPU, device="cpu")


@pytest.mark.parametrize("paint", [nightmare, reconstruct])
def test_a_deterministic_runtime_is_passed_on(
    paint: Callable[..., Iterator[Image.Image]], classifier: Net, photo: Tensor
) -> None:
    try:
        paint(classifier, photo, "2", runtime=Runtime("cpu", deterministic=True))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
