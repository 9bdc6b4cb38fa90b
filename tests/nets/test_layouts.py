"""Channels are found in the outputs of convolutions and of transformers."""

from __future__ import annotations

import pytest
import torch

import lucid
from lucid.errors import UsageError
from lucid.nets.layouts import Grid, has_channels_last, token_grid
from lucid.nets.registry import load_meta, random_init


@pytest.mark.parametrize(
    ("shape", "image", "expected"),
    [
        ((512, 7, 7), (224, 224), False),
        ((7, 7, 512), (224, 224), True),
        ((7, 7, 7), (224, 224), False),  # as most nets have it
        ((4, 8, 96), (32, 64), True),
        ((96, 4, 8), (32, 64), False),
        ((50, 768), (224, 224), True),  # 7x7 places and the class
        ((768, 49), (224, 224), False),  # before they change places
        ((65, 256), (128, 128), True),
        ((64, 49, 64), (224, 224), True),  # 8x8 windows of 7x7 places
        ((64, 56, 75), (227, 300), False),
        ((1000,), (224, 224), False),
    ],
)
def test_the_channels_are_known_by_the_shape(
    shape: tuple[int, ...], image: tuple[int, int], expected: bool
) -> None:
    assert has_channels_last(shape, image) is expected


def test_tokens_lie_on_a_grid() -> None:
    assert token_grid(49) == Grid(0, 7, 7)
    assert token_grid(197) == Grid(1, 14, 14)
    assert token_grid(14 * 14 + 5) == Grid(5, 14, 14)
    assert token_grid(2 * 4 + 1, (32, 64)) == Grid(1, 2, 4)
    assert token_grid(768) is None
    assert Grid(1, 2, 4).token(0.99, 0.1) == 1 + 3
    assert Grid(1, 2, 4).token(0, 1) == 1 + 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vit_b_32", {"conv_proj": (768, 7, 7), "encoder.layers.encoder_layer_3.mlp": (768, 50)}),
        (
            "swin_t",
            {
                "features.0.0": (96, 56, 56),
                "features.3.1.mlp": (192, 28, 28),
                "features.7.1.add": (768, 7, 7),
            },
        ),
        (
            "convnext_tiny",
            {
                "features.1.0.block.0": (96, 56, 56),
                "features.1.0.block.3": (384, 56, 56),  # a linear layer
                "features.7.2.add": (768, 7, 7),
            },
        ),
        (
            "maxvit_t",
            {
                "stem.1": (64, 112, 112),
                "blocks.0.layers.0.layers.window_attention.partition_op.reshape_1": (64, 64, 49),
            },
        ),
    ],
)
def test_layers_are_shown_channels_first(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    known = {each.name: each.shape for each in load_meta(name).describe()}
    net = random_init(name)
    images = torch.rand(2, 3, *net.input_size)
    seen = net.activations(images, [*shapes])
    for layer, shape in shapes.items():
        assert known[layer] == shape
        assert seen[layer].shape == (2, *shape)


@pytest.mark.slow
def test_a_channel_of_a_transformer_is_painted() -> None:
    net = random_init("vit_b_32")
    layer = "encoder.layers.encoder_layer_3.mlp"
    for place in (None, (0.1, 0.9)):
        channel = lucid.Channel(layer, 700, place)
        picture = lucid.draw(net, channel, size=224, iterations=1, octave_count=1)
        assert picture.size == (224, 224)
    with pytest.raises(UsageError, match="channels 0 to 767, no 768"):
        lucid.draw(net, lucid.Channel(layer, 768))


@pytest.mark.slow
def test_a_timm_transformer_has_channels_first() -> None:
    timm = pytest.importorskip("timm")
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False)
    net = lucid.wrap(module)
    shapes = {each.name: each.shape for each in net.describe()}
    assert shapes["blocks.3"] == (192, 197)
    assert shapes["patch_embed.proj"] == (192, 14, 14)
    guide = lucid.guide(net, "blocks.3", torch.rand(3, 224, 224))
    assert guide.features.shape == (192, 197)
