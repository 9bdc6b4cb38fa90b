"""Python programs that call lucid in their own torch modes, threads and with their own data."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import lucid
from lucid.cli import main
from lucid.core.canvas import Canvas
from lucid.drawing.config import DrawConfig
from lucid.errors import LucidError, UsageError
from lucid.films.warp import parse
from lucid.imaging import recipes
from lucid.imaging.io import to_pil
from lucid.nets.net import Net
from lucid.tiling.regions import PathRegion

QUICK: dict[str, Any] = {
    "size": (32, 32),
    "octave_count": 1,
    "iterations": 2,
    "runtime": lucid.Runtime(device="cpu"),
}


MODES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )


CALLS: dict[str, Callable[[Net, Any], Any]] = {
    "draw": lambda net, base: lucid.draw(net, "0", **QUICK),
    "draw_base": lambda net, base: lucid.draw(net, "0", base, **QUICK),
    "layer": lambda net, base: lucid.draw(net, lucid.LayerL2("0"), **QUICK),
    "grow": lambda net, base: list(lucid.grow(net, "0", every=1, **QUICK))[-1],
    "film": lambda net, base: list(
        lucid.film(net, "0", base, frames=2, warps=["zoom:.1", "rotate:3", "swirl:9"], **QUICK)
    )[-1],
    "nightmare": lambda net, base: list(
        lucid.nightmare(net, base, "0", iterations=2, octaves=2, rotate=0.1, rounds=2)
    )[-1],
    "reconstruct": lambda net, base: list(lucid.reconstruct(net, base, "0", iterations=2))[-1],
    "guide": lambda net, base: lucid.draw(net, lucid.guide(net, "0", base), **QUICK),
    "path": lambda net, base: lucid.draw(
        net,
        lucid.Target(lucid.classes(net, "0"), PathRegion(((0.1, 0.2), (0.8, 0.7)))),
        **QUICK,
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_modes_of_the_caller_change_nothing(photo: Tensor, call: str) -> None:
    net = lucid.wrap(module(), input_size=(32, 32))
    base = to_pil(photo)
    expected = CALLS[call](net, base).tobytes()
    for name, mode in MODES.items():
        with mode():
            assert CALLS[call](net, base).tobytes() == expected, name


@pytest.mark.parametrize("mode", MODES)
def test_nets_and_pictures_made_in_a_mode_can_be_used(
    photo: Tensor, classifier: Net, mode: str
) -> None:
    expected = lucid.draw(lucid.wrap(module(), input_size=(32, 32)), "0", photo, **QUICK)
    with MODES[mode]():
        base = photo * 1
        net = lucid.wrap(module(), input_size=(32, 32))
        drawn = lucid.draw(net, "0", base, **QUICK)
        lucid.draw(lucid.load("lucid64"), "lion", **QUICK)
        # The caller's own code between two pictures runs in the caller's mode.
        for picture in lucid.grow(net, "0", every=1, **QUICK):
            assert not torch.is_grad_enabled(), picture
    assert drawn.tobytes() == expected.tobytes()


def test_another_default_precision_is_refused_in_plain_words(classifier: Net) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(UsageError, match=r"default is torch\.float64, .*set_default_dtype"):
            lucid.draw(classifier, "goldfish", **QUICK)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (np.zeros((32, 32, 3), complex), "not a ndarray"),
        (5, "not a int"),
        (torch.zeros(3, 32, 32, dtype=torch.int32), r"not of int32: use \.float\(\) / 255"),
        (torch.zeros(1, 32, 32), r"not of shape \(1, 32, 32\)"),
        (torch.zeros(4, 32, 32), r"not of shape \(4, 32, 32\)"),
        (torch.zeros(1, 3, 32, 32), r"not of shape \(1, 3, 32, 32\)"),
        (torch.zeros(3, 0, 32), r"not of shape \(3, 0, 32\)"),
        (torch.full((3, 32, 32), torch.nan), "its values go from nan"),
        (torch.full((3, 32, 32), 255.0), "its values go from 255 to 255"),
    ],
)
def test_a_base_of_another_kind_is_refused(classifier: Net, base: Any, message: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: lucid.draw(classifier, "goldfish", base, **QUICK),
        lambda: next(iter(lucid.film(classifier, "goldfish", base, frames=1, **QUICK))),
        lambda: lucid.nightmare(classifier, base, "0"),
        lambda: lucid.reconstruct(classifier, base, "0"),
        lambda: lucid.guide(classifier, "0", base),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=message):
            call()


@pytest.fixture
def photo_file(photo: Tensor, tmp_path: Path) -> Path:
    """A photograph's file."""
    to_pil(photo).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_pictures_are_taken_in_any_form(classifier: Net, photo_file: Path) -> None:
    with Image.open(photo_file) as picture:
        picture.load()
    pixels = np.asarray(picture)
    bases: list[Any] = [photo_file, str(photo_file), picture, pixels, pixels / 255.0]
    bases += [torch.from_numpy(pixels.copy()), torch.from_numpy(pixels.copy()).movedim(2, 0)]
    bases.append(np.moveaxis(pixels, 2, 0))
    drawn = [lucid.draw(classifier, "goldfish", base, **QUICK).tobytes() for base in bases]
    assert len(set(drawn)) == 1


