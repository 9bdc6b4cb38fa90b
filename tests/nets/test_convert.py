"""torchvision's chains as Darknet's files, and back to what PyTorch reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import write_net
from torch import Tensor

from lucid.errors import LucidError
from lucid.nets.darknet import convert
from lucid.nets.net import Net
from lucid.nets.registry import load, random_init
from lucid.nets.torchvision import TorchvisionNet


def features(net: TorchvisionNet, picture: Tensor) -> list[Tensor]:
    """What comes out of each convolution (behind its ReLU) and pool."""
    x = (picture - net.mean) / net.std
    found = []
    for module in net.model.features:
        x = module(x)
        if isinstance(module, torch.nn.Conv2d | torch.nn.MaxPool2d):
            found.append(x)
        else:
            found[-1] = x
    return found


@pytest.fixture(params=["alexnet", "vgg11_bn"])
def chain(request: pytest.FixtureRequest) -> TorchvisionNet:
    net = random_init(request.param)
    assert isinstance(net, TorchvisionNet)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def test_every_layer_agrees_where_the_border_does_not_reach(
    chain: TorchvisionNet, tmp_path: Path
) -> None:
    convert.write(chain, tmp_path / "chain.weights")
    made = load(str(tmp_path / "chain.cfg"))
    assert made.classes == chain.classes
    picture = torch.rand(1, 3, *chain.input_size)
    with torch.no_grad():
        expected = features(chain, picture)
        names = made.layers[: len(expected)]
        seen = made.activations(picture, names)
    compared = 0
    for number, (name, there) in enumerate(zip(names, expected, strict=True)):
        assert seen[name].shape == there.shape
        # Each layer lets the border in by at most two features.
        border = 2 * (number + 1)
        if there.shape[2] > 2 * border:
            inner = slice(border, -border)
            scale = max(1.0, float(there.abs().max()))
            error = (seen[name] - there)[:, :, inner, inner].abs().max() / scale
            assert error < 1e-4
            compared += 1
    assert compared >= 3


def test_all_of_a_net_agrees_where_black_is_the_mean_colour(
    chain: TorchvisionNet, tmp_path: Path
) -> None:
    chain.mean.zero_()
    convert.write(chain, tmp_path / "chain.weights")
    made = load(str(tmp_path / "chain.cfg"))
    picture = torch.rand(1, 3, *chain.input_size)
    with torch.no_grad():
        expected, found = chain.logits(picture), made.logits(picture)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(
            made.probabilities(picture), chain.probabilities(picture), rtol=1e-3, atol=1e-6
        )


def test_vgg_16_is_made_for_the_crop_before_it(tmp_path: Path) -> None:
    vgg16 = random_init("vgg16")
    assert isinstance(vgg16, TorchvisionNet)
    vgg16.mean.zero_()
    convert.write(vgg16, tmp_path / "vgg-16.weights")
    made = load("vgg-16", tmp_path / "vgg-16.weights")
    picture = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        seen = made.activations(picture, ["1"])["1"]
        middle = picture[:, :, 16:-16, 16:-16]
        expected = features(vgg16, middle)[0]
    inner = slice(1, -1)
    torch.testing.assert_close(
        seen[:, :, inner, inner], expected[:, :, inner, inner], atol=1e-4, rtol=1e-3
    )


def test_vgg_conv_is_made_of_torchvisions_vgg16(tmp_path: Path) -> None:
    vgg16 = random_init("vgg16")
    assert isinstance(vgg16, TorchvisionNet)
    written = convert.write(vgg16, tmp_path / "vgg-conv.weights")
    assert written == [tmp_path / "vgg-conv.weights"]
    made = load("vgg-conv", tmp_path / "vgg-conv.weights")
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        seen = made.activations(picture, ["5"])["5"]
        expected = features(vgg16, picture)[5]
    inner = slice(4, -4)
    torch.testing.assert_close(
        seen[:, :, inner, inner], expected[:, :, inner, inner], atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_darknet_net_becomes_a_state_dict(classifier: Net, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("safetensors" if ending == ".safetensors" else "torch")
    path = tmp_path / f"tiny{ending}"
    convert.write(classifier, path)
    if ending == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, weights_only=True)
    expected = classifier.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_what_cannot_be_converted_says_why(
    make_net: Callable[..., Net], classifier: Net, tmp_path: Path
) -> None:
    with pytest.raises(LucidError, match="resnet18 is no chain of layers"):
        convert.write(random_init("resnet18"), tmp_path / "a.weights")
    with pytest.raises(LucidError, match="tiny is a Darknet net already"):
        convert.write(classifier, tmp_path / "a.weights")
    with pytest.raises(LucidError, match=r"alexnet does not begin as vgg-conv\.cfg does"):
        convert.write(random_init("alexnet"), tmp_path / "vgg-conv.weights")
    assert list(tmp_path.glob("*.weights")) == [tmp_path / "tiny.weights"]


def test_a_converted_state_dict_holds_what_darknets_file_held(tmp_path: Path) -> None:
    text = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\n"
    net = load(str(write_net(tmp_path, text)))
    convert.write(net, tmp_path / "state.pth")
    state = torch.load(tmp_path / "state.pth", weights_only=True)
    assert {tuple(value.shape) for value in state.values()} >= {(4, 3, 3, 3), (4,)}
