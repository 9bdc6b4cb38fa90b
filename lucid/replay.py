"""Asking a GPU once for what it then does again and again.

To a GPU, one pass through a net is hundreds of small kernels, and where images are few the
CPU asks for them more slowly than they run. Recorded as a CUDA graph they are asked for all
at once (``torch.cuda.make_graphed_callables``).
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from lucid.machine import is_out_of_memory

log = logging.getLogger("lucid")

Answer = Callable[[Tensor], dict[str, Tensor]]

FIRST = 3
"""Times that a shape is seen before its pass is recorded, which takes as long as several."""

MOST = 4
"""Recordings that are kept; each holds memory."""


class Replay:
    """What a net answers to images, recorded for each shape that comes again.

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
        self._recorded: OrderedDict[tuple[torch.Size, frozenset[str]], Answer] = OrderedDict()
        self._works = True

    def __call__(self, images: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
        """What the layers put out; images without gradients are never recorded."""
        if not images.requires_grad:
            return self._look(images, layers)
        key = images.shape, layers
        self._times[key] += 1
        if key not in self._recorded and self._works and self._times[key] > FIRST:
            self._keep(key, images)
        if key not in self._recorded:
            return self._look(images, layers)
        self._recorded.move_to_end(key)
        return self._recorded[key](images)

    def _keep(self, key: tuple[torch.Size, frozenset[str]], images: Tensor) -> None:
        sample = images.detach().clone().requires_grad_()
        try:
            answer = self._record(lambda shown: self._look(shown, key[1]), (sample,))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self._works = False
            log.info("this net cannot be recorded, so it is asked anew each time: %s", error)
            return
        self._recorded[key] = answer
        if len(self._recorded) > MOST:
            self._recorded.popitem(last=False)
