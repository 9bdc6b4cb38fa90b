from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ImageChops, ImageStat
from torch import Tensor

from lucid import images, nets, warps
from lucid.ascent import Ascent, DarknetRule, Step
from lucid.canvas import PixelCanvas
from lucid.errors import LucidError, UsageError
from lucid.nets import Net
from lucid.nightmare import Draw, Glimpse, layers_around, nightmare, schedule
from lucid.objectives import Enhance

# How the recordings were made; the rest is Darknet's default.
RECORDINGS = {
    "plain": {"rate": 0.04},
    "options": {"rate": 0.05, "threshold": 0.5, "zoom": 0.94, "rotate": 0.07},
    "zoom_out": {"rate": 0.01, "threshold": 0, "zoom": 1.08, "normalize": False},
}


def psnr(found: Tensor, expected: np.ndarray) -> float:
    error = float(((found.numpy() - expected) ** 2).mean())
    return -10 * math.log10(max(error, 1e-30))


@pytest.mark.parametrize("name", RECORDINGS)
def test_steps_are_as_the_original_recorded_them(assets: Path, name: str) -> None:
    recorded = np.load(assets / "golden" / "nightmare" / f"{name}.npz")
    steps = json.loads((assets / "golden" / "nightmare" / f"{name}.json").read_text())["steps"]
    options = RECORDINGS[name]
    net = nets.load(str(assets / "golden" / "forward" / "sequential.cfg"))
    ascent = Ascent(net, device="cpu", precision="fp32")
    rule = DarknetRule(options["rate"], normalize=options.get("normalize", True), grey="darknet")
    quality = []
    for number, step in enumerate(steps):
        before = torch.from_numpy(recorded[f"before{number:02d}"])
        after = recorded[f"after{number:02d}"]
        draw = Draw(str(step["layer"]), step["dx"], step["dy"], bool(step["flip"]), step["scale"])
        canvas = PixelCanvas(before)
        view = Glimpse(draw, (before.shape[1], before.shape[2]))
        objective = Enhance(draw.layer, options.get("threshold", 1.0))
        ascent.step(canvas, Step(view, objective), rule)
        quality.append(psnr(canvas.image().detach(), after))
        if f"round_end{number + 1:02d}" in recorded:
            picture = torch.from_numpy(after)
            if "rotate" in options:
                picture = warps.rotate(picture, options["rotate"])
            picture = warps.zoom(picture, options.get("zoom", 1))
            assert psnr(picture, recorded[f"round_end{number + 1:02d}"]) > 100
    assert min(quality) > 60
    # Single features on the other side of the threshold cost up to half of zoom_out's steps.
    assert statistics.median_high(quality) > 120


def test_rounds_follow_from_each_other_and_from_the_seed(classifier: Net, photo: Tensor) -> None:
    def rounds(**options: object) -> list[bytes]:
        return [
            picture.tobytes()
            for picture in nightmare(
                classifier, photo, "2", rounds=3, iterations=2, device="cpu", **options
            )
        ]

    first = rounds()
    assert len(set(first)) == 3
    assert rounds() == first
    assert rounds(seed=1) != first
    assert rounds(zoom=0.8)[0] == first[0], "the first round is written before the zoom"
    assert rounds(zoom=0.8)[1] != first[1]
    assert rounds(rotate=0.3)[1] != first[1]


def test_the_schedule_draws_from_all_of_its_ranges(classifier: Net) -> None:
    layers = layers_around(classifier, "2", 3)
    generator = torch.Generator().manual_seed(0)
    draws = schedule(layers, iterations=400, octaves=3, generator=generator)
    assert {draw.layer for draw in draws} == {"1", "2", "3"}
    assert {draw.scale for draw in draws} == {1, 0.75, 0.5625}
    assert {draw.dx for draw in draws} == {draw.dy for draw in draws} == set(range(-8, 8))
    assert {draw.flip for draw in draws} == {True, False}


def test_a_glimpse_there_and_back_is_where_it_was() -> None:
    picture = torch.zeros(3, 40, 60)
    picture[:, 20:22, 30:32] = 1
    for flip in (False, True):
        glimpse = Glimpse(Draw("0", dx=5, dy=-7, flip=flip, scale=1.0), (40, 60))
        seen = glimpse.gather(picture)
        assert seen.shape == (1, 3, 40, 60)
        assert seen[0, 0, 27, (60 - 1 - 25) if flip else 25] == 1
        torch.testing.assert_close(glimpse.scatter(seen), picture, atol=1e-5, rtol=0)


def test_any_net_and_a_layer_by_name(photo: Tensor) -> None:
    net = nets.untrained("squeezenet1_1")
    (picture,) = nightmare(net, photo, "features.3", octaves=1, iterations=2, device="cpu")
    assert picture.size == (56, 40)
    assert ImageStat.Stat(ImageChops.difference(picture, images.to_pil(photo))).sum[0] > 0


def test_a_scream_is_no_grey_rectangle(assets: Path, squeezenet: Net) -> None:
    scream = images.read(assets / "golden" / "nightmare" / "scream_small.png")
    options = {"rounds": 2, "iterations": 6, "octaves": 1, "device": "cpu", "precision": "fp32"}
    *_, last = nightmare(squeezenet, scream, "12", layer_range=5, **options)
    assert min(ImageStat.Stat(last).stddev) > 30


def test_progress_is_told(classifier: Net, photo: Tensor) -> None:
    told = []
    list(
        nightmare(
            classifier,
            photo,
            "2",
            rounds=2,
            iterations=3,
            device="cpu",
            watch=lambda progress: told.append((progress.done, progress.total)),
        )
    )
    assert told == [(n, 6) for n in range(1, 7)]


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
def test_settings_that_make_no_sense(
    classifier: Net, photo: Tensor, layer: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        nightmare(classifier, photo, layer, device="cpu", **options)


def test_a_picture_too_small_for_the_smallest_octave_is_refused_at_once(
    make_net: Callable[..., Net],
) -> None:
    net = make_net(
        "[net]\nwidth=64\nheight=64\nchannels=3\n"
        "[convolutional]\nsize=20\nfilters=2\nactivation=relu\n"
    )
    with pytest.raises(LucidError, match=r"12x12: it is too small .* Use fewer octaves than 4"):
        nightmare(net, torch.rand(3, 30, 30), "0", iterations=20, octaves=4, device="cpu")
