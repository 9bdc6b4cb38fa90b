"""Train a small, robust classifier to dream with: lucid64, or a net of your own classes.

    python examples/train_lucid64.py PHOTOS --name lucid64

PHOTOS is a folder of photographs, one folder per class (classes/goldfish/1.jpg),
or one with such folders under train/ and val/; without a val/, every tenth
photograph is held back. A folder with NAME_train.npz, NAME_val.npz and
NAME_names.txt is read too: `jpeg` all files end to end, `offset` where each
starts, `label` its class.

An ordinary classifier's gradient is noise to the eye. One trained on pictures
that an adversary has nudged against it has to look at what people look at, so
that climbing its scores paints whole objects (Santurkar et al. 2019, "Image
Synthesis with a Single (Robust) Classifier"; Engstrom et al. 2019). Here the
adversary moves each picture by one step along its gradient, of a length between
0.5 and 1.1 (Euclidean, pixels from 0 to 1), anew at every batch (Goodfellow et al.
2015). What is kept is the running average of the weights, which also has a say in
what the net is taught.

Writes NAME.cfg, NAME.weights and NAME.names, a straight chain of layers for lucid
and for Darknet: `lucid draw --net NAME.cfg --class CLASS`. Every epoch is saved in
NAME.pt; started again, the training goes on from there to the same end. NAME.csv
holds the training curve.
"""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from lucid.core.device import find_device, find_precision
from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet import weights
from lucid.nets.names import read_names

SIDE = 64
"""Pixels, of the square pictures that the net learns from."""

CHAIN = """
    conv 48 size 6 stride 2
    conv 64 size 3
    pool
    conv 128 size 3
    conv 128 size 3
    pool
    conv 256 size 3
    conv 256 size 3
    conv 256 size 3
    pool
    conv 512 size 3
    conv 256 size 1
    conv 512 size 3
"""
"""The layers, before the last convolution, to the classes, and its average."""

SLOPE = 0.1  # of the leaky ReLU, as in Darknet
RADII = (0.5, 1.1)
PEAK_RATE = 0.15
SMOOTHING = 0.1
AVERAGING = 0.999
TRUST = 0.5
"""How much, at most, the net learns from its own running average beside the labels."""
CALM = (0.94, 0.4)
"""From this share of the training on, photographs are varied only so much, so that what
the net sees last is what it will be shown (Touvron et al. 2019)."""


# --- The photographs ---------------------------------------------------------------------


