"""Where things go from one frame of a video to the next."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.errors import UsageError
from lucid.imaging.filters import luma

SLACK = 1.0
"""Pixels by which the ways there and back may miss each other."""


@dataclass(frozen=True)
class Flow:
    """How a picture moved.

    Attributes:
        back: (2, height, width): for each pixel of the later frame how far right and how
            far below it was in the earlier one, in pixels.
        seen: (height, width): 1 where it was in view, 0 where it came into view.
    """

    back: Tensor
    seen: Tensor

    def carry(self, image: Tensor) -> Tensor:
        """A (3, height, width) picture of the earlier frame, moved to the later."""
        return _moved(image, self.back)

    def blend(self, image: Tensor, later: Tensor, share: float) -> Tensor:
        """The later frame with a share of a picture of the earlier one, moved along."""
        return later + share * self.seen * (self.carry(image) - later)


def estimate_flow(before: Tensor, after: Tensor) -> Flow:
    """How one frame, (3, height, width), 0..1, became another.

    By torchvision's RAFT (Teed and Deng, 2020), where its weights are in torch's cache,
    else by OpenCV's dense inverse search (Kroeger and others, 2016).

    Raises:
        UsageError: neither is at hand, or the frames are too small.
    """
    motion = _raft if _raft_weights() else _inverse_search
    back, forth = motion(after, before), motion(before, after)
    # Where going back and forth does not lead home, something covered the place.
    miss = torch.linalg.vector_norm(back + _moved(forth, back), dim=0)
    height, width = before.shape[1:]
    across, down = torch.arange(width) + back[0], torch.arange(height)[:, None] + back[1]
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    return Flow(back, (inside & (miss < SLACK)).float())


def _moved(values: Tensor, back: Tensor) -> Tensor:
    height, width = values.shape[1:]
    across = (torch.arange(width) + back[0] + 0.5) * (2 / width) - 1
    down = (torch.arange(height)[:, None] + back[1] + 0.5) * (2 / height) - 1
    grid = torch.stack([across, down], -1)[None]
    return F.grid_sample(values[None], grid, padding_mode="border", align_corners=False)[0]


def _cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise UsageError(
            "following a video's motion needs OpenCV: pip install 'lucid-nightmare[video]', or "
            "give --no-flow"
        ) from None
    return cv2


def check() -> None:
    """Find out before the work that motion cannot be followed.

    Raises:
        UsageError: see ``estimate_flow``.
    """
    if not _raft_weights():
        _cv2()


def _inverse_search(first: Tensor, second: Tensor) -> Tensor:
    cv2 = _cv2()
    one, two = (
        (luma(frame)[0].clamp(0, 1) * 255).byte().cpu().numpy() for frame in (first, second)
    )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    try:
        flow = search.calc(one, two, np.zeros((*one.shape, 2), np.float32))
    except cv2.error as error:
        height, width = one.shape
        raise UsageError(
            f"frames of {width}x{height} are too small to follow: give --no-flow"
        ) from error
    return torch.from_numpy(flow).permute(2, 0, 1)


def _raft_weights() -> Path | None:
    from torchvision.models.optical_flow import Raft_Small_Weights

    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(Raft_Small_Weights.DEFAULT.url).name
    return path if path.exists() else None


@functools.cache
def _raft_net() -> torch.nn.Module:
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    return raft_small(weights=Raft_Small_Weights.DEFAULT).eval()


def _raft(first: Tensor, second: Tensor) -> Tensor:
    height, width = first.shape[1:]
    # RAFT sees multiples of eight, no fewer than 128.
    size = [max(128, -(-side // 8) * 8) for side in (height, width)]
    shown = [F.interpolate(frame[None], size, mode="bilinear") for frame in (first, second)]
    with torch.inference_mode():
        # It was trained on -1..1.
        flow = _raft_net()(*(2 * frame - 1 for frame in shown))[-1]
    scale = flow.new_tensor([width / size[1], height / size[0]])[:, None, None]
    return (F.interpolate(flow, (height, width), mode="bilinear")[0] * scale).clone()
