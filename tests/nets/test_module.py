"""Wrapped torch modules: of a user, of timm, compiled, and odd ones."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lucid
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.core.objectives import ClassLogits
from lucid.errors import LucidError, UsageError
from lucid.nets.module import wrap
from lucid.nets.net import LOGITS

FAST: dict[str, Any] = {"iterations": 1, "octave_count": 1, "device": "cpu", "precision": "fp32"}


class Tiny(nn.Module):
    """Adds in place, applies ReLUs in place and between its modules, and calls one twice."""

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.pair = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.last = nn.Conv2d(6, 8, 3, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.norm(self.first(images)))
        summed = self.pair(x)
        summed += x
        x = F.relu(self.last(self.act(summed)))
        return self.head(self.pool(x).flatten(1))


class Flat(nn.Module):
    """Takes one size only, and calls view, which needs channels first in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(3600, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(images).view(-1, 3600))


class Returns(nn.Sequential):
    """Returns a given object."""

    def __init__(self, output: object) -> None:
        super().__init__(nn.Conv2d(3, 4, 3))
        self.output = output

    def forward(self, images: Tensor) -> object:
        super().forward(images)
        return self.output


@pytest.fixture
def tiny() -> Tiny:
    module = Tiny()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.get_buffer("running_mean"), -0.5, 0.5)
    return module


SIZE = (32, 32)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


def test_logits_and_probabilities_are_the_modules(tiny: Tiny) -> None:
    images = torch.rand(2, 3, *SIZE)
    shown = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    expected = copy.deepcopy(tiny).eval()(shown)
    net = wrap(tiny, classes=["a", "b", "c"], mean=MEAN, std=STD, input_size=SIZE)
    torch.testing.assert_close(net.logits(images), expected)
    torch.testing.assert_close(net.probabilities(images), expected.softmax(1))
    assert (net.name, net.classes, net.class_index("b")) == ("tiny", ["a", "b", "c"], 1)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    plain = wrap(copy.deepcopy(tiny), input_size=SIZE, name="mine")
    torch.testing.assert_close(plain.logits(shown), expected)
    assert (plain.name, plain.classes) == ("mine", ["0", "1", "2"])


def test_layers_are_listed_in_the_order_in_which_they_finish(tiny: Tiny) -> None:
    net = wrap(tiny, input_size=SIZE)
    names = ["first", "norm", "pair.0", "pair.1", "pair", "act", "last", "pool", "head"]
    assert net.layers == names
    assert net.describe()[0] == ("first", "Conv2d", (6, 32, 32))
    assert net.describe()[-1] == ("head", "Linear", (3,))
    assert net.describe()[4] == ("pair", "Sequential", (6, 32, 32))


def test_in_place_operations_change_no_activations(tiny: Tiny) -> None:
    images = torch.rand(2, 3, *SIZE)
    net = wrap(tiny, input_size=SIZE)
    first = F.conv2d(images, tiny.first.weight, tiny.first.bias, padding=1)
    norm = tiny.norm(first)
    pair = tiny.pair(norm.relu())
    expected = {
        "first": first,
        "norm": norm,
        "pair.1": pair,
        "pair": pair,
        "act": (norm.relu() + pair).relu(),
        LOGITS: net.logits(images),
    }
    together = net.activations(images, list(expected))
    for name, value in expected.items():
        torch.testing.assert_close(together[name], value)
        torch.testing.assert_close(net.activations(images, [name])[name], value)


def test_a_pass_stops_after_the_last_call_of_a_layer(tiny: Tiny) -> None:
    ran = []
    tiny.act.register_forward_hook(lambda *_: ran.append("act"))
    tiny.last.register_forward_hook(lambda *_: ran.append("last"))
    net = wrap(tiny, input_size=SIZE)
    ran.clear()
    images = torch.rand(1, 3, *SIZE)
    assert list(net.activations(images, ["act", "first"])) == ["act", "first"]
    assert ran == ["act", "act"]


def test_no_hooks_are_left_after_a_pass_or_an_error(tiny: Tiny) -> None:
    net = wrap(tiny, input_size=SIZE)
    net.activations(torch.rand(1, 3, *SIZE), ["act"])
    with pytest.raises(LucidError):
        net.logits(torch.rand(1, 3, 0, 0))
    assert not any(module._forward_hooks for module in net.modules())