@dataclass
class Photographs:
    """Photographs (n, 3, SIDE, SIDE) as bytes, their labels (n,), and the classes' names."""

    pictures: Tensor
    labels: Tensor
    names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def to(self, device: torch.device) -> Photographs:
        return Photographs(self.pictures.to(device), self.labels.to(device), self.names)

    def part(self, chosen: Tensor) -> Photographs:
        return Photographs(self.pictures[chosen], self.labels[chosen], self.names)

    def batches(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures (n, 3, SIDE, SIDE) of 0..1, and labels, `size` at a time."""
        for chosen in order.to(self.device).split(size):
            yield self.pictures[chosen].float() / 255, self.labels[chosen]


def read_photographs(folder: Path) -> tuple[Photographs, Photographs]:
    """What to train on, and what to measure on."""
    packed = sorted(folder.glob("*_train.npz"))
    if packed:
        stem = packed[0].name.removesuffix("_train.npz")
        names = read_names(folder / f"{stem}_names.txt")
        return _unpack(packed[0], names), _unpack(folder / f"{stem}_val.npz", names)
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        train, val = (_read_classes(folder / half) for half in ("train", "val"))
        if train.names != val.names:
            raise click.ClickException(f"{folder}: train/ and val/ hold different classes")
        return train, val
    photographs = _read_classes(folder)
    held = torch.arange(len(photographs)) % 10 == 0
    return photographs.part(~held), photographs.part(held)


def _unpack(path: Path, names: list[str]) -> Photographs:
    with np.load(path) as packed:
        jpeg, offset, label = packed["jpeg"], packed["offset"], packed["label"]
    files = (io.BytesIO(jpeg[a:b].tobytes()) for a, b in itertools.pairwise(offset))
    return Photographs(_stack(files, len(label), path.name), torch.from_numpy(label).long(), names)


def _read_classes(folder: Path) -> Photographs:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    suffixes = Image.registered_extensions()
    files = [
        (path, label)
        for label, name in enumerate(names)
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in suffixes
    ]
    if len(names) < 2 or len(files) < len(names):
        raise click.ClickException(f"{folder}: holds no folders of photographs, one per class")
    pictures = _stack((path for path, _ in files), len(files), folder.name)
    return Photographs(pictures, torch.tensor([label for _, label in files]), names)


def _stack(files: Iterator[Path] | Iterator[io.BytesIO], count: int, label: str) -> Tensor:
    pictures = torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8)
    with click.progressbar(files, length=count, label=f"reading {label}") as bar:
        for picture, file in zip(pictures, bar, strict=True):
            try:
                with Image.open(file) as opened:
                    upright = ImageOps.exif_transpose(opened).convert("RGB")
            except (OSError, Image.DecompressionBombError) as error:
                raise click.ClickException(f"{file}: cannot be read ({error})") from error
            square = ImageOps.fit(upright, (SIDE, SIDE))
            picture.copy_(torch.from_numpy(np.array(square)).movedim(-1, 0))
    return pictures


def vary(pictures: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """Random crops, turns, mirrors and colours, so that no photograph is seen twice."""

    def drawn(low: float, high: float, channels: int = 1) -> Tensor:
        share = torch.rand(len(pictures), channels, 1, 1, generator=random).to(pictures.device)
        return strength * (low + (high - low) * share)

    scale, turn = 1 + drawn(-0.35, 0.05), drawn(-0.15, 0.15)
    mirror = drawn(-1, 1).sign()
    cos, sin = scale * turn.cos(), scale * turn.sin()
    rows = [
        torch.cat([cos * mirror, -sin, drawn(-0.2, 0.2)], 3),
        torch.cat([sin * mirror, cos, drawn(-0.2, 0.2)], 3),
    ]
    grid = F.affine_grid(torch.cat(rows, 2)[:, 0], list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(
        pictures, grid, "bicubic", padding_mode="reflection", align_corners=False
    )
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (1 + drawn(-0.5, 0.4)) * (pictures - grey)
    mean = pictures.mean((2, 3), keepdim=True)
    pictures = mean + (1 + drawn(-0.3, 0.3)) * (pictures - mean)
    tint = (1 + drawn(-0.25, 0.25)) * (1 + drawn(-0.1, 0.1, channels=3))
    return (pictures * tint).clamp(0, 1)


# --- The net -----------------------------------------------------------------------------


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, leaky ReLU: what Darknet calls one layer."""

    def __init__(self, channels: int, filters: int, size: int, stride: int) -> None:
        self.padding = (size - stride + 1) // 2
        super().__init__(
            nn.Conv2d(channels, filters, size, stride, self.padding, bias=False),
            nn.BatchNorm2d(filters),
            nn.LeakyReLU(SLOPE, inplace=True),
        )

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the one convolution that does the work of this layer."""
        convolution, norm, _ = self
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return convolution.weight * scale[
            :, None, None, None
        ], norm.bias - norm.running_mean * scale


def build(classes: int) -> nn.Sequential:
    """The net to train: scores (n, classes, 1, 1) of pictures (n, 3, height, width)."""
    layers: list[nn.Module] = []
    channels = 3
    for line in CHAIN.split("\n"):
        match line.split():
            case ["pool"]:
                layers.append(nn.MaxPool2d(2, 2))
            case ["conv", filters, *options]:
                given = dict(zip(options[::2], map(int, options[1::2]), strict=True))
                layers.append(
                    Convolution(channels, int(filters), given["size"], given.get("stride", 1))
                )
                channels = int(filters)
    layers += [nn.Conv2d(channels, classes, 1), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


Scores = Callable[[Tensor], Tensor]


def folded(net: nn.Sequential, kind: torch.dtype = torch.float32) -> Scores:
    """The net as it will be used: normalisation folded away, weights held fast.

    It is what the adversary climbs, too, at less cost than the net in training.
    """
    with torch.no_grad():
        folds = [
            tuple(part.to(kind) for part in layer.fold())
            if isinstance(layer, Convolution)
            else (layer.weight.to(kind), layer.bias.to(kind))
            for layer in net
            if isinstance(layer, Convolution | nn.Conv2d)
        ]

    def scores(pictures: Tensor) -> Tensor:
        x, left = pictures.to(kind, memory_format=torch.channels_last), iter(folds)
        for layer in net:
            match layer:
                case Convolution():
                    x = F.conv2d(x, *next(left), layer[0].stride, layer[0].padding)
                    x = F.leaky_relu_(x, SLOPE)
                case nn.Conv2d():
                    x = F.conv2d(x, *next(left))
                case _:
                    x = layer(x)
        return x.flatten(1).float()

    return scores


def export(net: nn.Sequential, names: list[str], stem: Path) -> None:
    """Write the net as Darknet's cfg, weights and names."""
    sections = [
        f"# {len(names)} classes, trained against an adversary by examples/train_lucid64.py.",
        f"[net]\nwidth={SIDE}\nheight={SIDE}\nchannels=3",
    ]
    arrays = []
    for layer in net:
        match layer:
            case Convolution():
                convolution = layer[0]
                weight, bias = layer.fold()
                activation = "leaky"
            case nn.Conv2d():
                convolution, weight, bias = layer, layer.weight, layer.bias
                activation = "linear"
            case nn.MaxPool2d():
                sections.append("[maxpool]\nsize=2\nstride=2")
                continue
            case _:
                sections += ["[avgpool]", "[softmax]"]
                continue
        sections.append(
            f"[convolutional]\nfilters={convolution.out_channels}\n"
            f"size={convolution.kernel_size[0]}\nstride={convolution.stride[0]}\n"
            f"padding={convolution.padding[0]}\nactivation={activation}"
        )
        arrays += [bias, weight]
    with atomic_write(stem.with_suffix(".cfg")) as path:
        path.write_text("\n\n".join(sections) + "\n")
    with atomic_write(stem.with_suffix(".names")) as path:
        path.write_text("\n".join(names) + "\n")
    weights.write(stem.with_suffix(".weights"), [array.detach().numpy() for array in arrays])


# --- The training ------------------------------------------------------------------------


def attack(
    scores: Scores, pictures: Tensor, labels: Tensor, radius: Tensor | float, steps: int
) -> Tensor:
    """The worst pictures that `steps` steps find within `radius` of these.

    Args:
        radius: Euclidean, of pixels from 0 to 1; one for all, or (n, 1, 1, 1).
        steps: along the normalised gradient (Madry et al. 2018), 2.5 radii in all;
            a single one is of one radius.
    """
    length = radius * (1 if steps == 1 else 2.5 / steps)
    moved = pictures
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(
            F.cross_entropy(scores(moved), labels, reduction="sum"), moved
        )
        with torch.no_grad():
            shift = moved - pictures + length * F.normalize(gradient, dim=(1, 2, 3))
            norm = torch.linalg.vector_norm(shift, dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
            moved = (pictures + shift * (radius / norm).clamp(max=1)).clamp(0, 1)
    return moved.detach()


def accuracy(scores: Scores, photographs: Photographs, radius: float = 0, steps: int = 10) -> float:
    """The share of photographs named rightly, under an attack of that radius."""
    right = 0
    for pictures, labels in photographs.batches(torch.arange(len(photographs)), 200):
        shown = attack(scores, pictures, labels, radius, steps) if radius else pictures
        with torch.no_grad():
            right += int((scores(shown).argmax(1) == labels).sum())
    return right / len(photographs)


def move_average(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Towards the current weights, by much at first: the average forgets how it started."""
    return average + (current - average) * max(1 - AVERAGING, 9 / (10 + int(count)))


class Training:
    """The net, its running average, and how far both have come: all that a checkpoint holds.

    Attributes:
        curve: a row for each epoch: its number, the mean loss, and the shares of
            held-back photographs that the average named rightly, as they are
            and under a quick attack of radius 0.5.
    """

    def __init__(self, photographs: Photographs, epochs: int, batch: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.photographs = photographs
        self.batches = -(-len(photographs) // batch)
        self.settings = {
            "epochs": epochs,
            "batch": batch,
            "seed": seed,
            "names": photographs.names,
            "photographs": len(photographs),
        }
        self.curve: list[dict[str, float]] = []
        self.net = build(len(photographs.names)).to(photographs.device)
        self.average = AveragedModel(self.net, avg_fn=move_average, use_buffers=True)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=PEAK_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, PEAK_RATE, total_steps=epochs * self.batches, pct_start=0.2
        )

    @property
    def kept(self) -> nn.Sequential:
        """The net that is measured and written."""
        return self.average.module

    def _states(self) -> dict[str, Any]:
        return {
            "net": self.net,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def save(self, path: Path) -> None:
        states = {key: part.state_dict() for key, part in self._states().items()}
        with atomic_write(path) as temporary:
            torch.save(states | {"curve": self.curve, "settings": self.settings}, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        if not path.exists():
            return
        saved = torch.load(path, map_location=self.photographs.device, weights_only=True)
        if saved["settings"] != self.settings:
            raise click.ClickException(
                f"{path}: is of another training; move it away or give another --name"
            )
        self.curve = saved["curve"]
        for key, part in self._states().items():
            part.load_state_dict(saved[key])

    def targets(
        self, pictures: Tensor, labels: Tensor, trust: float, precision: torch.dtype
    ) -> Tensor:
        """What the net is taught to say, (n, classes): the label, smoothed, and, by
        ``trust``, what the running average says to the picture unharmed.

        It keeps the net from learning single photographs by heart (Chen et al. 2021,
        "Robust Overfitting may be mitigated by properly learned smoothening").
        """
        with torch.no_grad():
            opinion = folded(self.kept, precision)(pictures).softmax(1)
        told = torch.full_like(opinion, SMOOTHING / opinion.shape[1])
        told.scatter_(1, labels[:, None], 1 - SMOOTHING + SMOOTHING / opinion.shape[1])
        return told.lerp(opinion, trust)

    def run_epoch(self, precision: torch.dtype) -> float:
        """Train on every photograph once; returns the mean loss.

        All that is random is drawn anew from the seed and the epoch's number,
        so that a resumed training goes the same way.
        """
        epoch, epochs = len(self.curve), self.settings["epochs"]
        random = torch.manual_seed(self.settings["seed"] * 1_000_003 + epoch)
        order = torch.randperm(len(self.photographs), generator=random)
        batches = self.photographs.batches(order, self.settings["batch"])
        progress = (epoch + 1) / epochs
        ramp = min(1, 4 * progress)  # the adversary grows over the first quarter
        trust = TRUST * min(1, max(0, 4 * progress - 1))  # and then the trust
        strength = 1 if progress < CALM[0] else CALM[1]
        losses = 0.0
        self.net.train()
        with click.progressbar(
            batches, length=self.batches, label=f"epoch {epoch + 1}/{epochs}"
        ) as bar:
            for photographs, labels in bar:
                varied = vary(photographs, strength, random).contiguous(
                    memory_format=torch.channels_last
                )
                low, high = RADII
                drawn = torch.rand(len(labels), 1, 1, 1, generator=random)
                radius = ramp * (low + (high - low) * drawn).to(labels.device)
                shown = attack(folded(self.net, precision), varied, labels, radius, 1)
                with torch.autocast(
                    labels.device.type, precision, enabled=precision != torch.float32
                ):
                    scores = self.net(shown).flatten(1).float()
                loss = F.cross_entropy(scores, self.targets(varied, labels, trust, precision))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.average.update_parameters(self.net)
                losses += loss.item()
        return losses / self.batches


def write_curve(curve: list[dict[str, float]], path: Path) -> None:
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, curve[-1])
        writer.writeheader()
        writer.writerows(curve)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="lucid64", show_default=True, help="Of the files to write.")
@click.option("--output", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--epochs", default=68, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=128, show_default=True, type=click.IntRange(2))
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", default="auto", show_default=True)
def main(
    photos: Path,
    name: str,
    output: Path,
    epochs: int,
    batch: int,
    seed: int,
    device: str,
    precision: str,
) -> None:
    where = find_device(device)
    kind = find_precision(precision, where)
    train, val = (half.to(where) for half in read_photographs(photos))
    output.mkdir(parents=True, exist_ok=True)
    stem = output / name
    checkpoint = output / f"{name}.pt"
    training = Training(train, epochs, batch, seed)
    training.resume(checkpoint)
    while len(training.curve) < epochs:
        loss = training.run_epoch(kind)
        row = {
            "epoch": len(training.curve) + 1,
            "loss": round(loss, 4),
            "clean": accuracy(folded(training.kept), val),
            "attacked": accuracy(folded(training.kept, kind), val, radius=0.5, steps=2),
        }
        training.curve.append(row)
        click.echo(", ".join(f"{key} {value:g}" for key, value in row.items()))
        training.save(checkpoint)
        write_curve(training.curve, output / f"{name}.csv")

    export(training.kept.cpu(), train.names, stem)
    kept = folded(training.kept.to(where))
    click.echo(f"named rightly, of {len(val)} held back: {accuracy(kept, val):.1%}")
    for radius in (0.5, 1.0):
        share = accuracy(kept, val, radius)
        click.echo(f"under an attack of radius {radius}, 10 steps: {share:.1%}")
    click.echo(f"done: {stem}.cfg, {stem}.weights, {stem}.names")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
