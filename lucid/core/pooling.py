"""Average pooling in place of maximum pooling, in nets that call torch's functions.

Programs of TorchScript and ``torch.export`` call what is below these, and keep their maxima.

The gradient of a maximum reaches one pixel of each window, that of an average all of them: pictures
are smoother (Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks",
2016; an option of neural-dream).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.replaced_functions import ReplacedFunctions

POOLINGS = ("max", "avg")


def _average(
    images: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,  # averages have none
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """Average pooling with the arguments of maximum pooling; padding counts for nothing."""

    def pool(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, kernel_size, stride or None, padding, ceil_mode)

    shown = images > -torch.inf  # Darknet's nets are padded before they are pooled
    return pool(images.where(shown, 0)) / pool(shown.to(images)).clamp(min=1e-6)


class AveragePooling(ReplacedFunctions):
    """A context in which torch pools by averages where a net asks for maxima."""

    replacements: ClassVar[Mapping[Callable[..., Any], Callable[..., Any]]] = {
        F.max_pool2d: _average,
        torch.max_pool2d: _average,
    }
