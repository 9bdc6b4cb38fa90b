from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CLASSIFIER
from PIL import Image
from torch import Tensor

from lucid.core.device import Runtime
from lucid.drawing.config import SMALL_FROM_NOISE
from lucid.drawing.loop import draw, grow, paint
from lucid.drawing.plan import fit_tiling, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.targets import class_weights, classes
from lucid.errors import UsageError
from lucid.imaging.io import from_pil, to_pil
from lucid.nets.net import Net
from lucid.nets.registry import load
from lucid.tiling.tiles import Tiling

CPU = Runtime(device="cpu", precision="fp32")
SMALL: dict[str, Any] = {"tile_size": 32, "octave_count": 2, "iterations": 2, "runtime": CPU}


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("order", ["spiral", "grid", "random", "none"])
@pytest.mark.parametrize("size", [(48, 70), (32, 32), (20, 45)])
def test_any_size_in_any_order(classifier: Net, order: str, size: tuple[int, int]) -> None:
    painted = draw(classifier, ["goldfish"], size=size, order=order, **SMALL)
    assert painted.size == (size[1], size[0])
    assert pixels(painted).std() > 1


def test_the_same_seed_gives_the_same_bytes(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        first = draw(classifier, ["goldfish"], base, seed=3, **SMALL).tobytes()
        assert draw(classifier, ["goldfish"], base, seed=3, **SMALL).tobytes() == first
        assert draw(classifier, ["goldfish"], base, seed=4, **SMALL).tobytes() != first


def test_what_grows_ends_as_what_is_drawn(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        stages = list(grow(classifier, ["goldfish"], base, every=2, seed=3, **SMALL))
        drawn = draw(classifier, ["goldfish"], base, seed=3, **SMALL)
        assert len(stages) > 1
        assert {stage.size for stage in stages} == {drawn.size}
        assert stages[-1].tobytes() == drawn.tobytes()
        assert stages[0].tobytes() != drawn.tobytes()


@pytest.mark.parametrize("order", ["spiral", "grid"])
@pytest.mark.parametrize("on_photo", [False, True])
def test_one_pass_with_other_batches_changes_hardly_a_pixel(
    classifier: Net, photo: Tensor, order: str, on_photo: bool
) -> None:
    """Some processors multiply one image otherwise than sixteen, and Adam's first step takes
    only the sign of what is nearly nothing."""
    options: dict[str, Any] = SMALL | {"octave_count": 1, "iterations": 1, "order": order}
    options["size"] = (90, 110)
    base = photo if on_photo else None
    one, many = (
        pixels(
            draw(classifier, ["goldfish"], base, **(options | {"runtime": replace(CPU, batch=b)}))
        )
        for b in (1, 16)
    )
    assert abs(one - many).max() <= 2
    assert (abs(one - many) > 1).mean() < 0.001


@pytest.mark.slow
def test_wrap_makes_a_texture_without_seams(classifier: Net) -> None:
    """Across the edges neighbours differ no more than they do inside."""
    options: dict[str, Any] = SMALL | {"iterations": 8, "size": (64, 64)}

    def seam(padding: str) -> float:
        image = pixels(draw(classifier, ["goldfish"], padding=padding, **options))
        inside = abs(np.diff(image, axis=1)).mean()
        return abs(image[:, 0] - image[:, -1]).mean() / inside

    assert seam("wrap") < 1.15 < seam("reflect")


def test_a_base_keeps_its_size_and_is_changed(classifier: Net, photo: Tensor) -> None:
    painted = draw(classifier, ["goldfish"], photo, **SMALL)
    assert painted.size == (56, 40)
    change = abs(pixels(painted) - pixels(to_pil(photo)))
    assert 1 < change.mean() < 60
    assert draw(classifier, ["goldfish"], to_pil(photo), size=(30, 50), **SMALL).size == (
        50,
        30,
    )


def test_an_objective_paints_what_its_names_do(classifier: Net) -> None:
    mix = classes(classifier, ["goldfish", "tench"])
    first, again = (draw(classifier, mix, **SMALL).tobytes() for _ in range(2))
    assert first == again == draw(classifier, ["goldfish", "tench"], **SMALL).tobytes()


def test_the_default_size_is_a_tile(make_net: Callable[..., Net]) -> None:
    net = make_net(CLASSIFIER.replace("[avgpool]", "[connected]\noutput=5\n"))
    options: dict[str, Any] = {"octave_count": 1, "iterations": 1, "runtime": CPU}
    assert draw(net, ["0"], **options).size == (32, 32)
    assert draw(net, ["0"], size=(50, 60), **options).size == (60, 50)
    with pytest.raises(UsageError, match="sees only 32x32 pixels: leave the tile size out"):
        draw(net, ["0"], tile_size=48, **options)
    with pytest.raises(UsageError, match="cannot see a whole picture of that size"):
        draw(net, ["0"], size=(50, 60), order="none", **options)


@pytest.mark.slow
def test_a_class_grows_where_it_is_drawn(classifier: Net) -> None:
    options: dict[str, Any] = SMALL | {"iterations": 20, "size": (32, 32)}
    painted = [from_pil(draw(classifier, [str(n)], **options)) for n in range(5)]
    likely = classifier.probabilities(torch.stack(painted))
    assert (likely.diagonal() > likely.mean(0)).all()


def test_classes_mix_by_weight(classifier: Net) -> None:
    assert class_weights(classifier, ["goldfish", "tench"]) == {0: 0.5, 1: 0.5}
    assert class_weights(classifier, {"goldfish": 3, "1": 1}) == {0: 0.75, 1: 0.25}
    assert class_weights(classifier, {"goldfish": 1, "tench": -1}) == {0: 0.5, 1: -0.5}


def test_progress_is_reported(classifier: Net) -> None:
    told: list[Progress] = []
    draw(classifier, ["goldfish"], size=(64, 64), watch=told.append, **SMALL)
    assert len(told) == 4
    assert told[-1].done == told[-1].total
    assert [progress.octave for progress in told] == [(46, 46)] * 2 + [(64, 64)] * 2
    assert told[0].picture().size == (64, 64)
    told.clear()
    options: dict[str, Any] = SMALL | {"octave_count": 4, "iterations": 1}
    draw(classifier, ["goldfish"], size=(36, 60), watch=told.append, **options)
    assert [min(progress.octave) for progress in told] == [24, 24, 26, 36]


@pytest.mark.slow
def test_octaves_of_a_small_net_start_at_its_own_size(classifier: Net) -> None:
    told: list[Progress] = []
    draw(classifier, ["goldfish"], size=(60, 80), runtime=CPU, watch=told.append)
    passes = Counter(progress.octave for progress in told)
    few = SMALL_FROM_NOISE.iterations
    assert [min(octave) for octave in passes] == [32, 43, 60]
    assert list(passes.values()) == [few * SMALL_FROM_NOISE.first_octave_factor, few, few]


def test_tiles_are_no_larger_than_an_octave_that_the_net_sees_whole(classifier: Net) -> None:
    tiling = Tiling((224, 224))
    assert fit_tiling(tiling, classifier, (40, 300)).tile == (40, 224)
    assert fit_tiling(tiling, classifier, (20, 24)).tile == (32, 32)
    assert fit_tiling(Tiling((16, 16)), classifier, (20, 24)).tile == (16, 16)
    assert fit_tiling(Tiling((224, 224), "none"), classifier, (40, 300)).tile == (224, 224)


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        ([], {}, "name a class"),
        (["golfish"], {}, "the nearest are goldfish, fish"),
        ({"goldfish": 0}, {}, "not all 0"),
        (["goldfish"], {"size": (0, 5)}, "size 5x0 has no pixels"),
        (["goldfish"], {"size": (10**6, 10**6)}, "needs about .* GiB of memory"),
        (["goldfish"], {"octave_scale": 0.5}, "octave scale"),
        (["goldfish"], {"iterations": 0}, "must be 1 or more"),
    ],
)
def test_settings_that_make_no_sense(
    classifier: Net, classes: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        draw(classifier, classes, **(SMALL | options))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["darknet", "torchvision"])
