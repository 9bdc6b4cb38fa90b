from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import Canvas, FourierCanvas, PhaseCanvas, PixelCanvas
from lucid.core.device import Runtime
from lucid.core.objectives import SHARE_PENALTY, Activations, ClassLogits, Enhance, Objective
from lucid.core.optimizers import Adam, DarknetStep, MomentumSGD
from lucid.core.transforms import Affine
from lucid.errors import LucidError, UsageError
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import LOGITS, Net
from lucid.tiling.tiles import Tiling


def fp32(net: Net, batch: int | None = None) -> Ascent:
    return Ascent(net, Runtime(device="cpu", precision="fp32", batch=batch))


@pytest.mark.parametrize(
    "objective",
    [Enhance("2", threshold=-100), ClassLogits({0: 1.0}), ClassLogits({0: 0.5, 3: -0.5})],
)
def test_the_gradient_is_the_derivative_of_the_objective(
    classifier: Net, objective: Objective
) -> None:
    images = torch.rand(1, 3, 32, 32)
    gradient = fp32(classifier).gradient(images, objective)

    def value(x: Tensor) -> float:
        return objective.forward(classifier.activations(x, objective.layers)).item()

    direction = gradient / gradient.norm()
    slope = (value(images + 0.01 * direction) - value(images - 0.01 * direction)) / 0.02
    assert slope == pytest.approx(gradient.norm().item(), rel=0.05)


def test_enhance_is_darknets_loss() -> None:
    features = torch.tensor([[-1.0, 0.0, 1.0, 6.0]]).requires_grad_()
    (gradient,) = torch.autograd.grad(
        Enhance("x", threshold=1.0).forward({"x": features}).sum(), features
    )
    # mean 1.5, population deviation 2.69: only 6 lies above both together
    assert gradient.tolist() == [[0, 0, 0, 6]]


def test_a_class_that_the_relu_hides_still_has_a_gradient(classifier: Net) -> None:
    images = torch.rand(1, 3, 32, 32)
    hidden = int(classifier.logits(images).argmin())
    assert classifier.logits(images)[0, hidden] < 0
    assert fp32(classifier).gradient(images, ClassLogits({hidden: 1.0})).any()


def test_a_mix_helps_the_class_that_lags(classifier: Net) -> None:
    scores = torch.zeros(1, 5)
    scores[0, 0] = 8.0
    scores.requires_grad_()
    mix = ClassLogits({0: 0.5, 1: 0.5}, 2, SHARE_PENALTY)
    (pull,) = torch.autograd.grad(mix.forward({LOGITS: scores}).sum(), scores)
    assert pull[0, 1] > 1
    assert pull[0, 0] < -1


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_batch_size_changes_nothing_but_rounding(classifier: Net, batch: int) -> None:
    images = torch.rand(7, 3, 32, 32)
    whole = fp32(classifier, batch=16).gradient(images, ClassLogits({1: 1.0}))
    parts = fp32(classifier, batch=batch).gradient(images, ClassLogits({1: 1.0}))
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_several_devices_share_the_images(classifier: DarknetNet) -> None:
    """Two workers of one processor stand for two devices."""
    images = torch.rand(7, 3, 32, 32)
    seen = set()
    shared = Ascent(classifier, Runtime(device="cpu,cpu", precision="fp32", batch=2))
    for number, worker in enumerate(shared.workers):
        assert isinstance(worker.net, DarknetNet)
        worker.net.darknet_layers[0].register_forward_pre_hook(
            lambda _, inputs, number=number: seen.add((number, len(inputs[0])))
        )
    gradient = shared.gradient(images, ClassLogits({1: 1.0}))
    # Two at once each, in turn, and the seventh goes to the second.
    assert seen == {(0, 2), (1, 2), (1, 1)}
    alone = fp32(classifier, batch=2).gradient(images, ClassLogits({1: 1.0}))
    torch.testing.assert_close(gradient, alone, rtol=1e-4, atol=1e-6)


class Greedy(ClassLogits):
    """Asks for more memory than there is for more than so many images."""

    def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
        if len(activations[LOGITS]) > 3:
            torch.empty(2**55)
        return super().forward(activations)


