"""Photographs for the training programs: read them into memory, and augment batches."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from lucid.nets.net import read_names

SIDE = 64
"""Height and width of the photographs in memory, in pixels."""


@dataclass
class Photographs:
    """Photographs with their classes.

    Attributes:
        images: (n, 3, SIDE, SIDE), RGB, bytes.
        labels: (n,), class numbers.
        names: the classes' names.
    """

    images: Tensor
    labels: Tensor
    names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def to(self, device: torch.device) -> Photographs:
        """Copy the photographs to a device."""
        return Photographs(self.images.to(device), self.labels.to(device), self.names)

    def subset(self, chosen: Tensor) -> Photographs:
        """Select photographs by a mask or by indices."""
        return Photographs(self.images[chosen], self.labels[chosen], self.names)

    def batches(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over batches.

        Args:
            order: indices of the photographs.
            size: photographs in a batch; the last batch may have fewer.

        Yields:
            Images, (n, 3, SIDE, SIDE), 0..1, and labels, (n,).
        """
        for chosen in order.to(self.device).split(size):
            yield self.images[chosen].float() / 255, self.labels[chosen]


def read_photographs(folder: Path) -> tuple[Photographs, Photographs]:
    """Read a folder in one of the three layouts that train_lucid64.py describes.

    Args:
        folder: the folder.

    Returns:
        The photographs for training and those for validation.

    Raises:
        click.ClickException: a file cannot be read, or the folder has none of the layouts.
    """
    packed = sorted(folder.glob("*_train.npz"))
    if packed:
        stem = packed[0].name.removesuffix("_train.npz")
        names = read_names(folder / f"{stem}_names.txt")
        return _read_packed(packed[0], names), _read_packed(folder / f"{stem}_val.npz", names)
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        train, val = (_read_classes(folder / split) for split in ("train", "val"))
        if train.names != val.names:
            raise click.ClickException(f"{folder}: train/ and val/ hold different classes")
        return train, val
    photographs = _read_classes(folder)
    held_back = torch.arange(len(photographs)) % 10 == 0
    return photographs.subset(~held_back), photographs.subset(held_back)


def _read_packed(path: Path, names: list[str]) -> Photographs:
    with np.load(path) as packed:
        jpeg, offset, label = packed["jpeg"], packed["offset"], packed["label"]
    images = _read_images(_unpack(jpeg, offset), path.name)
    return Photographs(images, torch.from_numpy(label).long(), names)


def read_unlabelled(path: Path, side: int) -> Tensor:
    """Read photographs without classes.

    Args:
        path: a folder of pictures, searched with its subfolders; or an npz file with the arrays
            `jpeg` (the bytes of all JPEG files) and `offset` (where each file starts).
        side: height and width to fit them to, in pixels; or those of the first, if it is smaller.

    Returns:
        (n, 3, side, side), RGB, bytes.

    Raises:
        click.ClickException: a file cannot be read, or there are no pictures.
    """
    files: Sequence[Path | io.BytesIO]
    if path.suffix == ".npz":
        with np.load(path) as packed:
            files = _unpack(packed["jpeg"], packed["offset"])
    else:
        files = _image_files(path.rglob("*"))
    if not files:
        raise click.ClickException(f"{path}: holds no pictures")
    return _read_images(files, path.name, min(side, *_read_image(files[0]).size))


def _unpack(jpeg: np.ndarray, offset: np.ndarray) -> list[io.BytesIO]:
    """Cut the bytes of all JPEG files into files."""
    return [io.BytesIO(jpeg[a:b].tobytes()) for a, b in itertools.pairwise(offset)]


def _image_files(paths: Iterable[Path]) -> list[Path]:
    """Select the files whose suffix is that of an image, in alphabetical order."""
    suffixes = Image.registered_extensions()
    return sorted(path for path in paths if path.suffix.lower() in suffixes)


def _read_classes(folder: Path) -> Photographs:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    files = [
        (path, label)
        for label, name in enumerate(names)
        for path in _image_files((folder / name).iterdir())
    ]
    if len(names) < 2 or len(files) < len(names):
        raise click.ClickException(f"{folder}: holds no folders of photographs, one per class")
    images = _read_images([path for path, _ in files], folder.name)
    return Photographs(images, torch.tensor([label for _, label in files]), names)


def _read_images(files: Sequence[Path | io.BytesIO], label: str, side: int = SIDE) -> Tensor:
    images = torch.empty(len(files), 3, side, side, dtype=torch.uint8)
    with click.progressbar(files, label=f"reading {label}") as bar:
        for image, file in zip(images, bar, strict=True):
            square = ImageOps.fit(_read_image(file), (side, side))
            image.copy_(torch.from_numpy(np.array(square)).movedim(-1, 0))
    return images


def _read_image(file: Path | io.BytesIO) -> Image.Image:
    """Read an upright RGB image."""
    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise click.ClickException(f"{file}: cannot be read ({error})") from error


def augment(
    images: Tensor, strength: float, generator: torch.Generator, side: int | None = None
) -> Tensor:
    """Crop, rotate, mirror and tint images at random.

    Args:
        images: (n, 3, height, width), RGB, 0..1.
        strength: 1 for full strength, 0 for mirroring only.
        generator: source of the random numbers.
        side: height and width of the result, in pixels; None for those of the images.

    Returns:
        Images in the same range.
    """

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        random = torch.rand(len(images), channels, 1, 1, generator=generator).to(images.device)
        return strength * (low + (high - low) * random)

    scale, angle = 1 + uniform(-0.35, 0.05), uniform(-0.15, 0.15)
    mirror = uniform(-1, 1).sign()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [
        torch.cat([cos * mirror, -sin, uniform(-0.2, 0.2)], 3),
        torch.cat([sin * mirror, cos, uniform(-0.2, 0.2)], 3),
    ]
    shape = [*images.shape[:2], *((side, side) if side else images.shape[2:])]
    grid = F.affine_grid(torch.cat(rows, 2)[:, 0], shape, align_corners=False)
    images = F.grid_sample(images, grid, "bicubic", padding_mode="reflection", align_corners=False)
    grey = images.mean(1, keepdim=True)
    images = grey + (1 + uniform(-0.5, 0.4)) * (images - grey)
    mean = images.mean((2, 3), keepdim=True)
    images = mean + (1 + uniform(-0.3, 0.3)) * (images - mean)
    tint = (1 + uniform(-0.25, 0.25)) * (1 + uniform(-0.1, 0.1, channels=3))
    return (images * tint).clamp(0, 1)
