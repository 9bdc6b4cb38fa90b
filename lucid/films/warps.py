"""The built-in warps, most of them from the "diving deeper" article on Darknet's nightmares.

Each function takes the picture, (3, height, width), RGB, 0..1, the number of the frame that the
warped picture is for, and the film's random generator. The parameters after those three are the
numbers that a user types. Beyond its border a picture is mirrored.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.errors import UsageError
from lucid.films.warp import Profile, warp
from lucid.imaging.filters import gaussian_blur, luma


@warp
def zoom(image: Tensor, frame: int, generator: Generator, fraction: float) -> Tensor:
    """Zoom into the middle by a fraction of the picture's size, above -1; below 0 out of it."""
    return _affine(image, _scale(fraction) * torch.eye(2))


@warp
def stretch(
    image: Tensor, frame: int, generator: Generator, width: float, height: float = 0
) -> Tensor:
    """Stretch the picture by fractions of its width and its height, above -1 each."""
    return _affine(image, torch.diag(torch.tensor([_scale(width), _scale(height)])))


@warp
def rotate(image: Tensor, frame: int, generator: Generator, degrees: float) -> Tensor:
    """Rotate the picture about its middle, clockwise."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _affine(image, torch.tensor([[cosine, -sine], [sine, cosine]]))


@warp
def affine(image: Tensor, frame: int, generator: Generator, *numbers: float) -> Tensor:
    """Apply a matrix about the middle: its diagonal, 2x2, or 2x3 with a shift in pixels."""
    if len(numbers) == 2:
        numbers = (numbers[0], 0, 0, numbers[1])
    if len(numbers) not in (4, 6):
        raise UsageError("affine takes 2, 4 or 6 numbers")
    rows = torch.tensor(numbers).view(2, -1)
    if abs(float(torch.linalg.det(rows[:, :2]))) < 1e-6:
        raise UsageError("this matrix leaves nothing of a picture: its determinant is 0")
    shift = rows[:, 2].tolist() if len(numbers) == 6 else (0, 0)
    return _affine(image, rows[:, :2], *shift)


@warp
def translate(image: Tensor, frame: int, generator: Generator, dx: float, dy: float = 0) -> Tensor:
    """Move the picture to the right and down, in pixels."""
    return _affine(image, torch.eye(2), dx, dy)


@warp
def swirl(
    image: Tensor, frame: int, generator: Generator, degrees: float, radius: float = 0.5
) -> Tensor:
    """Rotate the middle; at RADIUS, a fraction of the shorter side, a third as far."""
    x, y = _coordinates(image)
    pixels = _above_zero(radius, "radius") * min(image.shape[1:])
    angle = math.radians(degrees) * torch.exp(-((x**2 + y**2) / pixels**2))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return _sample(image, cosine * x + sine * y, cosine * y - sine * x)


@warp
def ripple(
    image: Tensor,
    frame: int,
    generator: Generator,
    amplitude: float,
    wavelength: float,
    phase: float = 0,
) -> Tensor:
    """Move pixels along rings of waves, in pixels; a phase of t/10 lets the waves run outwards."""
    x, y = _coordinates(image)
    radius = torch.hypot(x, y).clamp(min=1e-3)
    wave = torch.sin(2 * math.pi * (radius / _above_zero(wavelength, "wavelength") - phase))
    scale = 1 + amplitude * wave / radius
    return _sample(image, x * scale, y * scale)


@warp
def kaleidoscope(image: Tensor, frame: int, generator: Generator, sectors: float) -> Tensor:
    """Repeat half a sector and its mirror image about the middle, in 1 to 1000 sectors."""
    if not 1 <= sectors <= 1000:
        raise UsageError(f"{sectors:g} sectors: give 1 to 1000")
    x, y = _coordinates(image)
    half = math.pi / int(sectors)
    angle = torch.atan2(y, x).remainder(2 * half)
    angle = torch.minimum(angle, 2 * half - angle)
    radius = torch.hypot(x, y)
    return _sample(image, radius * torch.cos(angle), radius * torch.sin(angle))


@warp
def grid(
    image: Tensor,
    frame: int,
    generator: Generator,
    columns: float,
    rows: float,
    degrees: float,
    fraction: float = 0,
) -> Tensor:
    """Rotate and zoom each cell of a grid about its own middle, at random up to these limits."""
    if not abs(fraction) < 1:
        raise UsageError(f"a zoom by {fraction:g} leaves nothing: give less than 1")
    counts = int(columns), int(rows)
    if not all(1 <= count <= 1000 for count in counts):
        raise UsageError("a grid has 1 to 1000 columns and rows")
    height, width = image.shape[1:]
    x, y = _coordinates(image)
    column, row = (
        ((position / length + 0.5) * count).long().clamp(0, count - 1)
        for position, length, count in zip((x, y), (width, height), counts, strict=True)
    )
    # The same seed at every frame, so that each cell keeps its direction.
    random = 2 * torch.rand(2, counts[1], counts[0], generator=Generator().manual_seed(0)) - 1
    rotation, zooming = (each.to(image.device)[row, column] for each in random)
    angle, scale = rotation * math.radians(degrees), 1 + fraction * zooming
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    middle_x = ((column + 0.5) / counts[0] - 0.5) * width
    middle_y = ((row + 0.5) / counts[1] - 0.5) * height
    x, y = x - middle_x, y - middle_y
    return _sample(image, cosine * x + sine * y + middle_x, cosine * y - sine * x + middle_y)


def _coordinates(image: Tensor) -> tuple[Tensor, Tensor]:
    """Each pixel's x, (width,), and y, (height, 1), from the picture's middle."""
    height, width = image.shape[1:]
    x = torch.arange(width, device=image.device) - (width - 1) / 2
    y = torch.arange(height, device=image.device)[:, None] - (height - 1) / 2
    return x, y


def _sample(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The picture that shows at each pixel what lies at (x, y), measured from the middle."""
    height, width = image.shape[1:]
    grid = torch.empty(1, height, width, 2, device=image.device)
    grid[0, ..., 0] = x * (2 / width)
    grid[0, ..., 1] = y * (2 / height)
    return F.grid_sample(image[None], grid, padding_mode="reflection", align_corners=False)[0]


