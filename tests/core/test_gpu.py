"""What lucid does for GPUs, as far as a machine without one can tell."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lucid.core.ascent import GRAPHS, Ascent, Step, Worker
from lucid.core.canvas import Canvas, FourierCanvas, PhaseCanvas, PixelCanvas
from lucid.core.cuda_graphs import MAX_GRAPHS, WARMUP, Forward, GraphedForward
from lucid.core.device import Runtime
from lucid.core.objectives import SHARE_PENALTY, ClassLogits, Enhance
from lucid.core.optimizers import Adam, DarknetStep, DeepDreamStep, Optimizer
from lucid.core.transforms import draw_affines
from lucid.errors import LucidError
from lucid.nets.net import Net
from lucid.nightmares.nightmare import ShiftedView
from lucid.nightmares.steps import NightmareStep
from lucid.tiling.tiles import Tiling

META = torch.device("meta")
MIX = ClassLogits({0: 0.5, (1, 2): 0.3, 4: -0.2}, 2, SHARE_PENALTY)


class Crossings(TorchDispatchMode):
    """Notes what takes tensors from one device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, out)) if isinstance(leaf, Tensor)]
        if len({tensor.device for tensor in tensors}) > 1:
            self.noted.append(str(func))
        return out


def without_values(net: Net) -> Ascent:
    """An ascent on torch's device without values: whoever asks for one gets an error."""
    ascent = Ascent(net, Runtime(device="cpu", precision="fp32", batch=8))
    ascent.device = META
    ascent.workers = [Worker(copy.deepcopy(net).to(META), META, torch.float32)]
    return ascent


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fourier", "phase", "pixels"])
@pytest.mark.parametrize("padding", ["reflect", "wrap", "mean"])
def test_a_drawings_step_waits_for_no_device(classifier: Net, kind: str, padding: str) -> None:
    generator, ascent = Generator(), without_values(classifier)
    tile_pass = Tiling((32, 32), "spiral", padding=padding).cut((70, 90), generator)
    affines = draw_affines(generator, 2, max_angle=0.3, scale=(0.7, 1.2), shift=0.1)
    canvas: Canvas = {
        "fourier": lambda: FourierCanvas(torch.empty(3, 70, 46, 2, device=META), (70, 90), 1.0),
        "phase": lambda: PhaseCanvas(torch.empty(3, 70, 46, device=META), (70, 90)),
        "pixels": lambda: PixelCanvas(torch.empty(3, 70, 90, device=META)),
    }[kind]()
    optimizer: Optimizer = DeepDreamStep(0.01) if kind == "pixels" else Adam(0.01)
    transforms = [[affine] for affine in affines]
    with Crossings() as crossings:
        for view in tile_pass.views():
            step = Step(view, MIX, transforms, normalize_grad=True, tv_weight=0.05)
            ascent.step(canvas, step, optimizer)
    assert canvas.parameter.device == META
    assert not crossings.noted


def test_a_nightmares_step_waits_for_no_device(classifier: Net) -> None:
    ascent = without_values(classifier)
    canvas = PixelCanvas(torch.empty(3, 70, 90, device=META))
    draw = NightmareStep("2", dx=3, dy=-2, scale=0.8, flip=True)
    with Crossings() as crossings:
        for _ in range(2):
            step = Step(ShiftedView(draw, (70, 90)), Enhance("2"))
            ascent.step(canvas, step, DarknetStep(0.05))
    assert not crossings.noted


def test_who_waits_is_caught() -> None:
    values = torch.rand(3, device=META)
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(values.sum())
    with Crossings() as crossings:
        torch.rand(3).to(META)
    assert crossings.noted


class Graphed(torch.autograd.Function):
    """As torch.cuda.make_graphed_callables has them: everything lies in its own place."""

    @staticmethod
    def forward(context: Any, images: Tensor, recording: Recording) -> tuple[Tensor, ...]:
        context.recording = recording
        recording.image.copy_(images)
        recording.run()
        return tuple(answer.detach() for answer in recording.answers)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        recording: Recording = context.recording
        recording.run_back(gradients)
        return recording.gradient.detach(), None


class Recording:
    """A stand-in for a CUDA graph, on the CPU."""

    made = 0

    def __init__(self, answer: Forward, sample: tuple[Tensor]) -> None:
        Recording.made += 1
        self.answer, self.image = answer, sample[0].detach().clone()
        answers = answer(sample[0])
        self.names = list(answers)
        self.answers = [torch.empty_like(value) for value in answers.values()]
        self.gradient = torch.empty_like(self.image)

    def run(self) -> None:
        with torch.enable_grad():
            self.leaf = self.image.clone().requires_grad_()
            self.kept = self.answer(self.leaf)
        for place, value in zip(self.answers, self.kept.values(), strict=True):
            place.copy_(value.detach())

    def run_back(self, gradients: Sequence[Tensor]) -> None:
        found = torch.autograd.grad(tuple(self.kept.values()), self.leaf, tuple(gradients))
        self.gradient.copy_(found[0])

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, Graphed.apply(images, self), strict=True))


