"""Every net of Darknet's zoo that is not recurrent, at random weights."""

from __future__ import annotations

import math
import re
from pathlib import Path

import darknet_zoo
import pytest
import torch

from lucid.nets.darknet.layers import Weighted
from lucid.nets.darknet.net import DarknetNet
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
weights in MiB, and the shape of the output."""


def operations(net: DarknetNet) -> int:
    """Count operations as Darknet does: two for each weight at each pixel of the output."""
    return sum(
        2 * math.prod(dict(layer.stored())["weight"]) * math.prod(layer.out[1:])
        for layer in net.darknet_layers
        if isinstance(layer, Weighted)
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_operations_and_size_are_those_published(tmp_path: Path, name: str) -> None:
    billions, mebibytes, shape = PUBLISHED[name]
    path = tmp_path / f"{name}.cfg"
    path.write_text(getattr(darknet_zoo, name)())
    net = load_meta(str(path))
    assert isinstance(net, DarknetNet)
    assert net.describe()[-1][2] == shape
    assert operations(net) / 1e9 == pytest.approx(billions, rel=0.05)
    stored = sum(math.prod(shape) for layer in net.darknet_layers for _, shape in layer.stored())
    assert 4 * stored / 2**20 == pytest.approx(mebibytes, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_layer_has_the_output_shape_of_its_cfg(tmp_path: Path, name: str) -> None:
    text = getattr(darknet_zoo, name)()
    if "[connected]" not in text:
        text = re.sub(r"(width|height)=\d+", r"\1=96", text)
    path = tmp_path / f"{name}.cfg"
    path.write_text(text)
    net = load_meta(str(path))
    images = torch.zeros(1, 3, *net.input_size, device="meta")
    activations = net.activations(images, net.layers)
    assert {key: tuple(value.shape[1:]) for key, value in activations.items()} == {
        key: shape for key, _, shape in net.describe()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["darknet19", "resnet18", "yolov3_tiny"])
def test_random_weights_give_finite_activations(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.cfg"
    path.write_text(re.sub(r"(width|height)=\d+", r"\1=96", getattr(darknet_zoo, name)()))
    net = random_init(str(path))
    activations = net.activations(torch.rand(1, 3, 96, 96), net.layers)
    assert all(value.isfinite().all() for value in activations.values())
