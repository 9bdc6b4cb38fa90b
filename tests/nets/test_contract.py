"""What every kind of net does alike: Darknet's, the bundled one, torchvision's, wrapped modules."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError
from lucid.nets.module import wrap
from lucid.nets.net import LOGITS, Net, UnknownClassError
from lucid.nets.registry import load, random_init


def small_module() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(inplace=True)),
        nn.Conv2d(8, 8, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


@pytest.fixture(scope="module", params=["darknet", "lucid64", "torchvision", "module"])
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Net:
    torch.manual_seed(0)
    match request.param:
        case "darknet":
            folder = tmp_path_factory.mktemp("nets")
            return load(str(write_net(folder, CLASSIFIER, names=CLASS_NAMES)))
        case "lucid64":
            return load("lucid64")
        case "torchvision":
            return random_init("squeezenet1_1")
        case _:
            return wrap(small_module(), classes=CLASS_NAMES, input_size=(32, 32))


def images_for(net: Net, count: int = 2) -> Tensor:
    return torch.rand(count, 3, *net.input_size)


def test_names_and_aliases_of_layers_are_resolved(net: Net) -> None:
    assert [net.resolve_layer(name) for name in net.layers] == net.layers
    assert {net.resolve_layer(alias) for alias in net.aliases} <= set(net.layers)
    mistyped = f"{net.layers[1]}x"
    near = rf"'; the nearest .*{re.escape(net.layers[1])}|: its layers are 0 to \d+$"
    with pytest.raises(UsageError, match=f"{net.name} has no layer '?{mistyped}({near})"):
        net.resolve_layer(mistyped)


def test_a_class_is_found_by_number_name_and_whole_words_of_its_name(net: Net) -> None:
    name = net.classes[2]
    for spelling in ("2", name, name.upper(), f" {name.replace(' ', '_')} ", f"{name}s"):
        assert net.class_index(spelling) == 2
    mistyped = name[:2] + name[1:]
    near = f"; the nearest (is|are) {name}.* lists all {len(net.classes)}"
    for wrong in (mistyped, name[1:-1]):
        with pytest.raises(UnknownClassError, match=f"has no class '{wrong}'.*{near}"):
            net.class_index(wrong)
    with pytest.raises(UnknownClassError, match="has no class ''"):
        net.class_index("")
    with pytest.raises(UsageError, match=f"its classes are 0 to {len(net.classes) - 1}"):
        net.class_index(str(len(net.classes)))


def test_activations_have_the_described_shapes(net: Net) -> None:
    activations = net.activations(images_for(net), [*net.layers, LOGITS])
    assert {name: tuple(value.shape) for name, value in activations.items()} == {
        **{name: (2, *shape) for name, _, shape in net.describe()},
        LOGITS: (2, len(net.classes)),
    }


def test_a_pass_stops_at_the_deepest_layer(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[None] = []
    conv2d = nn.functional.conv2d

    def counted(*args: Any) -> torch.Tensor:
        ran.append(None)
        return conv2d(*args)

    monkeypatch.setattr(nn.functional, "conv2d", counted)

    def convolutions(layers: list[str]) -> int:
        ran.clear()
        net.activations(images_for(net, 1), layers)
        return len(ran)

    first, second, *_, last = (name for name, kind, _ in net.describe() if "onv" in kind)
    assert convolutions([first]) == 1
    assert convolutions([second, first]) == 2
    assert convolutions([last]) == convolutions([LOGITS]) > 2


def test_every_logit_has_a_gradient(net: Net) -> None:
    images = images_for(net, 1).requires_grad_()
    logits = net.logits(images)
    for number in {2, int(logits.argmin()), int(logits.argmax())}:
        (grad,) = torch.autograd.grad(logits[0, number], images, retain_graph=True)
        assert grad.isfinite().all()
        assert grad.count_nonzero() > 0


def test_probabilities_sum_to_1(net: Net) -> None:
    likely = net.probabilities(images_for(net))
    assert likely.shape == (2, len(net.classes))
    assert (likely >= 0).all()
    torch.testing.assert_close(likely.sum(1), torch.ones(2))


def test_any_size_nets_take_other_sizes(net: Net) -> None:
    height, width = net.input_size
    assert net.any_size
    assert net.logits(torch.rand(2, 3, height + 9, width + 20)).shape == (2, len(net.classes))


@pytest.mark.parametrize("kind", ["darknet", "module"])
def test_nets_of_one_size_refuse_the_logits_of_other_sizes(tmp_path: Path, kind: str) -> None:
    if kind == "darknet":
        text = CLASSIFIER.replace("[avgpool]", "[connected]\noutput=5\n")
        net = load(str(write_net(tmp_path, text)))
    else:
        layers = nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 32 * 32, 5)
        net = wrap(nn.Sequential(*layers), input_size=(32, 32))
    assert not net.any_size
    images = torch.rand(1, 3, 50, 41)
    assert net.activations(images, ["0"])["0"].shape == (1, 8, 50, 41)
    with pytest.raises(LucidError, match=r"size (in its cfg|is 32x32)"):
        net.logits(images)


@pytest.mark.slow
def test_a_copy_can_be_cast_and_moved_apart_from_its_original(net: Net) -> None:
    images = images_for(net)
    before = net.logits(images)  # a first pass, so that what it prepares is copied, too
    double = copy.deepcopy(net).double()
    torch.testing.assert_close(double.logits(images.double()).float(), before)
    meta = copy.deepcopy(net).to("meta")
    assert meta.logits(images.to("meta")).shape == before.shape
    assert torch.equal(net.logits(images), before)
