from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import lucid
from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.core.objectives import (
    SHARE_PENALTY,
    Activations,
    CallableObjective,
    Channel,
    ClassLogits,
    Enhance,
    Guide,
    LayerContrast,
    LayerL2,
    Objective,
)
from lucid.drawing.loop import draw
from lucid.drawing.targets import class_weights, classes, guide
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.imagenet import GROUPS, group_members
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import load_meta
from lucid.nets.torchvision import categories

CPU = Runtime(device="cpu", precision="fp32")


@pytest.fixture
def seen(classifier: Net) -> dict[str, Tensor]:
    with torch.no_grad():
        return classifier.activations(torch.rand(3, 3, 32, 32), ["0", "2", LOGITS])


def test_objectives_add_up(seen: dict[str, Tensor]) -> None:
    energy, channel, fish = LayerL2("2"), Channel("0", 3), ClassLogits({0: 1.0})
    whole = 2 * energy - channel * 0.5 + -fish
    expected = 2 * energy.forward(seen) - 0.5 * channel.forward(seen) - fish.forward(seen)
    torch.testing.assert_close(whole.forward(seen), expected.sum())
    assert whole.layers == {"0", "2", LOGITS}


def test_channels_and_neurons(seen: dict[str, Tensor]) -> None:
    features = seen["0"]
    torch.testing.assert_close(Channel("0", 3).forward(seen), features[:, 3].mean((1, 2)))
    corner = Channel("0", 3, neuron=(1.0, 0.0)).forward(seen)
    torch.testing.assert_close(corner, features[:, 3, 0, -1])


def test_energy_is_its_own_gradient(seen: dict[str, Tensor]) -> None:
    features = seen["2"].clone().requires_grad_()
    (grad,) = torch.autograd.grad(LayerL2("2").forward({"2": features}).sum(), features)
    torch.testing.assert_close(grad, features.detach())


def test_a_guides_gradient_is_the_guides_feature_that_is_most_alike() -> None:
    features = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    places = torch.tensor([[[[0.9, -3.0]], [[0.2, 0.5]]]]).requires_grad_()
    (grad,) = torch.autograd.grad(Guide("x", features).forward({"x": places}).sum(), places)
    assert grad[0, :, 0, 0].tolist() == [1, 0]
    assert grad[0, :, 0, 1].tolist() == [-1, 0]


@pytest.mark.parametrize("objective", [LayerL2("2"), Channel("2", 4), Channel("0", 3, (0.5, 0.5))])
def test_what_is_climbed_grows(classifier: Net, objective: Objective) -> None:
    def value(iterations: int) -> float:
        picture = draw(
            classifier,
            objective,
            size=(32, 32),
            iterations=iterations,
            tile_size=32,
            octave_count=1,
            runtime=CPU,
        )
        with torch.no_grad():
            shown = classifier.activations(from_pil(picture)[None], objective.layers)
        return float(objective.forward(shown))

    assert value(48) > value(1)


def test_a_guide_needs_a_layer_that_sees_parts(make_net: Callable[..., Net], photo: Tensor) -> None:
    net = make_net(
        "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1\n"
        "activation=relu\n[connected]\noutput=5\nactivation=linear\n"
    )
    assert guide(net, "0", photo, runtime=CPU).features.shape == (4, 32 * 32)
    with pytest.raises(UsageError, match="layer 1 sees a picture as a whole"):
        guide(net, "1", photo, runtime=CPU)


def test_a_group_is_as_likely_as_all_its_classes_together(seen: dict[str, Tensor]) -> None:
    both = ClassLogits({(0, 3): 1.0}, log_prob_weight=1e6).forward(seen) / 1e6
    likely = seen[LOGITS].softmax(1)[:, [0, 3]].sum(1).log()
    torch.testing.assert_close(both, likely, atol=1e-4, rtol=1e-4)


def test_groups_by_name(classifier: Net) -> None:
    assert class_weights(classifier, ["sharks"]) == {(2, 3): 1.0}
    assert classifier.classes[2:4] == ["great white shark", "tiger shark"]
    with pytest.raises(UsageError, match="has no class 'birds'"):
        class_weights(classifier, ["birds"])


def test_groups_are_what_they_are_called() -> None:
    known = categories("squeezenet1_1")
    named = {group: {known[number] for number in group_members(group, known)} for group in GROUPS}
    assert {"flamingo", "cock", "albatross"} <= named["birds"]
    assert {"Chihuahua", "golden retriever", "Mexican hairless"} <= named["dogs"]
    assert {"tiger beetle", "monarch", "lycaenid"} <= named["insects"]
    assert not named["birds"] & (named["dogs"] | named["insects"])
    lucid64 = load_meta("lucid64")
    assert group_members("fish", lucid64.classes) == [lucid64.class_index("goldfish")]


