"""Image filters: Gaussian blur and luma."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def luma(image: Tensor) -> Tensor:
    """The luma, (1, height, width), of a (3, height, width) image (ITU-R BT.601)."""
    red, green, blue = image
    return (0.299 * red + 0.587 * green + 0.114 * blue)[None]


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """A (channels, height, width) image, softened; past its edges it is mirrored."""
    if image.device.type == "cpu":  # SciPy's takes a third of the time
        sigmas = (0, sigma, sigma)
        soft = gaussian_filter(image.detach().numpy(), sigmas, mode="mirror", truncate=3)
        return torch.from_numpy(soft)
    from torchvision.transforms.functional import gaussian_blur  # takes a second to import

    # A kernel no wider than the picture, whose reflection is all there is past its edge.
    reach = min(gaussian_radius(sigma), *(length - 1 for length in image.shape[1:]))
    # One axis after the other: torchvision's kernels are squares of numbers.
    across = gaussian_blur(image, [2 * reach + 1, 1], [sigma] * 2)
    return gaussian_blur(across, [1, 2 * reach + 1], [sigma] * 2)


def gaussian_radius(sigma: float) -> int:
    """How far a Gaussian is followed, in pixels."""
    return int(3 * sigma + 0.5)
