"""Conversion: AlexNet and VGG to Darknet's files, and nets to state dicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lucid.errors import LucidError
from lucid.nets.darknet import convert
from lucid.nets.net import Net
from lucid.nets.registry import load, load_meta
from lucid.nets.torchvision import TorchvisionNet, build_model


def features(net: TorchvisionNet, picture: Tensor) -> list[Tensor]:
    """The output of each convolution (after its ReLU) and pool."""
    x = (picture - net.mean) / net.std
    found = []
    for module in net.get_submodule("model.features").children():
        x = module(x)
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            found.append(x)
        else:
            found[-1] = x
    return found


@pytest.fixture(params=["alexnet", "vgg11_bn"])
def chain(request: pytest.FixtureRequest) -> TorchvisionNet:
    """The features of the real net, with a smaller classifier."""
    with torch.device("meta"):
        model = build_model(request.param)
    linear = next(
        part for part in model.get_submodule("classifier").children() if isinstance(part, nn.Linear)
    )
    model.classifier = nn.Sequential(
        nn.Linear(linear.in_features, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 1000)
    )
    return TorchvisionNet(request.param, randomize(model))


@pytest.fixture(scope="module")
def vgg16() -> TorchvisionNet:
    with torch.device("meta"):
        model = build_model("vgg16")
    return TorchvisionNet("vgg16", randomize(model))


def randomize(model: nn.Module) -> nn.Module:
    """Draw weights by the rule of He et al. (2015), but 0 for very large layers: they take time."""
    model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if module.weight.numel() < 10_000_000:
                nn.init.kaiming_normal_(module.weight)
            else:
                nn.init.zeros_(module.weight)
            nn.init.uniform_(module.get_parameter("bias"), -0.1, 0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.get_buffer("running_mean"))
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    return model


@pytest.mark.slow
def test_every_layer_agrees_away_from_the_borders(chain: TorchvisionNet, tmp_path: Path) -> None:
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
        # Each layer spreads the border's influence by at most two features.
        border = 2 * (number + 1)
        if there.shape[2] > 2 * border:
            inner = slice(border, -border)
            scale = max(1.0, float(there.abs().max()))
            error = (seen[name] - there)[:, :, inner, inner].abs().max() / scale
            assert error < 1e-4
            compared += 1
    assert compared >= 3


@pytest.mark.slow
def test_logits_and_probabilities_agree_if_black_is_the_mean_colour(
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


@pytest.mark.slow
def test_vgg_16_gets_weights_for_images_of_minus_1_to_1(
    tmp_path: Path, vgg16: TorchvisionNet
) -> None:
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


@pytest.mark.slow
def test_vgg_conv_gets_the_convolutions_of_vgg16(tmp_path: Path, vgg16: TorchvisionNet) -> None:
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
def test_a_darknet_net_is_written_as_a_state_dict(
    classifier: Net, tmp_path: Path, ending: str
) -> None:
    pytest.importorskip("safetensors" if ending == ".safetensors" else "torch")
    path = tmp_path / f"tiny{ending}"
    convert.write(classifier, path)
    if ending == ".safetensors":
        from safetensors.torch import load as load_bytes

        state = load_bytes(path.read_bytes())
    else:
        state = torch.load(path, weights_only=True)
    expected = classifier.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_nets_that_cannot_be_converted_are_refused(
    make_net: Callable[..., Net], classifier: Net, tmp_path: Path
) -> None:
    with pytest.raises(LucidError, match="squeezenet1_1 is no chain of layers"):
        convert.write(load_meta("squeezenet1_1"), tmp_path / "a.weights")
    with pytest.raises(LucidError, match="tiny is a Darknet net already"):
        convert.write(classifier, tmp_path / "a.weights")
    with pytest.raises(LucidError, match=r"alexnet does not begin as vgg-conv\.cfg does"):
        convert.write(load_meta("alexnet"), tmp_path / "vgg-conv.weights")
    assert list(tmp_path.glob("*.weights")) == [tmp_path / "tiny.weights"]