def test_gradients_are_the_modules(tiny: Tiny) -> None:
    net = wrap(tiny, input_size=SIZE)
    images = torch.rand(2, 3, *SIZE, requires_grad=True)
    slopes = [
        torch.autograd.grad(answer.square().sum(), images)[0]
        for answer in (net.activations(images, ["first", LOGITS])[LOGITS], tiny(images))
    ]
    torch.testing.assert_close(*slopes)
    seen = net.activations(images, ["first", "act"])["first"].square().sum()
    alone = F.conv2d(images, tiny.first.weight, tiny.first.bias, padding=1).square().sum()
    torch.testing.assert_close(
        torch.autograd.grad(seen, images)[0], torch.autograd.grad(alone, images)[0]
    )


def test_draw_and_nightmare_take_a_wrapped_module(tiny: Tiny) -> None:
    net = lucid.wrap(tiny, classes=["a", "b", "c"], input_size=SIZE)
    size = (48, 48)
    pictures = [lucid.draw(net, [name], size=size, tile_size=32, **FAST) for name in ("a", "b")]
    assert pictures[0].size == size
    assert pictures[0].tobytes() != pictures[1].tobytes()
    (dream,) = lucid.nightmare(net, pictures[0], "pair.0", iterations=1, device="cpu")
    assert dream.tobytes() != pictures[0].tobytes()


@pytest.mark.parametrize("module", [Tiny, Flat])
def test_two_workers_share_the_images(module: type[nn.Module]) -> None:
    """The hooks of a copied net must call its own callbacks."""
    net = wrap(module(), input_size=SIZE)
    images = torch.rand(4, 3, *SIZE)
    alone, shared = (
        Ascent(net, Runtime(device=device, precision="fp32", batch=2)).gradient(
            images, ClassLogits({1: 1.0})
        )
        for device in ("cpu", "cpu,cpu")
    )
    torch.testing.assert_close(shared, alone)
    assert alone.abs().sum() > 0


def test_a_wrong_size_is_refused_unless_the_layers_take_it() -> None:
    net = wrap(Flat(), input_size=SIZE)
    # At twice the size, view makes four images of one.
    large = torch.rand(1, 3, 62, 62)
    for layer in ("head", LOGITS):
        with pytest.raises(LucidError, match=r"flat cannot process an image of 62x62 .*is 32x32"):
            net.activations(large, [layer])
    assert net.activations(large, ["conv"])["conv"].shape == (1, 4, 60, 60)
    with pytest.raises(LucidError, match="flat cannot process an image of 50x40 as far as head"):
        net.activations(torch.rand(1, 3, 40, 50), ["head"])
    assert wrap(Flat(), input_size=SIZE, any_size=True).any_size


