"""Darknet's reconstruction: a picture rebuilt from a layer's activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from PIL import Image
from torch import Tensor

from lucid.core.ascent import Ascent, Step
from lucid.core.canvas import PixelCanvas
from lucid.core.device import Runtime, RuntimeOptions, reraise_oom, resolve_runtime
from lucid.core.objectives import FeatureInversion
from lucid.core.optimizers import MomentumSGD
from lucid.errors import Stop, UsageError, tell
from lucid.imaging.io import Picture, to_pil, to_tensor
from lucid.imaging.recipes import with_recipe
from lucid.nets.registry import NetLike, to_net
from lucid.nightmares.nightmare import Progress, check_counts, check_finite, nightmare_recipe


@dataclass(frozen=True)
class IdentityView:
    """The view of a reconstruction's step: the picture as it is."""

    def gather(self, image: Tensor) -> Tensor:
        """Return the picture, (3, height, width), as a batch of one."""
        return image[None]

    def scatter(self, values: Tensor) -> Tensor:
        """Return the values, (1, 3, height, width), at the picture's pixels."""
        return values[0]


@torch.inference_mode(False)  # whatever the caller's modes are
@torch.enable_grad()
def reconstruct(
    net: NetLike,
    image: Picture,
    layer: str,
    *,
    rounds: int = 1,
    iterations: int = 10,
    rate: float = 0.05,
    momentum: float = 0.9,
    pull: float = 0.01,
    reach: int = 1,
    seed: int = 0,
    runtime: Runtime | None = None,
    watch: Callable[[Progress], object] | None = None,
    **legacy: Unpack[RuntimeOptions],
) -> Iterator[Image.Image]:
    """Rebuild a picture from a layer's activations alone.

    The algorithm of ``darknet nightmare -reconstruct``, after Mahendran and Vedaldi,
    "Understanding Deep Image Representations by Inverting Them" (2014).

    Args:
        net: any net.
        image: a Pillow image, or (3, height, width), RGB, 0..1.
        layer: name of the layer whose activations are matched.
        rounds: number of pictures to make, each from the one before.
        iterations: steps of a round.
        rate: step size (Darknet's ``-rate``), in units of the picture's 0..1.
        momentum: fraction of the velocity that each step keeps, from 0 to under 1.
        pull: of every pixel towards each neighbour (Darknet's ``-lambda``).
        reach: half the side of the square of neighbours, in pixels, 0 or more (``-smooth``).
        seed: of the noise that the reconstruction starts from.
        runtime: where and how to run the net: device and precision.
        watch: called after each step.
        legacy: version 0.1's ``device``, ``precision`` and ``deterministic``.

    Yields:
        The picture after each round. It carries its recipe.

    Raises:
        UsageError: a setting makes no sense; raised before the first step.
        LucidError: the net cannot take the picture, or there is not enough memory.
    """
    check_counts(rounds=rounds, iterations=iterations)
    if reach < 0:
        raise UsageError(f"smooth {reach} must be 0 or more")
    check_finite(rate=rate, **{"lambda": pull})
    if not 0 <= momentum < 1:
        raise UsageError(f"momentum {momentum} must be from 0 to under 1")
    net = to_net(net)
    layer = net.resolve_layer(layer)
    ascent = Ascent(net, resolve_runtime(runtime, legacy))
    optimizer = MomentumSGD(rate, momentum, pull, reach)
    given: dict[str, Any] = {
        **{"reconstruct": True, "rounds": rounds, "iters": iterations, "rate": rate},
        **{"momentum": momentum, "lambda": pull, "smooth": reach, "seed": seed},
    }
    picture = to_tensor(image, "picture")
    with reraise_oom(ascent.device), torch.no_grad():
        features = ascent.forward(picture[None].to(ascent.device), [layer])[layer][0]
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed))
    canvas = PixelCanvas(noise.to(ascent.device))
    step = Step(IdentityView(), FeatureInversion(layer, features))

    @torch.inference_mode(False)  # whatever the caller's modes are
    @torch.enable_grad()
    def pictures() -> Iterator[Image.Image]:
        for done in range(1, rounds * iterations + 1):
            ascent.step(canvas, step, optimizer)
            try:
                tell(watch, Progress(done, rounds * iterations, canvas))
            except Stop:
                return
            if done % iterations == 0:
                number = done // iterations - 1
                recipe = nightmare_recipe(ascent, (net, image, layer), given, round=number)
                yield with_recipe(to_pil(canvas.image()), recipe)

    return pictures()
