"""What happens to a film's picture between two dreams.

Each warp is a small function of the picture, (3, height, width), 0..1, the number of the
frame to come, a random generator, and what is written behind its name: ``zoom:0.05`` or
``roll:15*sin(n/20)``. A number may be arithmetic in ``t``, the frame's; a ``Profile`` in
``n`` as well, the column's or row's.

To add one, decorate such a function with ``warp``; ``lucid film --warps FILE`` reads
yours. Many of these are of the "diving deeper" article on Darknet's dreams.
"""

from __future__ import annotations

import inspect
import math
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.errors import LucidError, UsageError, nearest
from lucid.films.expressions import Expression
from lucid.imaging.filters import gaussian_blur, luma

Profile = Callable[[int], Tensor]
"""From a count of columns or rows to a number for each of them."""

WARPS: dict[str, Callable[..., Tensor]] = {}
"""All warps by name."""


def warp(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a function a warp, by its own name with dashes.

    Its first three parameters are the picture, the frame's number and the generator; more
    are annotated ``float``, or ``Profile``. It returns a picture of the same size; what
    leaves 0..1 is clipped.
    """
    WARPS[function.__name__.replace("_", "-")] = function
    return function


@dataclass(frozen=True)
class Warp:
    """A warp with all that it takes.

    Attributes:
        name: among ``WARPS``.
        arguments: arithmetic in ``t``, and of profiles in ``n``.
    """

    name: str
    arguments: tuple[Expression, ...]

    def __call__(self, image: Tensor, frame: int, generator: Generator) -> Tensor:
        """The picture, (3, height, width), warped on its way to a frame."""
        values: list[Any] = []
        kinds = _kinds(WARPS[self.name])
        for number, expression in enumerate(self.arguments):
            if _is_profile(kinds, number):
                values.append(_profile(expression, frame, image.device))
            else:
                values.append(float(expression(t=frame)))
        return WARPS[self.name](image, frame, generator, *values).clamp(0, 1)


def _profile(expression: Expression, frame: int, device: torch.device) -> Profile:
    def numbers(count: int) -> Tensor:
        value = expression(n=np.arange(count, dtype=np.float64), t=frame)
        return torch.from_numpy(np.broadcast_to(value, count).astype(np.float32)).to(device)

    return numbers


def parse(text: str) -> Warp:
    """A warp as it is typed: ``NAME`` or ``NAME:ARGUMENT,ARGUMENT``.

    Raises:
        UsageError: there is no such warp, or it does not take that.
    """
    name, _, rest = text.partition(":")
    if name not in WARPS:
        raise UsageError(f"there is no warp {name!r}{nearest(name, sorted(WARPS))}")
    kinds = _kinds(WARPS[name])
    given = _split(rest) if rest.strip() else []
    least = sum(
        kind.default is kind.empty and kind.kind is not kind.VAR_POSITIONAL for kind in kinds
    )
    most = math.inf if any(kind.kind is kind.VAR_POSITIONAL for kind in kinds) else len(kinds)
    if not least <= len(given) <= most:
        raise UsageError(f"warp {text!r}: write {usage(name)}")
    arguments = []
    for number, argument in enumerate(given):
        variables = frozenset("nt" if _is_profile(kinds, number) else "t")
        try:
            arguments.append(Expression(argument, variables))
        except UsageError as error:
            raise UsageError(f"warp {text!r}: {error}") from error
    made = Warp(name, tuple(arguments))
    try:  # what is wrong with its numbers is said now
        tried = made(torch.zeros(3, 16, 16), 1, Generator())
    except UsageError as error:
        raise UsageError(f"warp {text!r}: {error}") from error
    except Exception as error:  # a user's own may do anything
        raise UsageError(f"warp {text!r}: {type(error).__name__}: {error}") from error
    if tried.shape != (3, 16, 16):
        raise UsageError(f"warp {text!r} does not keep a picture's size")
    return made


def usage(name: str) -> str:
    """How a warp is written: ``zoom:SHARE``."""
    words = []
    for kind in _kinds(WARPS[name]):
        word = kind.name.upper()
        if kind.kind is kind.VAR_POSITIONAL:
            word = f"{word},…"
        words.append(word if kind.default is kind.empty else f"[{word}]")
    return f"{name}:{','.join(words)}" if words else name


def load(path: Path) -> None:
    """Run a Python file of the user's own, whose warps then have names too.

    Raises:
        LucidError: it cannot be run.
    """
    try:
        runpy.run_path(str(path))
    except Exception as error:
        raise LucidError(f"{path}: {type(error).__name__}: {error}") from error


def _kinds(function: Callable[..., Tensor]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())[3:]


def _is_profile(kinds: list[inspect.Parameter], number: int) -> bool:
    """Whether the argument with that number is one; the last parameter may take several."""
    # Annotations are text in files that put them off.
    return kinds[min(number, len(kinds) - 1)].annotation in (Profile, "Profile")


def _split(text: str) -> list[str]:
    """At the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _places(image: Tensor) -> tuple[Tensor, Tensor]:
    """Of every pixel, how far right of the middle and how far below it lies."""
    height, width = image.shape[1:]
    across = torch.arange(width, device=image.device) - (width - 1) / 2
    down = torch.arange(height, device=image.device)[:, None] - (height - 1) / 2
    return across, down


def _sample(image: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """A picture that shows at each pixel what lies there, seen from the middle; past the
    edges it is mirrored."""
    height, width = image.shape[1:]
    grid = torch.empty(1, height, width, 2, device=image.device)
    grid[0, ..., 0] = across * (2 / width)
    grid[0, ..., 1] = down * (2 / height)
    return F.grid_sample(image[None], grid, padding_mode="reflection", align_corners=False)[0]


def _linear(image: Tensor, matrix: Tensor, across: float = 0, down: float = 0) -> Tensor:
    """What a 2x2 matrix about the middle, then a shift in pixels, make of a picture."""
    x, y = _places(image)
    back = np.linalg.inv(matrix.numpy())
    x, y = x - across, y - down
    return _sample(image, back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y)


def _factor(share: float) -> float:
    if share <= -1:
        raise UsageError(f"{share:g} leaves nothing: give more than -1")
    return 1 + share


@warp
def zoom(image: Tensor, frame: int, generator: Generator, share: float) -> Tensor:
    """Into the picture by a share of its size; out of it if below 0."""
    return _linear(image, _factor(share) * torch.eye(2))


@warp
def stretch(
    image: Tensor, frame: int, generator: Generator, across: float, down: float = 0
) -> Tensor:
    """By a share of its width and of its height."""
    return _linear(image, torch.diag(torch.tensor([_factor(across), _factor(down)])))


@warp
def rotate(image: Tensor, frame: int, generator: Generator, degrees: float) -> Tensor:
    """About the middle, clockwise."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return _linear(image, torch.tensor([[cosine, -sine], [sine, cosine]]))


@warp
def affine(image: Tensor, frame: int, generator: Generator, *numbers: float) -> Tensor:
    """A matrix about the middle: its diagonal, its two rows of two, or of three with a shift
    in pixels."""
    if len(numbers) == 2:
        numbers = (numbers[0], 0, 0, numbers[1])
    if len(numbers) not in (4, 6):
        raise UsageError("affine takes 2, 4 or 6 numbers")
    rows = torch.tensor(numbers).view(2, -1)
    if abs(float(torch.linalg.det(rows[:, :2]))) < 1e-6:
        raise UsageError("that matrix leaves nothing of a picture")
    shift = rows[:, 2].tolist() if len(numbers) == 6 else (0, 0)
    return _linear(image, rows[:, :2], *shift)


@warp
def glide(
    image: Tensor, frame: int, generator: Generator, across: float, down: float = 0
) -> Tensor:
    """To the right and down, in pixels."""
    return _linear(image, torch.eye(2), across, down)


@warp
def roll(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Each column n downward; what leaves at the bottom comes in at the top."""
    return _rolled(image, pixels(image.shape[2]))


@warp
def roll_rows(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Each row n to the right."""
    return _rolled(image.mT, pixels(image.shape[1])).mT


@warp
def random_roll(
    image: Tensor,
    frame: int,
    generator: Generator,
    low: Profile,
    high: Profile,
    group: float = 1,
) -> Tensor:
    """Each column n downward by at least ``low`` and at most ``high`` pixels, at random;
    ``group`` neighbours go together."""
    width = image.shape[2]
    together = int(min(max(1, group), width))
    chances = torch.rand(math.ceil(width / together), generator=generator)
    chances = chances.repeat_interleave(together)[:width].to(image.device)
    least, most = low(width), high(width)
    # Every whole number between is as likely as any other.
    return _rolled(image, (least + chances * (most - least + 1) - 0.5).clamp(max=most))


@warp
def random_roll_rows(
    image: Tensor,
    frame: int,
    generator: Generator,
    low: Profile,
    high: Profile,
    group: float = 1,
) -> Tensor:
    """Each row n to the right, likewise."""
    return random_roll(image.mT, frame, generator, low, high, group).mT


@warp
def alternate(image: Tensor, frame: int, generator: Generator, pixels: Profile) -> Tensor:
    """Columns downward before one frame, rows to the right before the next."""
    return (roll_rows if frame % 2 else roll)(image, frame, generator, pixels)


def _rolled(image: Tensor, pixels: Tensor) -> Tensor:
    """Columns moved downward by whole pixels, each by its own number."""
    height = image.shape[1]
    rows = torch.arange(height, device=image.device)[:, None] - pixels.round().long()
    return image.gather(1, rows.remainder(height).expand(3, -1, -1))


@warp
def sobel(image: Tensor, frame: int, generator: Generator, share: float = 1) -> Tensor:
    """Its edges, by the kernel of Sobel and Feldman; a share of them, over the picture."""
    return image + share * (_edges(image, 2.0) - image)


@warp
def prewitt(image: Tensor, frame: int, generator: Generator, share: float = 1) -> Tensor:
    """Its edges, by Prewitt's kernel."""
    return image + share * (_edges(image, 1.0) - image)


def _edges(image: Tensor, middle: float) -> Tensor:
    around = _bordered(image)
    # Sums of shifted pictures take a tenth of a convolution's time.
    along = around[:, :-2] + middle * around[:, 1:-1] + around[:, 2:]
    beside = around[:, :, :-2] + middle * around[:, :, 1:-1] + around[:, :, 2:]
    across = along[:, :, 2:] - along[:, :, :-2]
    down = beside[:, 2:] - beside[:, :-2]
    # An edge from black to white counts as white.
    return torch.hypot(across, down) / (2 + middle)


@warp
def laplace(image: Tensor, frame: int, generator: Generator, share: float = 1) -> Tensor:
    """Where it is unlike its surroundings, on mid grey."""
    around = _bordered(image)
    beside = around[:, 1:-1, :-2] + around[:, 1:-1, 2:] + around[:, :-2, 1:-1] + around[:, 2:, 1:-1]
    return image + share * (0.5 + 4 * image - beside - image)


def _bordered(image: Tensor) -> Tensor:
    """With its outermost pixels once more around it."""
    return F.pad(image, (1, 1, 1, 1), "replicate")


@warp
def blur(image: Tensor, frame: int, generator: Generator, sigma: float) -> Tensor:
    """With a Gaussian of so many pixels."""
    return gaussian_blur(image, _positive(sigma, "sigma"))


@warp
def unsharp(
    image: Tensor, frame: int, generator: Generator, sigma: float, amount: float = 1
) -> Tensor:
    """Sharper: what a Gaussian takes away is added."""
    return image + amount * (image - gaussian_blur(image, _positive(sigma, "sigma")))


def _positive(value: float, name: str) -> float:
    if not 0 < value < 1000:
        raise UsageError(f"{name} {value:g} must be above 0, and below 1000")
    return value


@warp
def hue(image: Tensor, frame: int, generator: Generator, degrees: float) -> Tensor:
    """All colours turned about the line of greys."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    third, root = (1 - cosine) / 3, sine / math.sqrt(3)
    one, two, three = cosine + third, third - root, third + root
    return colors(image, frame, generator, one, two, three, three, one, two, two, three, one)


@warp
def colors(image: Tensor, frame: int, generator: Generator, *numbers: float) -> Tensor:
    """A matrix on red, green and blue: its three rows."""
    if len(numbers) != 9:
        raise UsageError("colors takes 9 numbers")
    matrix = image.new_tensor(numbers).view(3, 3)
    return (matrix @ image.flatten(1)).view_as(image)


@warp
def palette(image: Tensor, frame: int, generator: Generator, share: float) -> Tensor:
    """Every value moves up by a share of the way to white, and where that is reached down
    again, and so on."""
    return 1 - ((image + share).remainder(2) - 1).abs()


@warp
def posterize(image: Tensor, frame: int, generator: Generator, levels: float) -> Tensor:
    """So many levels of each colour."""
    if not 2 <= levels <= 256:
        raise UsageError(f"{levels:g} levels: give 2 to 256")
    steps = int(levels) - 1
    return (image * steps).round() / steps


@warp
def sort(
    image: Tensor, frame: int, generator: Generator, low: float = 0.25, high: float = 0.8
) -> Tensor:
    """Runs of pixels in a row that are no darker than ``low`` and no brighter than ``high``
    are sorted by brightness (Kim Asendorf's pixel sorting, 2010)."""
    bright = luma(image)[0]
    inside = (bright >= low) & (bright <= high)
    joined = inside & inside.roll(1, 1)
    joined[:, 0] = False
    runs = (~joined).cumsum(1)
    order = (runs + 0.999 * bright.clamp(0, 1)).argsort(dim=1, stable=True)
    return image.gather(2, order.expand(3, -1, -1))


@warp
def grid(
    image: Tensor,
    frame: int,
    generator: Generator,
    columns: float,
    rows: float,
    degrees: float,
    share: float = 0,
) -> Tensor:
    """Each field of a grid turns and zooms about its own middle, by up to so much."""
    if not abs(share) < 1:
        raise UsageError(f"{share:g} leaves nothing: give less than 1")
    counts = int(columns), int(rows)
    if not all(1 <= count <= 1000 for count in counts):
        raise UsageError("a grid has 1 to 1000 columns and rows")
    height, width = image.shape[1:]
    x, y = _places(image)
    column, row = (
        ((place / length + 0.5) * count).long().clamp(0, count - 1)
        for place, length, count in zip((x, y), (width, height), counts, strict=True)
    )
    # The same at every frame, so that each field goes on with what it does.
    drawn = 2 * torch.rand(2, counts[1], counts[0], generator=Generator().manual_seed(0)) - 1
    turn, scale = (each.to(image.device)[row, column] for each in drawn)
    angle = turn * math.radians(degrees)
    larger = 1 + share * scale
    cosine, sine = torch.cos(angle) / larger, torch.sin(angle) / larger
    middle_x = ((column + 0.5) / counts[0] - 0.5) * width
    middle_y = ((row + 0.5) / counts[1] - 0.5) * height
    x, y = x - middle_x, y - middle_y
    return _sample(image, cosine * x + sine * y + middle_x, cosine * y - sine * x + middle_y)


@warp
def kaleidoscope(image: Tensor, frame: int, generator: Generator, sectors: float) -> Tensor:
    """So many sectors about the middle, each of them its own mirror image."""
    if not 1 <= sectors <= 1000:
        raise UsageError(f"{sectors:g} sectors: give 1 to 1000")
    x, y = _places(image)
    wide = math.pi / int(sectors)
    angle = torch.atan2(y, x).remainder(2 * wide)
    angle = torch.minimum(angle, 2 * wide - angle)
    radius = torch.hypot(x, y)
    return _sample(image, radius * torch.cos(angle), radius * torch.sin(angle))


@warp
def swirl(
    image: Tensor, frame: int, generator: Generator, degrees: float, radius: float = 0.5
) -> Tensor:
    """A whirl that turns the middle by so much, and less with the distance: ``radius``, as a
    share of the shorter side, is where a third is left."""
    x, y = _places(image)
    reach = _positive(radius, "radius") * min(image.shape[1:])
    angle = math.radians(degrees) * torch.exp(-((x**2 + y**2) / reach**2))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return _sample(image, cosine * x + sine * y, cosine * y - sine * x)


@warp
def ripple(
    image: Tensor,
    frame: int,
    generator: Generator,
    pixels: float,
    length: float,
    phase: float = 0,
) -> Tensor:
    """Rings that run out from the middle: how far they move it, their length in pixels, and
    how many have run out already (``t/10`` lets them run)."""
    x, y = _places(image)
    radius = torch.hypot(x, y).clamp(min=1e-3)
    wave = torch.sin(2 * math.pi * (radius / _positive(length, "length") - phase))
    further = 1 + pixels * wave / radius
    return _sample(image, x * further, y * further)