def test_classes_without_names_are_numbers(tiny: Tiny) -> None:
    with pytest.raises(UsageError, match="classes have only numbers here: wrap it with classes="):
        wrap(tiny, input_size=SIZE).class_index("tench")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["a", "b"]}, "classes is 2 names, but tiny has 3 classes"),
        ({"classes": "abc"}, "classes is the text 'abc', but tiny has 3 classes"),
        ({"mean": 0.5}, r"mean 0\.5 must be three numbers"),
        ({"mean": (0.5, 0.5)}, r"mean \(0\.5, 0\.5\) must be three numbers"),
        ({"std": (1, 1, float("nan"))}, r"std \(1, 1, nan\) must be three numbers"),
        ({"std": (1, 1, 0)}, r"std .* must be above 0"),
        ({"input_size": (3, 32, 32)}, r"input_size \(3, 32, 32\) must be \(height, width\)"),
        ({"input_size": 32}, r"input_size 32 must be \(height, width\)"),
        ({"input_size": (2, 2)}, "tiny cannot process an image of 2x2 .*give the input_size"),
    ],
)
def test_invalid_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wrap(Tiny(), **{"input_size": SIZE, **options})


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ((torch.zeros(3), None), "returns returns a tuple without a tensor of logits"),
        ({"logits": None}, "returns returns a dict without a tensor of logits"),
        (torch.zeros(1, 5, 1, 1), r"returns returns \(1, 5, 1, 1\) for a batch of 1, not \(1, cl"),
        (torch.zeros(5), r"returns returns \(5,\) for a batch of 1, not \(1, classes\)"),
        (torch.zeros(1, 5), r"returns returns \(1, 5\) for a batch of 2, not \(2, classes\)"),
    ],
)
def test_modules_that_return_no_logits_are_refused(output: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wrap(Returns(output), input_size=SIZE)


def test_only_modules_can_be_wrapped() -> None:
    with pytest.raises(UsageError, match=r"only a torch\.nn.Module can be wrapped, not a str"):
        wrap("resnet18")  # type: ignore[arg-type]


@pytest.mark.skipif(torch.__version__ < "2.5", reason="torch 2.4 runs no hooks inside it")
def test_layers_that_torchs_fast_path_skips_have_activations() -> None:
    """Without hooks and gradients, torch runs a TransformerEncoderLayer as one operation."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.Flatten(2), nn.AdaptiveAvgPool1d(8), layer)
    net = wrap(nn.Sequential(*module, nn.Flatten(), nn.Linear(64, 3)), input_size=SIZE)
    assert {"3.linear1", "3.norm2"} <= set(net.layers)
    with torch.no_grad():
        seen = net.activations(torch.rand(2, 3, *SIZE), ["3.linear1"])
    assert seen["3.linear1"].shape == (2, 8, 16)


class Constant(nn.Module):
    """Returns a batch of two, whatever the input."""

    def forward(self, images: Tensor) -> Tensor:
        return images.new_ones(2, 3)


class Aside(Tiny):
    """Calls a module whose output does not depend on the images."""

    def __init__(self) -> None:
        super().__init__()
        self.aside = Constant()

    def forward(self, images: Tensor) -> Tensor:
        self.aside(images)
        return super().forward(images)


def test_submodules_that_are_no_function_of_the_images_are_no_layers() -> None:
    assert wrap(Aside(), input_size=SIZE).layers == wrap(Tiny(), input_size=SIZE).layers


class Moody(nn.Module):
    """Catches exceptions, runs one part for dark images only, has one named "logits", and raises
    an error of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dark = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.logits = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        try:
            x = self.conv(images)
        except Exception:
            x = images.mean(1, keepdim=True).expand(-1, 4, -1, -1)
        if images.isnan().any():
            raise RuntimeError("no number")
        if images.mean() < 0.5:
            x = self.dark(x)
        return self.logits(x.mean((2, 3)))


def test_a_module_that_catches_errors_and_skips_layers() -> None:
    net = wrap(Moody(), input_size=SIZE)
    assert net.layers == ["conv", "dark"]
    ran = []
    net.get_submodule("model.logits").register_forward_hook(lambda *_: ran.append("logits"))
    images = torch.full((1, 3, *SIZE), 0.9)
    assert net.activations(images, ["conv"])["conv"].shape == (1, 4, 30, 30)
    assert ran == []
    with pytest.raises(LucidError, match="moody does not run dark on such an image"):
        net.activations(images, ["dark"])
    with pytest.raises(RuntimeError, match="no number"):
        net.logits(images * torch.nan)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_compiled_modules(tiny: Tiny) -> None:
    net = wrap(cast(nn.Module, torch.compile(tiny)), input_size=SIZE)
    assert (net.name, net.layers[0]) == ("tiny", "first")
    images = torch.rand(2, 3, *SIZE)
    scripted = wrap(torch.jit.script(tiny), input_size=SIZE)
    torch.testing.assert_close(scripted.logits(images), net.logits(images))
    assert scripted.layers == []


@pytest.mark.slow
def test_a_timm_model_is_wrapped_with_its_own_mean_and_std() -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model("mobilenetv3_small_050", pretrained=False, num_classes=7)
    net = wrap(model, input_size=(64, 64))
    images = torch.rand(2, 3, 64, 64)
    cfg = model.pretrained_cfg
    mean, std = (torch.tensor(cfg[key])[:, None, None] for key in ("mean", "std"))
    torch.testing.assert_close(net.logits(images), model((images - mean) / std))
    assert len(net.classes) == 7
    assert net.any_size
    assert "blocks.2.0" in net.layers
    picture = lucid.draw(net, ["3"], size=(64, 64), tile_size=64, **FAST)
    (dream,) = lucid.nightmare(net, picture, "blocks.2.0", iterations=1, device="cpu")
    assert dream.size == (64, 64)


def test_a_timm_model_is_wrapped_with_its_own_input_size() -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model("test_vit", pretrained=False)
    net = wrap(model)
    assert net.input_size == model.pretrained_cfg["input_size"][1:]
    assert net.mean.flatten().tolist() == pytest.approx(model.pretrained_cfg["mean"])
    assert not net.any_size
    assert wrap(model, mean=(0, 0, 0)).mean.abs().sum() == 0