def test_a_mix_is_held_to_its_shares() -> None:
    """One step of a mix's gradient moves the lagging class up and the leading one down,
    until they stand where the weights ask for."""
    scores = torch.zeros(1, 6)
    scores[0, 1] = 5
    mix = ClassLogits({0: 0.7, 1: 0.3}, 2, SHARE_PENALTY)
    for _ in range(300):
        climbed = scores.clone().requires_grad_()
        (grad,) = torch.autograd.grad(mix.forward({LOGITS: climbed}).sum(), climbed)
        scores = scores + 0.02 * grad
    shares = scores.softmax(1)[0, :2]
    assert shares.sum() > 0.95
    assert float(shares[0]) == pytest.approx(0.7, abs=0.05)


def test_the_shares_of_a_mix_are_those_in_the_mean_of_all_views() -> None:
    """Two views, each certain of another class, have no penalty, nor have two undecided ones."""
    certain = torch.tensor([[9.0, 0, 0], [0, 9.0, 0]])
    undecided = torch.tensor([[9.0, 9, 0], [9.0, 9, 0]])
    lopsided = torch.tensor([[9.0, 0, 0], [9.0, 0, 0]])
    mix = ClassLogits({0: 0.5, 1: 0.5}, log_prob_weight=0, share_penalty=1)

    def penalty(logits: Tensor) -> float:
        activations = Activations({LOGITS: logits})
        activations.n_views = 2
        assert mix.forward(activations).shape == (1,)
        free = ClassLogits({0: 0.5, 1: 0.5}).forward(activations)
        return float(free - mix.forward(activations))

    assert penalty(certain) == pytest.approx(0, abs=1e-4)
    assert penalty(undecided) == pytest.approx(0, abs=1e-4)
    assert penalty(lopsided) > 10


def test_less_of_a_class(classifier: Net) -> None:
    weights = classes(classifier, {"goldfish": 1, "tench": 1, "tiger cat": -1}).weights
    assert weights == {0: pytest.approx(1 / 3), 1: pytest.approx(1 / 3), 4: pytest.approx(-1 / 3)}


@pytest.mark.parametrize("weights", [{0: -0.5, 1: -0.5}, {0: 0.5, (1, 2): -0.5}])
def test_where_less_than_two_are_wished_for_there_is_nothing_to_share(
    weights: dict[int | tuple[int, ...], float], seen: dict[str, Tensor]
) -> None:
    fair, unfair = (
        ClassLogits(weights, 2, SHARE_PENALTY).forward(seen),
        ClassLogits(weights, 2).forward(seen),
    )
    assert torch.equal(fair, unfair)
    assert fair.isfinite().all()


OBJECTIVES: list[Objective] = [
    LayerL2("0"),
    LayerContrast("0"),
    Enhance("2", 0.5),
    Channel("0", 3),
    Channel("2", 1, (0.5, 0.2)),
    Guide("2", torch.ones(12, 3)),
    ClassLogits({0: 1.0}),
    ClassLogits({0: 0.5, (1, 2): 0.5}, 2, SHARE_PENALTY),
    CallableObjective(lambda acts: acts["0"].mean(), (("0", "0"),)),
]


@settings(max_examples=60)
@given(
    st.sampled_from(OBJECTIVES),
    st.sampled_from(OBJECTIVES),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(16, 40),
)
def test_any_two_add_up_in_any_number_of_views(
    one: Objective, other: Objective, images: int, views: int, side: int
) -> None:
    """Of several images in a batch, and several views of each."""
    net = _tiny()
    shown = torch.rand(images, 3, side, side, generator=torch.Generator().manual_seed(side))
    flips = [[lambda image: image.flip(3)]] * views
    whole = Ascent(net, CPU).gradient(shown, one + 0.5 * other, flips)
    assert whole.shape == shown.shape
    assert whole.isfinite().all()
    once = Ascent(net, CPU).gradient(shown, one + 0.5 * other, flips[:1])
    # The same view several times is no other picture.
    assert torch.allclose(whole, once, atol=1e-4 * float(once.abs().max()) + 1e-7)


@functools.cache
def _tiny() -> Net:
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)),
    )
    return lucid.wrap(module, input_size=(32, 32))
