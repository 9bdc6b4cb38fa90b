"""Small random transforms of what a net is shown, which a picture must survive.

What a net sees at one angle and one size only is noise to an eye. Each transform is drawn once,
then is a plain function of a batch of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.errors import UsageError
from lucid.imaging import Size

Transform = Callable[[Tensor], Tensor]
"""From a batch of images, (n, 3, height, width), to another."""


def checked_transform(transform: Transform) -> Transform:
    """A transform of the user's own that refuses to return what the net cannot be shown."""
    name = getattr(transform, "__name__", type(transform).__name__)

    def checked(images: Tensor) -> Tensor:
        changed: object = transform(images)
        if not isinstance(changed, Tensor) or changed.shape != images.shape:
            shape = tuple(getattr(changed, "shape", ()))
            found = f"shape {shape}" if shape else type(changed).__name__
            raise UsageError(
                f"the transform {name} must return images of shape {tuple(images.shape)}, "
                f"not {found}"
            )
        if images.requires_grad and not changed.requires_grad:
            raise UsageError(
                f"the transform {name} returns images that no gradient passes through: leave "
                "detach(), NumPy and torch.no_grad() out"
            )
        return changed

    return checked


def mirror(images: Tensor) -> Tensor:
    """Mirror a batch of images, (n, 3, height, width), left to right."""
    return images.flip(3)