def test_replayed_steps_climb_as_asked_ones_do(classifier: Net) -> None:
    """Each pass shows the net its tiles in several batches of one shape."""
    plain = Ascent(classifier, Runtime(device="cpu", precision="fp32", batch=4))
    replayed = Ascent(classifier, Runtime(device="cpu", precision="fp32", batch=4))
    (worker,) = replayed.workers
    replayed.workers = [replace(worker, graphed=GraphedForward(worker.activations, Recording))]
    before = Recording.made
    pictures = []
    for ascent in (plain, replayed):
        generator = Generator().manual_seed(0)
        canvas = PixelCanvas(torch.rand(3, 100, 90, generator=generator))
        for number in range(4):
            tile_pass = Tiling((32, 32), "grid").cut((100, 90), generator)
            affines = draw_affines(generator, 1, max_angle=0.1, scale=(0.9, 1.1), shift=0)
            for view in tile_pass.views():
                step = Step(view, MIX, [affines][: number % 2], normalize_grad=True)
                ascent.step(canvas, step, DeepDreamStep(0.02))
        pictures.append(canvas.image().detach())
    assert Recording.made > before, "nothing was replayed"
    assert torch.equal(*pictures)


def doubled(images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
    return dict.fromkeys(layers, 2 * images)


def test_what_comes_once_is_not_recorded_and_few_recordings_are_made() -> None:
    replay, before = GraphedForward(doubled, Recording), Recording.made
    shapes = [torch.rand(1, 3, 8, 8 + width).requires_grad_() for width in range(MAX_GRAPHS + 2)]
    for images in shapes:
        for _ in range(WARMUP):
            replay(images, frozenset({"a"}))
    assert Recording.made == before
    with torch.no_grad():
        replay(shapes[0].detach(), frozenset({"a"}))
    assert Recording.made == before, "what has no gradient is only looked at"
    for images in [*shapes, *shapes]:
        answer = replay(images, frozenset({"a"}))
        assert torch.equal(answer["a"], 2 * images)
    assert Recording.made == before + MAX_GRAPHS


@pytest.mark.slow
@pytest.mark.parametrize("error", [RuntimeError, LucidError, torch.cuda.OutOfMemoryError])
def test_a_net_that_cannot_be_recorded_is_asked(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")

    def fail(answer: Forward, sample: tuple[Tensor]) -> Forward:
        raise error("not permitted")

    replay = GraphedForward(doubled, fail)
    images = torch.rand(1, 3, 8, 8).requires_grad_()
    for _ in range(WARMUP + 3):
        answer: Mapping[str, Tensor] = replay(images, frozenset({"a"}))
        assert torch.equal(answer["a"], 2 * images)
    assert caplog.text.count("cannot be captured") == 1


@pytest.mark.parametrize(
    ("asked", "device", "capturable", "recorded"),
    [
        (True, "cuda", True, True),
        (True, "cuda:0", True, True),
        (False, "cuda", True, False),
        (True, "cuda:1", True, False),
        (True, "cpu", True, False),
        (True, "cuda", False, False),
    ],
)
def test_a_net_is_recorded_where_that_was_asked_for_and_can_be_done(
    classifier: Net,
    monkeypatch: pytest.MonkeyPatch,
    asked: bool,
    device: str,
    capturable: bool,
    recorded: bool,
) -> None:
    monkeypatch.setenv(GRAPHS, "1" if asked else "")
    classifier.capturable = capturable
    worker = Worker(classifier, torch.device(device), torch.float32).with_graphs()
    assert (worker.graphed is not None) is recorded


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_replays_what_it_would_compute(
    classifier: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRAPHS, "1")
    ascent = Ascent(classifier, Runtime(device="cuda", precision="fp32"))
    images = [torch.rand(4, 3, 32, 32, device="cuda") for _ in range(2 * WARMUP + 2)]
    found = [ascent.gradient(each, MIX) for each in images]
    (worker,) = ascent.workers
    assert worker.graphed
    for each, gradient in zip(images, found, strict=True):
        asked = worker.without_graphs().input_grad(each, MIX, ())
        torch.testing.assert_close(gradient, asked, rtol=1e-3, atol=1e-6)