def test_masks_are_taken_in_any_form(classifier: Net, tmp_path: Path) -> None:
    half = np.zeros((32, 32), np.uint8)
    half[:, 16:] = 255
    Image.fromarray(half).save(tmp_path / "mask.png")
    masks: list[Any] = [half, half / 255.0, half > 0, torch.from_numpy(half), half[None]]
    masks += [Image.fromarray(half), tmp_path / "mask.png", str(tmp_path / "mask.png")]
    masks.append(np.stack([half] * 3, 2))
    base = torch.full((3, 32, 32), 0.5)
    drawn = [lucid.draw(classifier, "goldfish", base, mask=each, **QUICK) for each in masks]
    assert len({each.tobytes() for each in drawn}) == 1
    left = np.asarray(drawn[0])[:, :14]
    assert (left == left[0, 0]).all()
    assert np.asarray(drawn[0])[:, 18:].std() > 0
    for wrong in (5, np.zeros(3), np.zeros((0, 4)), np.full((4, 4), 9.0), np.zeros((4, 4), int)):
        with pytest.raises(UsageError, match="the mask must be a picture, or a tensor"):
            lucid.draw(classifier, "goldfish", mask=wrong, **QUICK)  # type: ignore[arg-type]


@pytest.mark.slow
def test_nets_are_taken_by_name() -> None:
    few: dict[str, Any] = {**QUICK, "size": 32}
    by_name = lucid.draw("lucid64", "goldfish", **few)
    assert by_name.size == (32, 32)
    net = lucid.load("lucid64")
    assert by_name.tobytes() == lucid.draw(net, 0, **few).tobytes()
    assert lucid.classes("lucid64", "lion").weights == {22: 1.0}
    assert lucid.draw(module(), "1", **QUICK).size == (32, 32)
    grey = torch.full((3, 32, 32), 0.5)
    assert next(iter(lucid.film("lucid64", "lion", grey, frames=1, **QUICK))).size == (32, 32)
    for wrong in (5, None, ["lucid64"]):
        with pytest.raises(UsageError, match="a net is one that lucid"):
            lucid.draw(wrong, "lion")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "large"}, "size='large' must be .height, width. in pixels"),
        ({"size": (1.5, 2)}, "size=.1.5, 2. must be"),
        ({"size": True}, "size=True must be"),
        ({"iterations": "3"}, "iterations='3' must be a whole number"),
        ({"seed": 1.5}, "seed=1.5 must be a whole number"),
        ({"seed": None}, "seed=None must be a whole number"),
        ({"seed": -1}, "seed=-1 must be from 0 to"),
        ({"seed": 2**70}, "seed=.* must be from 0 to"),
        ({"variety": 11}, "variety=11 must be from 0 to 10"),
        ({"mask": "ski"}, "mask 'ski' is neither a picture nor top, .*; the nearest is sky"),
        ({"canvas": lambda *given: 3}, "the canvas is a int: derive it from Canvas"),
        ({"canvas": lambda size: None}, "the canvas <lambda> must take size, start, generator, d"),
        ({"optimizer": lambda lr: 3}, "the optimizer is a int without step"),
        ({"optimizer": lambda: None}, "the optimizer <lambda> must take lr"),
        ({"strength": "much"}, "strength='much' must be a number"),
        ({"overlap": None}, "overlap=None must be a number"),
        ({"keep_colors": "yes"}, "keep_colors='yes' must be True or False"),
        ({"runtime": "cpu"}, "runtime='cpu' must be a lucid.Runtime"),
        ({"config": {}}, "config={} must be a DrawConfig"),
        ({"order": 3}, "order=3 must be a name or a function"),
        ({"canvas": "oil"}, "canvas 'oil' is not"),
        ({"optimizer": "sgd"}, "optimizer 'sgd' is not"),
        ({"transforms": [1]}, "transforms=.1. must be a list of functions"),
        ({"colour": 1}, "there is no option 'colour'; the nearest"),
    ],
)
def test_options_of_another_kind_are_refused(
    classifier: Net, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        lucid.draw(classifier, "goldfish", **options)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "None is nothing that can be drawn"),
        (1.5, "1.5 is nothing that can be drawn"),
        ([None], "None is no class's name"),
        (lucid.Channel("0", 999), "layer 0 has channels 0 to 7, no 999"),
        (lucid.LayerL2("0") - 2 * lucid.Channel("0", -1), "layer 0 has channels 0 to 7, no -1"),
        ([lucid.Target(lucid.Channel("0", 8))], "no 8"),
        (99, "has no class 99"),
        (lucid.Channel("0", "a"), "no a"),  # type: ignore[arg-type]
        (lucid.Channel("0", 1.5), "no 1.5"),  # type: ignore[arg-type]
        (lucid.Channel("0", 1, (5, 5)), "neuron .5, 5. must be .x, y., each from 0 to 1"),
        ({"goldfish": "x"}, "'goldfish': 'x' is no class and its weight"),
        ({None: 1}, "None: 1 is no class and its weight"),
        (lucid.Target("goldfish"), "a Target's objective is an Objective, not 'goldfish'"),  # type: ignore[arg-type]
        (lambda: None, "the objective <lambda> must take activations"),
        (lambda a, b: None, "the objective <lambda> must take activations"),
    ],
)
def test_targets_that_do_not_exist_are_refused(classifier: Net, targets: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        lucid.draw(classifier, targets, **QUICK)


def test_a_picture_carries_its_recipe(
    classifier: Net, photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few: dict[str, Any] = {**QUICK, "seed": 4, "strength": 0.5, "overlap": 0.25}
    picture = lucid.draw("lucid64", ["lion", "monarch"], "photo.png", **few)
    lucid.save(picture, tmp_path / "lion.png")
    recipe = recipes.read(tmp_path / "lion.png")
    assert recipe.options["class"] == ["lion", "monarch"]
    assert recipe.options["base"] == ["photo.png"]
    again = CliRunner().invoke(main, ["redo", "lion.png", "-o", "again.png"])
    assert again.exit_code == 0, again.output
    with Image.open(tmp_path / "again.png") as made_again:
        assert made_again.tobytes() == picture.tobytes()
    with pytest.raises(LucidError, match="exists"):
        lucid.save(picture, "lion.png", replace=False)


def test_a_recipe_says_what_only_the_program_has(
    classifier: Net, photo: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    objective = lucid.LayerL2("1") - 0.5 * lucid.Channel("0", 1)
    picture = lucid.draw("lucid64", objective, photo, mask=torch.ones(4, 4), **QUICK)
    lucid.save(picture, "own.png")
    program = recipes.read("own.png").made["program"]
    assert "LayerL2(layer='1')" in program[0]
    assert program[1:] == ["mask", "base"]
    refused = CliRunner().invoke(main, ["redo", "own.png"])
    assert refused.exit_code == 1
    assert "was made by a Python program, which alone has its objective" in refused.output
    plain = Image.new("RGB", (8, 8))
    lucid.save(plain, "plain.jpg")
    with Image.open("plain.jpg") as saved:
        assert saved.size == (8, 8)


STOPPING: dict[str, Callable[..., Any]] = {
    "draw": lambda watch: [lucid.draw("lucid64", "lion", watch=watch, **QUICK)],
    "skin": lambda watch: [lucid.draw_skin("lucid64", "lion", "bee", watch=watch, **QUICK)],
    "diverse": lambda watch: lucid.draw_diverse("lucid64", "lion", count=2, watch=watch, **QUICK),
    "film": lambda watch: list(
        lucid.film("lucid64", "lion", torch.rand(3, 32, 32), frames=9, watch=watch, **QUICK)
    ),
    "nightmare": lambda watch: list(
        lucid.nightmare("lucid64", torch.rand(3, 32, 32), "1", rounds=9, watch=watch)
    ),
    "reconstruct": lambda watch: list(
        lucid.reconstruct("lucid64", torch.rand(3, 32, 32), "1", rounds=9, watch=watch)
    ),
}


@pytest.mark.parametrize("name", STOPPING)
@pytest.mark.parametrize("raises", [False, True])
def test_a_callback_stops_the_work(name: str, raises: bool) -> None:
    calls = 0

    def watch(*_progress: object) -> bool:
        nonlocal calls
        calls += 1
        if raises:
            raise lucid.Stop
        return False

    pictures = STOPPING[name](watch)
    assert calls == 1
    assert len(pictures) == {"draw": 1, "skin": 1, "diverse": 2}.get(name, 0)
    assert all(picture.size == (32, 32) for picture in pictures)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_base_of_any_precision_is_taken(
    classifier: Net, photo: Tensor, dtype: torch.dtype
) -> None:
    exact = (photo * 8).round() / 8  # which all of them hold
    expected = lucid.draw(classifier, "goldfish", exact, **QUICK).tobytes()
    assert lucid.draw(classifier, "goldfish", exact.to(dtype), **QUICK).tobytes() == expected


@pytest.mark.parametrize("name", ["tv_weight", "noise", "decay_power", "lr", "variety"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300])
def test_a_config_of_impossible_numbers_is_refused(name: str, value: float) -> None:
    setting: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=f"{name} .* is not a number up to 1000000"):
        DrawConfig(**setting)


def test_a_picture_without_numbers_is_an_error(classifier: Net) -> None:
    def broken(activations: Any) -> Tensor:
        return activations["0"].mean((1, 2, 3)) * torch.nan

    with pytest.raises(LucidError, match="pixels that are no numbers"):
        lucid.draw(classifier, broken, **QUICK)


def run_together(count: int, work: Callable[[int], object]) -> None:
    """Run in several threads at once; raise the first error."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.slow
def test_threads_may_share_a_wrapped_net() -> None:
    net = lucid.wrap(module(), input_size=(32, 32))
    layers = [str(number % 3) for number in range(8)]
    expected = [lucid.draw(net, lucid.LayerL2(layer), **QUICK).tobytes() for layer in layers]
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        found[number] = lucid.draw(net, lucid.LayerL2(layers[number]), **QUICK).tobytes()

    for _ in range(3):
        run_together(8, work)
        assert [found[number] for number in range(8)] == expected


@pytest.mark.slow
def test_threads_may_load_and_use_torchvisions_nets() -> None:
    from lucid.nets.registry import random_init

    def work(number: int) -> None:
        net = random_init(["squeezenet1_1", "alexnet", "resnet18"][number % 3])
        net.activations(torch.zeros(1, 3, 224, 224), [net.layers[number]])

    run_together(6, work)


def test_a_modules_own_error_is_kept(photo: Tensor) -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = module()

        def forward(self, images: Tensor) -> Tensor:
            if images.shape[-1] != 32:
                raise KeyError("my own reason")
            out: Tensor = self.body(images)
            return out

    net = lucid.wrap(Picky(), input_size=(32, 32), any_size=True)
    with pytest.raises(LucidError, match="picky cannot process an image of") as caught:
        lucid.draw(net, "0", size=(48, 48), octave_count=1, iterations=1, tile_size=48)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_drawing_that_is_left_can_be_begun_again(classifier: Net) -> None:
    expected = list(lucid.grow(classifier, "goldfish", every=1, **QUICK))[-1].tobytes()
    growing = iter(lucid.grow(classifier, "goldfish", every=1, **QUICK))
    next(growing)
    growing.close()  # type: ignore[attr-defined]
    assert list(lucid.grow(classifier, "goldfish", every=1, **QUICK))[-1].tobytes() == expected


@pytest.mark.slow
def test_a_picture_of_one_pixel_is_drawn(classifier: Net) -> None:
    for size in ((1, 1), (1, 40), (40, 1), (2, 2), (7, 9)):
        picture = lucid.draw(classifier, "goldfish", **{**QUICK, "size": size})
        assert picture.size == size[::-1]
    assert isinstance(picture, Image.Image)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_paints_too() -> None:
    code = """
import os, lucid, torch
torch.set_num_threads(2)
net = lucid.load("lucid64")
def draw(): return lucid.draw(net, "lion", size=(64, 64), iterations=2, octave_count=1).tobytes()
draw()
if child := os.fork():
    print(os.waitpid(child, 0)[1])
else:
    draw()
    os._exit(0)
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"
    assert "it paints with one thread" in done.stderr


def test_numbers_are_classes_everywhere(classifier: Net) -> None:
    assert lucid.classes(classifier, 3).weights == {3: 1.0}
    assert lucid.classes(classifier, [3, "goldfish"]).weights == {3: 0.5, 0: 0.5}
    assert lucid.classes(classifier, {3: 3, "goldfish": 1}).weights == {3: 0.75, 0: 0.25}
    few: dict[str, Any] = {**QUICK, "seed": np.int64(2), "size": np.int32(32)}
    assert lucid.draw(classifier, np.int64(3), **few).size == (32, 32)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="None is no class"):
        lucid.classes(classifier, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda net: next(iter(lucid.film(net, "goldfish", frames="2"))),  # type: ignore[arg-type]
        lambda net: next(iter(lucid.film(net, "0", frames=1, contrast="a"))),  # type: ignore[arg-type]
        lambda net: lucid.nightmare(net, torch.rand(3, 32, 32), "0", rounds="x"),  # type: ignore[arg-type]
        lambda net: lucid.nightmare(net, torch.rand(3, 32, 32), "0", rate="x"),  # type: ignore[arg-type]
        lambda net: lucid.load(None),  # type: ignore[arg-type]
        lambda net: lucid.save(None, "a.png"),  # type: ignore[arg-type]
        lambda net: lucid.draw(net, True),
        lambda net: lucid.draw(net, b"goldfish"),
        lambda net: lucid.classes(net, b"goldfish"),
        lambda net: lucid.LayerL2("0") + 3,  # type: ignore[operator]
        lambda net: lucid.LayerL2("0") * lucid.LayerL2("1"),  # type: ignore[operator]
        lambda net: lucid.Keyframes({-1: lucid.LayerL2("0")}),
        lambda net: lucid.Keyframes({"0": lucid.LayerL2("0")}),  # type: ignore[dict-item]
        lambda net: lucid.Keyframes({0: lucid.LayerL2("0")}, ["zoom:.1"], {"zoom": {-3: 0.1}}),
        lambda net: lucid.draw(net, "goldfish", mask=torch.ones(20, 60), **QUICK),
    ],
)
def test_what_is_of_another_kind_is_a_usage_error(
    classifier: Net, call: Callable[[Net], object]
) -> None:
    with pytest.raises(UsageError):
        call(classifier)