@dataclass(frozen=True)
class Affine:
    """Rotate, scale and shift a batch of images about their centres.

    Attributes:
        angle: in radians.
        scale: above 1 enlarges.
        shift: (dy, dx), as fractions of the images' height and width.
    """

    angle: float
    scale: float
    shift: tuple[float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """Transform (n, 3, height, width) images to the same shape; borders are reflected.

        Where that is close to the derivative, gradients are rotated, scaled and shifted back as
        if they were images, which takes about half the time.
        """
        size = images.shape[2], images.shape[3]
        dy, dx = self.overhang(size)
        if 0.5 <= self.scale <= 2 and dy <= size[0] and dx <= size[1]:
            transformed: Tensor = _AffineWithInverse.apply(images, self)
            return transformed
        return self.sample(images.to(_deterministic_device(images)), "reflection").to(images.device)

    def inverse(self, size: Size) -> Affine:
        """The inverse transform, for images of (height, width)."""
        height, width = size
        cosine, sine = math.cos(self.angle) * self.scale, math.sin(self.angle) * self.scale
        dy, dx = self.shift
        shift = (
            sine * width / height * dx - cosine * dy,
            -sine * height / width * dy - cosine * dx,
        )
        return Affine(-self.angle, 1 / self.scale, shift)

    def overhang(self, size: Size) -> Size:
        """How far past the borders of images of (height, width) it reads, in pixels."""
        height, width = size
        cosine = abs(math.cos(self.angle)) / self.scale
        sine = abs(math.sin(self.angle)) / self.scale
        dy = cosine * height + sine * width + 2 * abs(self.shift[0]) * height
        dx = cosine * width + sine * height + 2 * abs(self.shift[1]) * width
        return max(0, math.ceil((dy - height) / 2)), max(0, math.ceil((dx - width) / 2))

    def sample(self, images: Tensor, padding: str, margin: Size = (0, 0)) -> Tensor:
        """Transform images, and a margin around them.

        Args:
            images: (n, channels, height, width).
            padding: padding mode of ``F.grid_sample``.
            margin: (rows, columns) on every side, in pixels.

        Returns:
            (n, channels, height + 2 x rows, width + 2 x columns).
        """
        count, channels, *size = images.shape
        # Each axis runs from -1 to 1, so a rotation must know the shape. F.affine_grid would do,
        # but sends its numbers to the device first.
        axes = []
        for more, length in zip(margin, size, strict=True):
            steps = torch.arange(-more, length + more, device=images.device)
            axes.append((2 * steps + 1) / length - 1)
        y, x = axes
        cosine, sine = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        slant = sine * size[0] / size[1], sine * size[1] / size[0]
        grid = torch.stack(
            (
                cosine * x - slant[0] * y[:, None] + 2 * self.shift[1],
                slant[1] * x + cosine * y[:, None] + 2 * self.shift[0],
            ),
            dim=-1,
        )
        # On the CPU every image of a batch computes its own positions; as channels of one image,
        # several images share them. Enough groups are left to keep all threads busy.
        groups = count
        if images.device.type == "cpu":
            groups = min(count, 2 * torch.get_num_threads())
            while count % groups:
                groups += 1
        sampled = F.grid_sample(
            images.reshape(groups, -1, *size),
            grid.to(images.dtype).expand(groups, -1, -1, -1),
            padding_mode=padding,
            align_corners=False,
        )
        return sampled.view(count, channels, *grid.shape[:2])


class _AffineWithInverse(torch.autograd.Function):
    """An affine transform whose backward pass is the inverse transform of the gradient."""

    @staticmethod
    def forward(context: Any, images: Tensor, affine: Affine) -> Tensor:
        context.affine = affine
        return affine.sample(images, "reflection")

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:
        affine: Affine = context.affine
        size = grad.shape[2], grad.shape[3]
        rows, columns = affine.overhang(size)
        back = affine.inverse(size).sample(grad, "zeros", (rows, columns))
        # An enlarged pixel has as many more shares in what is shown.
        return _fold(_fold(back, 2, rows), 3, columns).mul_(affine.scale**2), None


def _fold(images: Tensor, axis: int, margin: int) -> Tensor:
    """Add the margin of an axis to where it was reflected from, and cut it off."""
    length = images.shape[axis] - 2 * margin
    inside = images.narrow(axis, margin, length)
    if margin:
        inside.narrow(axis, 0, margin).add_(images.narrow(axis, 0, margin).flip(axis))
        end = images.narrow(axis, margin + length, margin)
        inside.narrow(axis, length - margin, margin).add_(end.flip(axis))
    return inside


@dataclass(frozen=True)
class Shrink:
    """Show a batch of images smaller, as if from further away.

    Attributes:
        size: (height, width) to show them at, in pixels.
    """

    size: Size

    def __call__(self, images: Tensor) -> Tensor:
        """Resize (n, 3, height, width) images to (n, 3, *size)."""
        shown = F.interpolate(
            images.to(_deterministic_device(images)), self.size, mode="bilinear", antialias=True
        )
        return shown.to(images.device)


@dataclass(frozen=True)
class Disturbance:
    """Change the colours of a batch of images, and add noise.

    With noise of its own in each view, gradients are smoother (Kaur, Cohen and Lipton, "Are
    Perceptually-Aligned Gradients a General Property of Robust Classifiers?", 2019).

    Attributes:
        gains: factors of red, green and blue.
        offsets: what is then added to each of them.
        noise: standard deviation of Gaussian noise.
        seed: of the noise.
    """

    gains: Sequence[float]
    offsets: Sequence[float]
    noise: float
    seed: int

    def __call__(self, images: Tensor) -> Tensor:
        """Change (n, 3, height, width) images; all of them get the same noise."""
        # Plain numbers travel with the commands to a GPU: a tensor would have to be waited for.
        tinted = []
        for colour, gain, offset in zip(images.unbind(1), self.gains, self.offsets, strict=True):
            tinted.append(gain * colour + offset)
        generator = Generator(images.device).manual_seed(self.seed)
        # Not for each image, or a picture would depend on how its tiles are split into batches.
        noise = torch.randn(images.shape[1:], generator=generator, device=images.device)
        return torch.stack(tinted, 1) + self.noise * noise


def _deterministic_device(images: Tensor) -> torch.device:
    """Where gradients of a resampling are deterministic: CUDA adds them up in any order."""
    if images.is_cuda and torch.are_deterministic_algorithms_enabled():
        return torch.device("cpu")
    return images.device


def draw_affines(
    generator: Generator,
    count: int,
    *,
    max_angle: float,
    scale: tuple[float, float],
    shift: float,
) -> list[Affine]:
    """Draw random affine transforms, each from its own part of the range of scales.

    Args:
        generator: of the random numbers.
        count: how many.
        max_angle: the largest angle to either side, in radians.
        scale: the smallest and the largest scale.
        shift: the largest shift, as a fraction of the side.
    """
    low, high = scale
    affines = []
    for number in range(count):
        first = low + (high - low) * number / count
        last = low + (high - low) * (number + 1) / count
        angle, size, dy, dx = torch.rand(4, generator=generator).tolist()
        affines.append(
            Affine(
                angle=max_angle * (2 * angle - 1),
                scale=first + (last - first) * size,
                shift=(shift * (2 * dy - 1), shift * (2 * dx - 1)),
            )
        )
    return affines


def draw_disturbance(generator: Generator, tint: float, noise: float) -> Disturbance:
    """Draw a random change of colours and a seed of noise.

    Args:
        generator: of the random numbers.
        tint: the largest change of each colour: its factor is 1 plus or minus this, and half of
            this is added or subtracted.
        noise: standard deviation of Gaussian noise, where pixels are 0..1.
    """
    gains, offsets = 2 * torch.rand(2, 3, generator=generator) - 1
    return Disturbance(
        gains=(1 + tint * gains).tolist(),
        offsets=(tint / 2 * offsets).tolist(),
        noise=noise,
        seed=int(torch.randint(2**31, (), generator=generator)),
    )


def draw_shrink(
    generator: Generator, shown: Size, smallest: Size, downscale_prob: float = 0
) -> Shrink | None:
    """Draw a size to show images at, from ``smallest`` to their own.

    A net recognises whole things at the size it was trained at, and their parts from nearby.

    Args:
        generator: of the random numbers.
        shown: (height, width) of the images, in pixels.
        smallest: (height, width) that the net was trained at, in pixels.
        downscale_prob: probability of the smallest size, 0..1.

    Returns:
        None where images are no larger than ``smallest``.
    """
    least = min(1.0, max(smallest[0] / shown[0], smallest[1] / shown[1]))
    if least == 1:
        return None
    if downscale_prob and float(torch.rand((), generator=generator)) < downscale_prob:
        share = least
    else:
        share = least + (1 - least) * float(torch.rand((), generator=generator))
    return Shrink((round(shown[0] * share), round(shown[1] * share)))
