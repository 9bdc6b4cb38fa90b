"""Optical flow: how far each pixel moves from one frame of a video to the next."""

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

MAX_MISMATCH = 1.0  # pixels between the flows back and forth; above, something was occluded


@dataclass(frozen=True)
class Flow:
    """The motion between two frames, by the pixels of the later one."""

    backward: Tensor  # (2, height, width): pixels to the right and down, to the earlier frame
    valid: Tensor  # (height, width): 1 where a pixel was visible in the earlier frame, else 0

    def warp(self, image: Tensor) -> Tensor:
        """Move a picture of the earlier frame, (3, height, width), to the later one."""
        return _warp(image, self.backward)

    def blend(self, image: Tensor, later: Tensor, weight: float) -> Tensor:
        """Blend the later frame, where valid, with the warped picture, whose weight is 0..1."""
        return later + weight * self.valid * (self.warp(image) - later)


def estimate_flow(before: Tensor, after: Tensor) -> Flow:
    """Estimate the motion between two frames, (3, height, width), RGB, 0..1.

    By torchvision's RAFT (Teed and Deng, 2020) where its weights are in torch's cache, else by
    OpenCV's dense inverse search (Kroeger and others, 2016).
    """
    estimate = _raft_flow if _raft_weights() else _inverse_search_flow
    backward, forward = estimate(after, before), estimate(before, after)
    # Forward-backward check: a large error means occlusion.
    error = torch.linalg.vector_norm(backward + _warp(forward, backward), dim=0)
    height, width = before.shape[1:]
    x, y = torch.arange(width) + backward[0], torch.arange(height)[:, None] + backward[1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Flow(backward, (inside & (error < MAX_MISMATCH)).float())


def check_installed() -> None:
    """Raise a UsageError, before any work, if neither RAFT's weights nor OpenCV are installed."""
    if not _raft_weights():
        _import_cv2()


def _warp(values: Tensor, backward: Tensor) -> Tensor:
    height, width = values.shape[1:]
    x = (torch.arange(width) + backward[0] + 0.5) * (2 / width) - 1
    y = (torch.arange(height)[:, None] + backward[1] + 0.5) * (2 / height) - 1
    grid = torch.stack([x, y], -1)[None]
    return F.grid_sample(values[None], grid, padding_mode="border", align_corners=False)[0]


def _import_cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise UsageError(
            "following a video's motion needs OpenCV: pip install 'lucid-nightmare[video]', or "
            "give --no-flow"
        ) from None
    return cv2


def _inverse_search_flow(first: Tensor, second: Tensor) -> Tensor:
    cv2 = _import_cv2()
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


def _raft_flow(first: Tensor, second: Tensor) -> Tensor:
    height, width = first.shape[1:]
    # RAFT takes multiples of 8, and no fewer than 128 pixels a side.
    size = [max(128, -(-side // 8) * 8) for side in (height, width)]
    resized = [F.interpolate(frame[None], size, mode="bilinear") for frame in (first, second)]
    with torch.inference_mode():
        # RAFT was trained on -1..1.
        flow = _raft_net()(*(2 * frame - 1 for frame in resized))[-1]
    scale = flow.new_tensor([width / size[1], height / size[0]])[:, None, None]
    return (F.interpolate(flow, (height, width), mode="bilinear")[0] * scale).clone()
