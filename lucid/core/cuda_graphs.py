"""Asking a GPU once for what it then does again and again.

To a GPU, one pass through a net is hundreds of small kernels, and where images are few the
CPU asks for them more slowly than they run. Recorded as a CUDA graph they are asked for all
at once (``torch.cuda.make_graphed_callables``).
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger("lucid")

Answer = Callable[[Tensor], dict[str, Tensor]]

FIRST = 3
"""Times that a shape is seen before its pass is recorded, which takes as long as several."""

MOST = 4
"""Recordings that are made; each holds memory of its own."""


class GraphedForward:
    """What a net answers to images, recorded for the first few shapes that come again.

    An answer and its gradient lie where the last ones of that shape lay: use them up
    before the next.
    """

    def __init__(
        self,
        look: Callable[[Tensor, frozenset[str]], dict[str, Tensor]],
        record: Callable[[Answer, tuple[Tensor]], Answer],
    ) -> None:
        """
        Args:
            look: asks the net what its layers put out.
            record: as ``torch.cuda.make_graphed_callables``.
        """
        self._look, self._record = look, record
        self._times: Counter[tuple[torch.Size, frozenset[str]]] = Counter()
        self._recorded: dict[tuple[torch.Size, frozenset[str]], Answer] = {}
        self._room = MOST

    def __call__(self, images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
        """What the layers put out; images without gradients are never recorded."""
        if not images.requires_grad:
            return self._look(images, layers)
        key = images.shape, layers
        self._times[key] += 1
        if key not in self._recorded and self._room and self._times[key] > FIRST:
            self._keep(key, images)
        if key in self._recorded:
            return self._recorded[key](images)
        return self._look(images, layers)

    def _keep(self, key: tuple[torch.Size, frozenset[str]], images: Tensor) -> None:
        sample = images.detach().clone().requires_grad_()
        try:
            answer = self._record(lambda shown: self._look(shown, key[1]), (sample,))
        except Exception as error:  # whatever a net says to being watched
            log.warning("this net's passes cannot be recorded: going on without (%s)", error)
            # Should memory have been short, there is more without them.
            self._recorded.clear()
            self._room = 0
            gc.collect()
            return
        self._recorded[key] = answer
        self._room -= 1
