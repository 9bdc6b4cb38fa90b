"""CUDA graph capture and replay of a net's forward and backward pass.

A pass through a net is hundreds of small GPU kernels, and where images are few the CPU launches
them more slowly than they run. Captured as a CUDA graph (``torch.cuda.make_graphed_callables``)
they are launched at once.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger("lucid")

Forward = Callable[[Tensor], dict[str, Tensor]]
"""From images to activations by layer name."""

WARMUP = 3
"""How often a shape is computed before its pass is captured, which takes as long as several."""

MAX_GRAPHS = 4
"""How many graphs are captured at most; each holds memory of its own."""


class GraphedForward:
    """A net's forward pass, captured for the first few shapes that come again.

    Activations and their gradient are written to where the last ones of that shape were: use
    them before the next call.
    """

    def __init__(
        self,
        forward: Callable[[Tensor, frozenset[str]], dict[str, Tensor]],
        capture: Callable[[Forward, tuple[Tensor]], Forward],
    ) -> None:
        """Wrap ``forward``; ``capture`` works as ``torch.cuda.make_graphed_callables`` does."""
        self._forward, self._capture = forward, capture
        self._calls: Counter[tuple[torch.Size, frozenset[str]]] = Counter()
        self._graphs: dict[tuple[torch.Size, frozenset[str]], Forward] = {}
        self._room = MAX_GRAPHS

    def __call__(self, images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
        """Compute the activations of layers; images without gradients are never captured."""
        if not images.requires_grad:
            return self._forward(images, layers)
        key = images.shape, layers
        self._calls[key] += 1
        if key not in self._graphs and self._room and self._calls[key] > WARMUP:
            self._add_graph(key, images)
        if key in self._graphs:
            return self._graphs[key](images)
        return self._forward(images, layers)

    def _add_graph(self, key: tuple[torch.Size, frozenset[str]], images: Tensor) -> None:
        sample = images.detach().clone().requires_grad_()
        try:
            graph = self._capture(lambda shown: self._forward(shown, key[1]), (sample,))
        except Exception as error:  # a net may refuse capture in any way
            log.warning("this net's passes cannot be captured: going on without (%s)", error)
            # If memory was short, dropping the graphs frees some.
            self._graphs.clear()
            self._room = 0
            gc.collect()
            return
        self._graphs[key] = graph
        self._room -= 1
