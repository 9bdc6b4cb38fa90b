"""Every net of Darknet's zoo that is not recurrent, at random weights."""

from __future__ import annotations

import math
import re
from pathlib import Path

import darknet_zoo
import pytest
import torch

from lucid.nets.darknet.layers import Layer, Weighted
from lucid.nets.net import Net
from lucid.nets.registry import load_meta, random_init

PUBLISHED = {
    "alexnet": (2.27, 238, (1000, 1, 1)),
    "darknet": (0.96, 28, (1000, 1, 1)),
    "darknet19": (7.29, 80, (1000, 1, 1)),
    "darknet53": (18.57, 159, (1000, 1, 1)),
    "densenet201": (10.85, 66, (1000, 1, 1)),
    "extraction": (8.52, 90, (1000, 1, 1)),
    "resnet18": (4.69, 44, (1000, 1, 1)),
    "resnet34": (9.52, 83, (1000, 1, 1)),
    "resnet50": (9.74, 87, (1000, 1, 1)),
    "resnet101": (19.70, 160, (1000, 1, 1)),
    "resnet152": (29.39, 220, (1000, 1, 1)),
    "resnext50": (10.11, 85, (1000, 1, 1)),
    "tiny": (0.98, 4.0, (1000, 1, 1)),
    "vgg_16": (30.94, 528, (1000, 1, 1)),
    "yolov2": (62.94, 194, (425, 19, 19)),
    "yolov2_tiny": (5.41, 43, (425, 13, 13)),
    "yolov3": (140.69, 237, (255, 76, 76)),
    "yolov3_spp": (141.45, 241, (255, 76, 76)),
    "yolov3_tiny": (5.56, 34, (255, 26, 26)),
}
"""Of each net, as Darknet's pages give them: billions of operations, the size of the
weights in MiB, and the shape of what comes out."""


def layers_of(net: Net) -> list[Layer]:
    return [layer for layer in net.stack if isinstance(layer, Layer)]


def operations(net: Net) -> int:
    """As Darknet counts them: two for each weight at each place of the output."""
    return sum(
        2 * math.prod(dict(layer.stored())["weight"]) * math.prod(layer.out[1:])
        for layer in layers_of(net)
        if isinstance(layer, Weighted)
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_as_large_and_as_dear_as_published(tmp_path: Path, name: str) -> None:
    billions, mebibytes, shape = PUBLISHED[name]
    path = tmp_path / f"{name}.cfg"
    path.write_text(getattr(darknet_zoo, name)())
    net = load_meta(str(path))
    assert net.describe()[-1][2] == shape
    assert operations(net) / 1e9 == pytest.approx(billions, rel=0.05)
    stored = sum(math.prod(shape) for layer in layers_of(net) for _, shape in layer.stored())
    assert 4 * stored / 2**20 == pytest.approx(mebibytes, rel=0.02)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_layer_puts_out_what_its_cfg_says(tmp_path: Path, name: str) -> None:
    text = getattr(darknet_zoo, name)()
    if "[connected]" not in text:
        text = re.sub(r"(width|height)=\d+", r"\1=96", text)
    path = tmp_path / f"{name}.cfg"
    path.write_text(text)
    net = random_init(str(path))
    picture = torch.rand(1, 3, *net.input_size)
    with torch.no_grad():
        seen = net.activations(picture, net.layers)
    assert {key: tuple(value.shape[1:]) for key, value in seen.items()} == {
        key: shape for key, _, shape in net.describe()
    }
    assert all(value.isfinite().all() for value in seen.values())