def _affine(image: Tensor, matrix: Tensor, dx: float = 0, dy: float = 0) -> Tensor:
    """The picture after a 2x2 matrix about its middle and a shift in pixels."""
    x, y = _coordinates(image)
    x, y = x - dx, y - dy
    (a, b), (c, d) = np.linalg.inv(matrix.numpy())
    return _sample(image, a * x + b * y, c * x + d * y)


def _scale(fraction: float) -> float:
    if fraction <= -1:
        raise UsageError(f"a zoom by {fraction:g} leaves nothing: give more than -1")
    return 1 + fraction


def _above_zero(value: float, name: str) -> float:
    if not 0 < value < 1000:
        raise UsageError(f"{name} {value:g} must be above 0, and below 1000")
    return value


@warp
def roll(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Move each column n down by whole pixels; what leaves at the bottom enters at the top."""
    return _roll_columns(image, pixels(image.shape[2]))


@warp
def roll_rows(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Move each row n to the right by whole pixels; what leaves at the right enters at the left."""
    return _roll_columns(image.mT, pixels(image.shape[1])).mT


@warp
def random_roll(
    image: Tensor, frame: int, generator: Generator, low: Profile, high: Profile, group: float = 1
) -> Tensor:
    """Move columns down by LOW to HIGH pixels at random; GROUP neighbours move together."""
    width = image.shape[2]
    together = int(min(max(1, group), width))
    chances = torch.rand(math.ceil(width / together), generator=generator)
    chances = chances.repeat_interleave(together)[:width].to(image.device)
    least, most = low(width), high(width)
    # All whole numbers from `least` to `most` are equally likely.
    return _roll_columns(image, (least + chances * (most - least + 1) - 0.5).clamp(max=most))


@warp
def random_roll_rows(
    image: Tensor, frame: int, generator: Generator, low: Profile, high: Profile, group: float = 1
) -> Tensor:
    """Move rows to the right by LOW to HIGH pixels at random; GROUP neighbours move together."""
    return random_roll(image.mT, frame, generator, low, high, group).mT


@warp
def alternate(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Roll columns down before even frames, and rows to the right before odd ones."""
    return (roll_rows if frame % 2 else roll)(image, frame, generator, pixels)


def _roll_columns(image: Tensor, pixels: Tensor) -> Tensor:
    height = image.shape[1]
    rows = torch.arange(height, device=image.device)[:, None] - pixels.round().long()
    return image.gather(1, rows.remainder(height).expand(3, -1, -1))


@warp
def pixel_sort(
    image: Tensor, frame: int, generator: Generator, low: float = 0.25, high: float = 0.8
) -> Tensor:
    """Sort by brightness each run of pixels in a row whose brightness is from LOW to HIGH, 0..1.

    After Kim Asendorf's pixel sorting (2010).
    """
    brightness = luma(image)[0]
    inside = (brightness >= low) & (brightness <= high)
    joined = inside & inside.roll(1, 1)
    joined[:, 0] = False
    runs = (~joined).cumsum(1)
    order = (runs + 0.999 * brightness.clamp(0, 1)).argsort(dim=1, stable=True)
    return image.gather(2, order.expand(3, -1, -1))


@warp
def sobel(image: Tensor, frame: int, generator: Generator, amount: float = 1) -> Tensor:
    """Blend with the picture's edges, by Sobel and Feldman's kernel; amount 1 shows them alone."""
    return image + amount * (_edges(image, 2.0) - image)


@warp
def prewitt(image: Tensor, frame: int, generator: Generator, amount: float = 1) -> Tensor:
    """Blend with the picture's edges, by Prewitt's kernel; amount 1 shows them alone."""
    return image + amount * (_edges(image, 1.0) - image)


def _edges(image: Tensor, middle: float) -> Tensor:
    """The gradient's magnitude by the kernel (1, middle, 1) x (-1, 0, 1), scaled to 0..1."""
    padded = F.pad(image, (1, 1, 1, 1), "replicate")
    # Sums of shifted pictures take a tenth of a convolution's time.
    columns = padded[:, :-2] + middle * padded[:, 1:-1] + padded[:, 2:]
    rows = padded[:, :, :-2] + middle * padded[:, :, 1:-1] + padded[:, :, 2:]
    dx = columns[:, :, 2:] - columns[:, :, :-2]
    dy = rows[:, 2:] - rows[:, :-2]
    return torch.hypot(dx, dy) / (2 + middle)


@warp
def laplace(image: Tensor, frame: int, generator: Generator, amount: float = 1) -> Tensor:
    """Blend with the picture's Laplacian on mid grey; amount 1 shows that alone."""
    padded = F.pad(image, (1, 1, 1, 1), "replicate")
    beside = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] + padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
    return image + amount * (0.5 + 4 * image - beside - image)


@warp
def blur(image: Tensor, frame: int, generator: Generator, sigma: float) -> Tensor:
    """Blur the picture with a Gaussian; its standard deviation is in pixels."""
    return gaussian_blur(image, _above_zero(sigma, "sigma"))


@warp
def unsharp(
    image: Tensor, frame: int, generator: Generator, sigma: float, amount: float = 1
) -> Tensor:
    """Sharpen the picture: add what a Gaussian blur, SIGMA in pixels, takes away."""
    return image + amount * (image - gaussian_blur(image, _above_zero(sigma, "sigma")))


@warp
def hue(image: Tensor, frame: int, generator: Generator, degrees: float) -> Tensor:
    """Rotate all colours about the line of greys: 120 turns red into green."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    third, root = (1 - cosine) / 3, sine / math.sqrt(3)
    one, two, three = cosine + third, third - root, third + root
    return colors(image, frame, generator, one, two, three, three, one, two, two, three, one)


@warp
def colors(image: Tensor, frame: int, generator: Generator, *numbers: float) -> Tensor:
    """Apply a 3x3 matrix, row by row, to red, green and blue."""
    if len(numbers) != 9:
        raise UsageError("colors takes 9 numbers")
    matrix = image.new_tensor(numbers).view(3, 3)
    return (matrix @ image.flatten(1)).view_as(image)


@warp
def palette(image: Tensor, frame: int, generator: Generator, shift: float) -> Tensor:
    """Shift all values, of 0..1; those that reach white fall again, and those at black rise."""
    return 1 - ((image + shift).remainder(2) - 1).abs()


@warp
def posterize(image: Tensor, frame: int, generator: Generator, levels: float) -> Tensor:
    """Reduce each colour to that many levels, 2 to 256."""
    if not 2 <= levels <= 256:
        raise UsageError(f"{levels:g} levels: give 2 to 256")
    steps = int(levels) - 1
    return (image * steps).round() / steps
