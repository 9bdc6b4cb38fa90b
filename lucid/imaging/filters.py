"""Image filters: luma and Gaussian blur."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def luma(image: Tensor) -> Tensor:
    """Compute the luma of an RGB image (ITU-R BT.601).

    Args:
        image: (3, height, width).

    Returns:
        (1, height, width), in the image's value range.
    """
    red, green, blue = image
    return (0.299 * red + 0.587 * green + 0.114 * blue)[None]


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Blur an image with a Gaussian, truncated at three sigma; the border is reflected.

    Args:
        image: (channels, height, width). On a CPU the result carries no gradient.
        sigma: standard deviation in pixels.

    Returns:
        The blurred image, of the same shape.
    """
    if image.device.type == "cpu":  # SciPy takes a third of the time that torchvision takes
        sigmas = (0, sigma, sigma)
        blurred = gaussian_filter(image.detach().numpy(), sigmas, mode="mirror", truncate=3)
        return torch.from_numpy(blurred)
    from torchvision.transforms.functional import gaussian_blur  # takes a second to import

    # torchvision refuses a kernel whose radius is not smaller than the image.
    radius = min(gaussian_radius(sigma), *(length - 1 for length in image.shape[1:]))
    # Blur one axis after the other, because torchvision convolves with a two-dimensional kernel.
    blurred_rows = gaussian_blur(image, [2 * radius + 1, 1], [sigma] * 2)
    return gaussian_blur(blurred_rows, [1, 2 * radius + 1], [sigma] * 2)


def gaussian_radius(sigma: float) -> int:
    """Return the radius in pixels of the kernel of ``gaussian_blur``: three sigma, rounded."""
    return int(3 * sigma + 0.5)