def test_a_goldfish_can_be_seen(assets: Path, squeezenet: Net, form: str) -> None:
    """Painted with either form of the real net, it is named by the other."""
    other = load("squeezenet1_1", assets / "models" / "squeezenet1_1.pth")
    painter, judge = (squeezenet, other) if form == "darknet" else (other, squeezenet)
    painted = draw(painter, ["goldfish"], octave_count=1, seed=1, runtime=Runtime(device="cpu"))
    answer = judge.probabilities(from_pil(painted)[None])[0]
    assert answer.argmax() == 1
    assert answer[1] > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_deterministic_cuda_gives_the_same_bytes(classifier: Net) -> None:
    options: dict[str, Any] = SMALL | {"size": (70, 90)}
    options["runtime"] = Runtime(device="cuda", precision="fp32", deterministic=True)
    try:
        first, again = (draw(classifier, ["goldfish"], **options).tobytes() for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert first == again


def test_painting_a_plan_twice_gives_the_same_picture(classifier: Net, photo: Tensor) -> None:
    for base in (None, photo):
        plan = prepare(classifier, ["goldfish", "tench"], base, seed=3, **SMALL)
        assert torch.equal(paint(plan), paint(plan))


@pytest.mark.parametrize("keep_colors", [False, True])
def test_a_plan_says_what_it_paints(classifier: Net, photo: Tensor, keep_colors: bool) -> None:
    plan = prepare(classifier, "goldfish", photo, keep_colors=keep_colors, seed=3, **SMALL)
    assert to_pil(paint(plan)).tobytes() == (
        draw(classifier, "goldfish", photo, keep_colors=keep_colors, seed=3, **SMALL).tobytes()
    )
    settings = plan.to_dict()
    assert settings["size"] == "56x40"
    assert settings["config"]["lr"] == plan.config.lr


def test_options_of_version_0_1_are_still_understood(classifier: Net) -> None:
    new = draw(classifier, ["goldfish"], size=(32, 32), config=SMALL_FROM_NOISE, **SMALL)
    plain = {key: value for key, value in SMALL.items() if key != "runtime"}
    old = draw(
        classifier,
        ["goldfish"],
        size=(32, 32),
        **{**plain, "device": "cpu", "precision": "fp32", "manner": SMALL_FROM_NOISE},
    )
    assert old.tobytes() == new.tobytes()
    with pytest.raises(TypeError, match="inside runtime=Runtime"):
        draw(classifier, ["goldfish"], device="cpu", **SMALL)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no option 'sise'; the nearest are size"):
        draw(classifier, ["goldfish"], sise=(3, 3), **SMALL)  # type: ignore[call-arg]


def test_colours_are_kept_only_of_a_base(classifier: Net) -> None:
    with pytest.raises(UsageError, match="no colours to keep"):
        draw(classifier, ["goldfish"], keep_colors=True, **SMALL)
