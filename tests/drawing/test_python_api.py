"""Python programs that call lucid in their own torch modes, threads and with their own data."""

from __future__ import annotations

import contextlib
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
from PIL import Image
from torch import Tensor, nn

import lucid
from lucid.drawing.config import DrawConfig
from lucid.errors import LucidError, UsageError
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
        (np.zeros((32, 32, 3)), "not a ndarray"),
        ("photo.png", r"not a str: open it with PIL\.Image\.open"),
        (Path("photo.png"), r"not a .*Path: open it with PIL\.Image\.open"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8), r"not of uint8: use \.float\(\) / 255"),
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