def test_where_memory_runs_out_half_as_many_go_on(
    classifier: Net, caplog: pytest.LogCaptureFixture
) -> None:
    images = torch.rand(9, 3, 32, 32)
    ascent = fp32(classifier, batch=8)
    gradient = ascent.gradient(images, Greedy({1: 1.0}))
    assert [record.getMessage() for record in caplog.records] == [
        "not enough memory for 8 images at once: going on with 4, as --batch 4 does",
        "not enough memory for 4 images at once: going on with 2, as --batch 2 does",
    ]
    expected = fp32(classifier, batch=2).gradient(images, ClassLogits({1: 1.0}))
    assert torch.equal(gradient, expected)


def test_one_image_too_large_is_said_in_a_line(classifier: Net) -> None:
    class Greediest(ClassLogits):
        def forward(self, activations: Mapping[str, Tensor]) -> Tensor:
            return torch.empty(2**55)

    view = Tiling((32, 32), "none").cut((32, 32), torch.Generator()).views()[0]
    canvas = PixelCanvas(torch.rand(3, 32, 32))
    with pytest.raises(LucidError, match="not enough memory on cpu"):
        fp32(classifier).step(canvas, Step(view, Greediest({1: 1.0})), DarknetStep(0.05))


def test_a_batch_that_fits_is_found(classifier: Net, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fp32(classifier).gradient(torch.rand(2, 3, 32, 32), ClassLogits({1: 1.0}))
    assert "16 images at once on each of cpu (fp32)" in caplog.text


def test_one_image_does_not_settle_for_more(
    classifier: DarknetNet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ascent, shown = fp32(classifier), []
    classifier.darknet_layers[0].register_forward_pre_hook(
        lambda _, inputs: shown.append(len(inputs[0]))
    )
    ascent.gradient(torch.rand(1, 3, 32, 32), ClassLogits({1: 1.0}))
    assert shown == [1]  # nothing was tried beside it
    assert not caplog.records
    ascent.gradient(torch.rand(20, 3, 32, 32), ClassLogits({1: 1.0}))
    assert shown == [1, 1, 16, 4]


def test_several_views_of_an_image_are_one_batch(classifier: Net) -> None:
    """A mix in three views: the gradient of its probabilities in their mean."""
    images = torch.rand(2, 3, 32, 32)
    transforms = [[Affine(0, scale, (0, 0))] for scale in (0.8, 1, 1.2)]
    mix = ClassLogits({0: 0.5, 1: 0.5}, 2, SHARE_PENALTY)
    found = fp32(classifier, batch=3).gradient(images, mix, transforms)
    assert found.shape == images.shape
    for image, gradient in zip(images, found, strict=True):
        leaf = image[None].clone().requires_grad_()
        logits = classifier.logits(torch.cat([affine(leaf) for (affine,) in transforms]))
        activations = Activations({LOGITS: logits})
        activations.n_views = 3
        (expected,) = torch.autograd.grad(mix.forward(activations).sum(), leaf)
        torch.testing.assert_close(gradient, expected[0], rtol=1e-3, atol=1e-5)


def test_what_is_shown_keeps_its_precision(classifier: DarknetNet) -> None:
    """In bf16 the positions of a rotation would be off by a good part of a pixel."""
    affine = Affine(0.2, 0.9, (0.03, -0.02))
    images = torch.rand(1, 3, 224, 224)
    shown: list[Tensor] = []
    classifier.darknet_layers[0].register_forward_pre_hook(
        lambda _, inputs: shown.append(inputs[0])
    )
    ascent = Ascent(classifier, Runtime(device="cpu", precision="bf16"))
    ascent.gradient(images, ClassLogits({1: 1.0}), [[affine]])
    torch.testing.assert_close(shown[-1], affine(images), atol=1e-5, rtol=0)


def test_nothing_is_kept_for_the_weights(classifier: Net) -> None:
    ascent = fp32(classifier)
    ascent.gradient(torch.rand(1, 3, 32, 32), ClassLogits({1: 1.0}))
    assert all(p.grad is None and not p.requires_grad for p in classifier.parameters())


def test_adam_climbs(classifier: Net) -> None:
    generator = torch.Generator().manual_seed(0)
    canvas = FourierCanvas.noise(
        (40, 40), decay_power=1, generator=generator, device=torch.device("cpu")
    )
    ascent, adam, objective = fp32(classifier), Adam(0.05), ClassLogits({2: 1.0})
    before = classifier.logits(canvas.image()[None])[0, 2].item()
    for _ in range(20):
        for view in Tiling((32, 32)).cut((40, 40), generator).views():
            ascent.step(canvas, Step(view, objective, normalize_grad=True), adam)
    assert classifier.logits(canvas.image()[None])[0, 2].item() > before + 0.3


def test_each_ring_of_a_spiral_is_shown_what_the_last_one_changed(classifier: DarknetNet) -> None:
    image = torch.rand(3, 80, 80)
    shown: list[Tensor] = []
    classifier.darknet_layers[0].register_forward_pre_hook(
        lambda _, inputs: shown.append(inputs[0])
    )
    for order, changed in (("spiral", True), ("grid", False)):
        shown.clear()
        canvas, ascent = PixelCanvas(image), fp32(classifier, batch=3)
        views = Tiling((32, 32), order).cut((80, 80), torch.Generator().manual_seed(0)).views()
        for view in views:
            step = Step(view, ClassLogits({1: 1.0}), normalize_grad=True)
            ascent.step(canvas, step, DarknetStep(0.05))
        at_first = torch.cat([view.gather(image) for view in views])
        moved = (torch.cat(shown) != at_first).flatten(1).any(1)
        inner = len(views[0].batch)
        assert not moved[:inner].any()
        assert moved[inner:].tolist() == [changed] * (len(moved) - inner)


def moved(optimizer: DarknetStep, image: Tensor, grad: Tensor) -> Tensor:
    canvas = PixelCanvas(image)
    optimizer.step(canvas, grad)
    return canvas.image().detach()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def grad() -> Tensor:
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(2))


def test_darknets_step_restated(image: Tensor, grad: Tensor) -> None:
    total = grad + 0.1 * (0.5 - image)
    normal = (total - total.mean()) / total.std(correction=0)
    expected = (image + 0.05 * normal).clamp(0, 1)
    torch.testing.assert_close(moved(DarknetStep(0.05, grey="darknet"), image, grad), expected)
    raw = moved(DarknetStep(0.05, normalize=False, grey="darknet"), image, grad)
    torch.testing.assert_close(raw, (image + 0.05 * total).clamp(0, 1))


def test_auto_is_darknets_grey_where_that_leaves_a_picture(image: Tensor, grad: Tensor) -> None:
    assert torch.equal(
        moved(DarknetStep(0.05), image, grad), moved(DarknetStep(0.05, grey="darknet"), image, grad)
    )


def test_auto_does_not_drown_a_small_gradient(image: Tensor, grad: Tensor) -> None:
    small = grad * 1e-6
    found = moved(DarknetStep(0.05), image, small)
    torch.testing.assert_close(found, moved(DarknetStep(0.05, grey=0.1), image, grad))
    drowned = moved(DarknetStep(0.05, grey="darknet"), image, small)
    towards_grey = (0.5 - image).flatten()
    assert torch.corrcoef(torch.stack([(drowned - image).flatten(), towards_grey]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([(found - image).flatten(), towards_grey]))[0, 1] < 0.5


def test_auto_leaves_a_picture_alone_where_nothing_is_seen(image: Tensor) -> None:
    assert torch.equal(moved(DarknetStep(0.05), image, torch.zeros_like(image)), image)


def test_grey_as_a_number_is_the_pulls_strength(image: Tensor, grad: Tensor) -> None:
    total = grad / grad.std(correction=0) + 2 * (0.5 - image)
    expected = (image + 0.05 * (total - total.mean()) / total.std(correction=0)).clamp(0, 1)
    torch.testing.assert_close(moved(DarknetStep(0.05, grey=2), image, grad), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "warp"}, "device 'warp' is not"),
        ({"device": "cuda:99"}, "there is no device cuda:99 here"),
        ({"device": "cpu", "precision": "fp16"}, "fp16 needs a GPU"),
        ({"precision": "int3"}, "precision 'int3' is not"),
        ({"batch": 0}, "a batch of 0"),
    ],
)
def test_settings_that_make_no_sense(
    classifier: Net, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Ascent(classifier, Runtime(**options))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_climbs_the_same_way(classifier: Net, precision: str) -> None:
    images = torch.rand(4, 3, 32, 32)
    on_cpu = fp32(classifier).gradient(images, ClassLogits({1: 1.0}))
    ascent = Ascent(classifier, Runtime(device="cuda", precision=precision))
    on_cuda = ascent.gradient(images.cuda(), ClassLogits({1: 1.0})).cpu()
    pair = torch.stack([on_cpu.flatten(), on_cuda.flatten()])
    assert torch.corrcoef(pair)[0, 1] > 0.98


@pytest.mark.parametrize("kind", ["fourier", "phase", "pixels", "as Pillow lays it out"])
def test_adam_is_torchs_however_numbers_lie_in_memory(kind: str) -> None:
    def canvas() -> Canvas:
        torch.manual_seed(1)
        return {
            "fourier": lambda: FourierCanvas(torch.randn(3, 24, 17, 2), (24, 32), 1.0),
            "phase": lambda: PhaseCanvas(torch.rand(3, 24, 17), (24, 32)),
            "pixels": lambda: PixelCanvas(torch.rand(3, 24, 32)),
            "as Pillow lays it out": lambda: PixelCanvas(torch.rand(24, 32, 3).permute(2, 0, 1)),
        }[kind]()

    ours, theirs = canvas(), canvas()
    adam = Adam(0.05)
    reference = torch.optim.Adam([theirs.parameter], lr=0.05, maximize=True, foreach=False)
    for number in range(3):
        direction = torch.randn(3, 24, 32, generator=torch.Generator().manual_seed(number))
        adam.step(ours, torch.autograd.grad(ours.image(), ours.parameter, direction)[0])
        (grad,) = torch.autograd.grad(theirs.image(), theirs.parameter, direction)
        theirs.parameter.grad = grad
        reference.step()
    torch.testing.assert_close(ours.image(), theirs.image(), rtol=1e-4, atol=1e-4)


def test_momentum_carries_on_and_neighbours_pull() -> None:
    """Two steps of Darknet's reconstruction, by hand: one bright pixel in a corner."""
    picture = torch.full((3, 2, 3), 0.25)
    picture[:, 0, 0] = 0.75
    canvas = PixelCanvas(picture)
    optimizer = MomentumSGD(lr=0.1, momentum=0.5, smoothing=0.2, radius=1)
    none = torch.zeros_like(picture)
    optimizer.step(canvas, none)
    # The corner has three neighbours, each 0.5 darker; they have one bright neighbour each.
    velocity = torch.zeros(2, 3)
    velocity[0, 0] = 0.2 * 3 * -0.5
    velocity[0, 1] = velocity[1, 0] = velocity[1, 1] = 0.2 * 0.5
    first = picture[0] + 0.1 * velocity
    torch.testing.assert_close(canvas.image()[0], first)
    optimizer.step(canvas, none)
    pull = -3 * first[0, 0] + first[0, 1] + first[1, 0] + first[1, 1]
    corner = first[0, 0] + 0.1 * (0.5 * velocity[0, 0] + 0.2 * pull)
    torch.testing.assert_close(canvas.image()[0, 0, 0], corner)


def test_momentum_normalises_the_gradient() -> None:
    canvas = PixelCanvas(torch.full((3, 4, 4), 0.5))
    gradient = torch.randn(3, 4, 4) * 1000 + 50
    MomentumSGD(lr=0.01, momentum=0, smoothing=0, radius=1).step(canvas, gradient)
    moved = (canvas.image().detach() - 0.5) / 0.01
    assert abs(float(moved.mean())) < 1e-4
    assert float(moved.std(correction=0)) == pytest.approx(1, rel=1e-3)
