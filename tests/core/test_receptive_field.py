from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import lucid.core.receptive_field
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.core.objectives import Enhance
from lucid.core.receptive_field import (
    LATTICE,
    SAFETY_FACTOR,
    ReceptiveField,
    WindowPlanner,
    Windows,
    find_receptive_field,
    spans,
)
from lucid.errors import LucidError, UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.nets.registry import random_init
from lucid.nightmares.nightmare import nightmare

CPU = torch.device("cpu")
BRANCHING = """
[net]
width=64
height=64
channels=3
[convolutional]
filters=8
size=5
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=8
size=1
activation=leaky
[route]
layers=-2
[convolutional]
filters=8
size=3
pad=1
activation=leaky
[route]
layers=-1,-3
[maxpool]
size=3
stride=2
[convolutional]
filters=16
size=3
pad=1
activation=leaky
"""


@given(st.integers(1, 2000), st.integers(1, 5), st.integers(0, 3))
def test_every_pixel_is_in_one_core_and_sees_its_margin(
    length: int, core: int, margin: int
) -> None:
    cut = spans(length, core * LATTICE, margin * LATTICE)
    assert [pixel for span in cut for pixel in span.core] == list(range(length))
    for span in cut:
        assert span.start % LATTICE == 0
        assert span.start == max(0, span.core.start - margin * LATTICE)
        assert span.stop == min(length, span.core.start + (core + margin) * LATTICE)
    assert [span.last for span in cut] == [False] * (len(cut) - 1) + [True]


def field_of(net: Net, layer: str) -> ReceptiveField:
    return find_receptive_field(
        lambda shown, name: net.activations(shown, [name])[name], layer, CPU
    )


@pytest.fixture
def branching(make_net: Callable[..., Net]) -> Net:
    return make_net(BRANCHING)


@pytest.fixture
def poster() -> Tensor:
    """A picture several windows large, smooth at no scale, (3, 290, 373)."""
    coarse = torch.rand(1, 3, 30, 40)
    return torch.nn.functional.interpolate(coarse, (290, 373), mode="bicubic")[0].clamp(0, 1)


@pytest.mark.parametrize("layer", ["0", "2", "5", "7"])
def test_windows_add_up_to_the_whole(branching: Net, poster: Tensor, layer: str) -> None:
    ascent = Ascent(branching, Runtime(device="cpu", precision="fp32"))
    shown, objective = poster[None], Enhance(layer)
    whole = ascent.gradient(shown, objective)
    windows = Windows(field_of(branching, layer), core=LATTICE)
    assert len(list(windows.cut((290, 373)))) == 5 * 6
    parts = ascent.gradient(shown, objective, windows=windows)
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


def test_a_layer_is_found_to_see_what_it_sees(branching: Net) -> None:
    assert field_of(branching, "0").stride == 2
    deep = field_of(branching, "7")
    # Back from a feature: 3 of 8, a pool of 3 of 4, 3 of 4, a pool of 2, 5 of 2.
    assert deep.stride == 8
    assert deep.margin == LATTICE


@pytest.mark.slow
def test_a_torchvision_net_in_windows(poster: Tensor) -> None:
    net = random_init("squeezenet1_1")
    ascent = Ascent(net, Runtime(device="cpu", precision="fp32"))
    windows = Windows(field_of(net, "features.4"), core=2 * LATTICE)
    whole = ascent.gradient(poster[None], Enhance("features.4"))
    parts = ascent.gradient(poster[None], Enhance("features.4"), windows=windows)
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


@pytest.mark.slow
def test_a_nightmare_in_windows_is_the_nightmare_and_shows_no_more(
    branching: Net, poster: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    look = branching.activations

    def watched(pictures: Tensor, layers: list[str]) -> dict[str, Tensor]:
        shown.append(max(pictures.shape[2:]))
        return look(pictures, layers)

    monkeypatch.setattr(branching, "activations", watched)

    def dream(tile_size: int | None) -> Tensor:
        shown.clear()
        (picture,) = nightmare(
            branching,
            poster,
            "5",
            iterations=3,
            layer_range=3,
            octaves=2,
            tile_size=tile_size,
            device="cpu",
            precision="fp32",
        )
        return from_pil(picture)

    whole = dream(None)
    assert max(shown) == 373
    # The probes for what a layer sees come before the first step.
    parts = dream(192)
    assert max(shown[-40:]) == 192
    assert float((parts - whole).abs().max()) <= 1.5 / 255


def planner(net: Net, tile_size: int | None) -> WindowPlanner:
    return WindowPlanner(
        lambda pictures, layer: net.activations(pictures, [layer])[layer], CPU, tile_size
    )


def test_what_fits_is_not_cut_and_what_does_not_is(
    branching: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planner(branching, None).windows("5", (64, 64)) is None
    assert planner(branching, None).windows("5", (1000, 1000)) is None
    assert planner(branching, 64).windows("5", (64, 64)) is None
    monkeypatch.setattr(lucid.core.receptive_field, "total_memory", lambda _: 2.0**27)
    cut = planner(branching, None).windows("5", (1000, 1000))
    assert cut is not None
    with torch.no_grad():  # as a nightmare asks, before its first step
        assert planner(branching, None).windows("5", (1000, 1000)) == cut
    side = cut.core + 2 * cut.receptive_field.margin
    # The first convolution alone keeps 8 channels of a quarter of the pixels.
    assert side**2 * 2 * 4 * SAFETY_FACTOR < 2**26


def test_a_tile_size_below_what_a_layer_sees_is_refused(branching: Net) -> None:
    with pytest.raises(UsageError, match="layer 5 needs a tile size of 192 or more"):
        planner(branching, 100).windows("5", (300, 300))


def test_too_little_memory_for_what_a_layer_sees_is_no_fault_of_an_option(
    branching: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lucid.core.receptive_field, "total_memory", lambda _: 2.0**20)
    with pytest.raises(LucidError, match="has no memory for that: try an earlier layer"):
        planner(branching, None).windows("5", (1000, 1000))


@pytest.mark.slow
@pytest.mark.parametrize(("net", "layer"), [("tiny", "4"), ("resnet18", "fc"), ("crop", "0")])
def test_a_layer_that_cannot_be_seen_in_parts_says_so(
    classifier: Net, make_net: Callable[..., Net], net: str, layer: str
) -> None:
    if net == "crop":
        head = "[net]\nwidth=64\nheight=64\nchannels=3\n"
        asked = make_net(head + "[crop]\ncrop_height=32\ncrop_width=32\n", stem="crop")
    else:
        asked = classifier if net == "tiny" else random_init(net)
    with pytest.raises(LucidError, match=f"layer {layer} cannot be seen in parts"):
        planner(asked, 256).windows(layer, (300, 300))


@pytest.mark.slow
def test_a_net_of_one_size_still_dreams_at_that_size(make_net: Callable[..., Net]) -> None:
    net = make_net(
        "[net]\nwidth=400\nheight=400\nchannels=3\n[maxpool]\nsize=20\nstride=20\n"
        "[connected]\noutput=4\nactivation=linear\n"
    )
    (picture,) = nightmare(net, torch.rand(3, 400, 400), "1", octaves=1, device="cpu")
    assert picture.size == (400, 400)
