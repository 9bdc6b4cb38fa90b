"""Features that are not active anywhere are painted all the same."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lucid
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.core.redirected_relu import RECTIFIERS, RedirectedReLU
from lucid.drawing import plan
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.nets.registry import random_init


def gradient(features: Tensor, weight: Tensor) -> Tensor:
    leaf = features.clone().requires_grad_()
    with RedirectedReLU():
        active = F.relu(leaf)
    (grad,) = torch.autograd.grad((active * weight).sum(), leaf)
    return grad


def test_a_gradient_that_gets_through_is_the_true_one() -> None:
    features, weight = torch.randn(3, 40), torch.randn(3, 40)
    leaf = features.clone().requires_grad_()
    (true,) = torch.autograd.grad((leaf.relu() * weight).sum(), leaf)
    assert torch.equal(gradient(features, weight), true)


def test_where_nothing_gets_through_what_is_pushed_up_is_redirected() -> None:
    features = torch.tensor([[-1.0, -2.0, -3.0], [-1.0, 2.0, -3.0]])
    weight = torch.tensor([[5.0, -5.0, 7.0], [5.0, 6.0, 7.0]])
    expected = torch.tensor([[5.0, 0.0, 7.0], [0.0, 6.0, 0.0]])
    assert torch.equal(gradient(features, weight), expected)


@pytest.mark.parametrize("rectifier", RECTIFIERS, ids=lambda each: each.__qualname__)
def test_every_rectifier_is_redirected(rectifier: object) -> None:
    assert callable(rectifier)
    dead = -torch.ones(1, 4)
    leaf = dead.clone().requires_grad_()
    with RedirectedReLU():
        active = rectifier(leaf)
    assert torch.equal(active, torch.zeros(1, 4))
    (grad,) = torch.autograd.grad(active.sum(), leaf)
    assert torch.equal(grad, torch.ones(1, 4))
    values = torch.tensor([-1.0, 3.0, 9.0])
    with RedirectedReLU():
        redirected = rectifier(values.clone())
    assert torch.equal(redirected, rectifier(values.clone()))


class Shy(nn.Module):
    """Its only feature is active where the picture is far from grey."""

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Conv2d(3, 1, 3)
        with torch.no_grad():
            self.feature.weight.fill_(1 / 9)
            self.feature.bias = nn.Parameter(torch.tensor([-1.7]))
        self.relu = nn.ReLU()
        self.head = nn.Linear(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.head(self.relu(self.feature(images)).mean((2, 3)))
        return out


def _activity(net: Net) -> float:
    few = {"size": 32, "iterations": 8, "octave_count": 1, "variety": 0.0}
    picture = lucid.draw(net, lucid.Channel("relu", 0), **few)  # type: ignore[arg-type]
    return float(net.activations(from_pil(picture)[None], ["relu"])["relu"].max())


def test_what_is_above_the_largest_value_is_not_pushed_further() -> None:
    leaf = torch.tensor([[7.0, 8.0, -1.0]], requires_grad=True)
    with RedirectedReLU():
        active = F.relu6(leaf)
    (grad,) = torch.autograd.grad((active * torch.tensor([[2.0, -3.0, 4.0]])).sum(), leaf)
    assert torch.equal(grad, torch.tensor([[0.0, -3.0, 4.0]]))


def test_a_dead_feature_is_brought_to_life(monkeypatch: pytest.MonkeyPatch) -> None:
    net = lucid.wrap(Shy(), input_size=(32, 32))
    assert _activity(net) > 0
    monkeypatch.setattr(plan, "REDIRECTED", 0)
    assert _activity(net) == 0


@pytest.mark.slow
def test_rectifiers_in_torchvisions_nets_are_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which torch.fx calls in place, as functions."""
    net = random_init("squeezenet1_1")
    squeeze = net.get_submodule("model.features.3.squeeze")
    assert isinstance(squeeze, nn.Conv2d)
    assert squeeze.bias is not None
    images = torch.full((1, 3, 224, 224), 0.5)
    layer = "features.3.squeeze_activation"
    with torch.no_grad():
        squeeze.bias[0] -= (
            net.activations(images, ["features.3.squeeze"])["features.3.squeeze"][0, 0].max() + 0.01
        )
    assert not net.activations(images, [layer])[layer][0, 0].any()
    ascent, channel = Ascent(net, Runtime("cpu", "fp32")), lucid.Channel(layer, 0)
    assert not ascent.gradient(images, channel).any()
    assert ascent.gradient(images, channel, redirect=True).any()
