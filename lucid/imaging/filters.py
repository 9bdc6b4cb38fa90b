"""Image filters: luma and Gaussian blur."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor


def luma(image: Tensor) -> Tensor:
    """Compute the luma (ITU-R BT.601) of an RGB image: (3, height, width) to (1, height, width)."""
    red, green, blue = image
    return (0.299 * red + 0.587 * green + 0.114 * blue)[None]


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Blur a (channels, height, width) image with a Gaussian of ``sigma`` pixels.

    The kernel is truncated at three sigma and the border reflected. On a CPU no gradient passes.
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