@pytest.mark.parametrize("name", STOPPING)
def test_a_watch_that_is_no_function_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="watch=3 must be a function"):
        STOPPING[name](3)


def _without_a_result(images: Tensor) -> None:
    images.flip(3)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (_without_a_result, "_without_a_result must return images of shape .*, not NoneType"),
        (lambda images: images[:, :2], "not shape .1, 2, "),
        (lambda images: images.detach(), "that no gradient passes through"),
    ],
)
def test_a_transform_that_the_net_cannot_be_shown_is_a_usage_error(
    classifier: Net, transform: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        lucid.draw(classifier, "goldfish", transforms=[transform], **QUICK)


def test_an_order_that_leaves_pixels_out_is_a_usage_error(classifier: Net) -> None:
    def corner(*given: Any) -> list[list[tuple[int, int]]]:
        return [[(0, 0)]]

    order: Any = corner
    few: dict[str, Any] = {**QUICK, "size": (48, 72), "tile_size": 40}
    with pytest.raises(UsageError, match="corner leaves 1856 pixels out, the first in row 0, col"):
        lucid.draw(classifier, "goldfish", order=order, **few)


def test_a_mask_of_another_shape_is_stretched_only_when_asked(classifier: Net) -> None:
    wide = torch.ones(20, 60)
    picture = lucid.draw(classifier, "goldfish", mask=wide, fit="stretch", **QUICK)
    assert picture.size == (32, 32)


def test_the_warps_of_keyframes_may_be_typed(classifier: Net) -> None:
    typed = lucid.Keyframes({0: lucid.LayerL2("0")}, ["zoom:.05"], {"zoom": {2: 0.1}})
    assert typed == lucid.Keyframes({0: lucid.LayerL2("0")}, [parse("zoom:.05")], typed.keyframes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["draw", "skin", "grow"])
def test_the_recipe_of_a_stopped_picture_says_after_how_many_passes(name: str) -> None:
    few: dict[str, Any] = {**QUICK, "iterations": 4}
    if name == "grow":
        first, *_, last = lucid.grow("lucid64", "lion", every=3, **few)
    else:
        paint: Any = lucid.draw
        if name == "skin":
            paint = functools.partial(lucid.draw_skin, skin="bee")
        calls = iter((True, True, False))
        first = paint("lucid64", "lion", watch=lambda progress: next(calls), **few)
        last = paint("lucid64", "lion", **few)
    assert recipes.parse(first.info["lucid"], "first").made["passes"] == 3
    assert "passes" not in recipes.parse(last.info["lucid"], "last").made


@pytest.mark.slow
def test_pictures_of_every_kind_carry_a_recipe(
    photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few: dict[str, Any] = {**QUICK, "seed": 3, "iterations": 1}

    group = lucid.draw_diverse("lucid64", ["lion", "bee"], count=2, **few)
    lucid.save(group[1], "group.png")
    again = CliRunner().invoke(main, ["redo", "group.png", "-o", "g_{seed}.png"])
    assert again.exit_code == 0, again.output
    for seed, picture in enumerate(group, start=3):
        with Image.open(f"g_{seed}.png") as made_again:
            assert made_again.tobytes() == picture.tobytes()

    frames = list(lucid.film("lucid64", "lion", "photo.png", frames=3, warps=["zoom:.1"], **few))
    lucid.save(frames[2], "frame.png")
    again = CliRunner().invoke(main, ["redo", "frame.png", "-o", "film"])
    assert again.exit_code == 0, again.output
    for number, frame in enumerate(frames):
        with Image.open(f"film/frame_{number:06d}.png") as made_again:
            assert made_again.tobytes() == frame.tobytes()

    nightmare = list(lucid.nightmare("lucid64", "photo.png", "1", rounds=2, zoom=0.9, seed=3))
    reconstruction = list(lucid.reconstruct("lucid64", "photo.png", "1", rounds=2, seed=3))
    for folder, rounds in (("n", nightmare), ("r", reconstruction)):
        lucid.save(rounds[0], f"{folder}.png")
        again = CliRunner().invoke(main, ["redo", f"{folder}.png", "-prefix", folder])
        assert again.exit_code == 0, again.output
        for number, picture in enumerate(rounds):
            with Image.open(f"{folder}/photo_lucid64_1_{number:06d}.png") as made_again:
                assert made_again.tobytes() == picture.tobytes()


def test_a_recipe_of_a_film_says_what_only_the_program_has(photo: Tensor) -> None:
    keyframes = lucid.Keyframes({0: lucid.LayerL2("0")}, ["zoom:.1"])
    (frame,) = lucid.film("lucid64", keyframes, photo, frames=1, overlap=0.25, **QUICK)
    base, keys, overlap = recipes.parse(frame.info["lucid"], "film").made["program"]
    assert (keys[:19], base, overlap) == ("keyframes Keyframes", "base", "overlap 0.25")
    (dream,) = lucid.dream_over("lucid64", "lion", [to_pil(photo)], **QUICK)
    assert "footage" in recipes.parse(dream.info["lucid"], "film").made["program"]
    (night,) = lucid.nightmare("lucid64", photo, "0")
    assert recipes.parse(night.info["lucid"], "nightmare").made["program"] == ["picture"]


def test_what_a_newcomer_gets_wrong_is_a_sentence(classifier: Net) -> None:
    assert lucid.Channel(2, 1) == lucid.Channel("2", 1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="frames='2' must be a whole number"):
        next(lucid.film(classifier, "goldfish", frames="2"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"warps='zoom:.05' must be a list of warps"):
        next(lucid.film(classifier, "goldfish", frames=2, warps="zoom:.05"))
    with pytest.raises(UsageError, match="floats or bytes, not a ndarray of int64"):
        lucid.draw(classifier, "goldfish", mask=np.ones((32, 32), int), **QUICK)

    class Thin(Canvas):
        def __init__(self, size: Any, start: Any, generator: Any, device: Any) -> None:
            self.size, self.parameter = size, torch.zeros(1, *size, requires_grad=True)

        def image(self) -> Tensor:
            return self.parameter

        def blur(self, sigma: float) -> None:
            pass

    with pytest.raises(UsageError, match=r"must be of shape .3, 32, 32., RGB, not .1, 32, 32."):
        lucid.draw(classifier, "goldfish", canvas=Thin, **QUICK)
