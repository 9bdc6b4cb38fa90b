"""Train a small, robust classifier to dream with: lucid64, or a net with your own classes.

    python examples/train_lucid64.py PHOTOS --name lucid64

PHOTOS is a folder of photographs in one of three layouts:

- one folder for each class, such as goldfish/1.jpg; every tenth photograph is held back;
- folders train/ and val/ with such folders inside;
- files NAME_train.npz, NAME_val.npz and NAME_names.txt, where an npz file has the arrays `jpeg`
  (the bytes of all JPEG files), `offset` (where each file starts) and `label` (its class).

The gradient of an ordinary classifier looks like noise. A classifier trained on adversarial
examples relies on features that people see, so that optimizing its logits draws whole objects
(Santurkar et al. 2019, "Image Synthesis with a Single (Robust) Classifier"; Engstrom et al. 2019).
The adversary here is the fast gradient method (Goodfellow et al. 2015) with an L2 step between 0.5
and 1.1, for pixels from 0 to 1, drawn anew for each photograph. The net that is kept is the
exponential moving average of the weights, which also teaches the net in training.

Writes NAME.cfg, NAME.weights and NAME.names, for lucid (`lucid draw --net NAME.cfg --class CLASS`)
and for Darknet. NAME.pt is a checkpoint of the last epoch: the same command resumes the training,
with the same result. NAME.csv is the training curve. photographs.py reads and augments the data.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from photographs import SIDE, Photographs, augment, read_photographs
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from lucid.core.device import find_devices, find_precision
from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet import weights

LAYERS = """
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
"""The layers before the last convolution, which has a filter for each class, and its average."""

LEAKY_SLOPE = 0.1
"""Negative slope of Darknet's leaky ReLU."""

ATTACK_RADII = (0.5, 1.1)
"""Range of the adversary's L2 step in training."""

PEAK_LR = 0.15
LABEL_SMOOTHING = 0.1
EMA_DECAY = 0.999

DISTILLATION = 0.5
"""Final weight of the averaged net's answer, against the label, in what the net is taught."""

COOLDOWN_START, COOLDOWN_STRENGTH = 0.94, 0.4
"""From this fraction of the training on, photographs are augmented with this strength, so that the
net is trained last on images like those that it will see (Touvron et al. 2019)."""


class Convolution(nn.Sequential):
    """Convolution, batch normalization and leaky ReLU, which are one layer in Darknet."""

    def __init__(self, channels: int, filters: int, size: int, stride: int) -> None:
        padding = (size - stride + 1) // 2
        super().__init__(
            nn.Conv2d(channels, filters, size, stride, padding, bias=False),
            nn.BatchNorm2d(filters),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        )

    def fold(self) -> tuple[Tensor, Tensor]:
        """Fold the batch normalization into the convolution; returns its weight and bias."""
        return fold(self[0], self[1])


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The weight and bias of a convolution that does what the two do in inference."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    weight = convolution.weight * scale[:, None, None, None]
    return weight, norm.bias - norm.running_mean * scale


def build(classes: int) -> nn.Sequential:
    """Build a net that maps images, (n, 3, height, width), to logits, (n, classes, 1, 1)."""
    layers: list[nn.Module] = []
    channels = 3
    for line in LAYERS.split("\n"):
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


Classifier = Callable[[Tensor], Tensor]
"""Maps images, (n, 3, height, width), 0..1, to logits, (n, classes)."""


def folded(net: nn.Sequential, dtype: torch.dtype = torch.float32) -> Classifier:
    """Make an inference function with folded batch normalization and constant weights.

    The adversary uses it too, because its gradient costs less than that of the net in training.
    The computation has the precision ``dtype``; the logits are fp32.
    """
    with torch.no_grad():
        folds = [
            tuple(part.to(dtype) for part in layer.fold())
            if isinstance(layer, Convolution)
            else (layer.weight.to(dtype), layer.bias.to(dtype))
            for layer in net
            if isinstance(layer, Convolution | nn.Conv2d)
        ]

    def logits(images: Tensor) -> Tensor:
        x, rest = images.to(dtype, memory_format=torch.channels_last), iter(folds)
        for layer in net:
            match layer:
                case Convolution():
                    x = F.conv2d(x, *next(rest), layer[0].stride, layer[0].padding)
                    x = F.leaky_relu_(x, LEAKY_SLOPE)
                case nn.Conv2d():
                    x = F.conv2d(x, *next(rest))
                case _:
                    x = layer(x)
        return x.flatten(1).float()

    return logits


def export(net: nn.Sequential, names: list[str], stem: Path) -> None:
    """Write a net and the names of its classes as stem.cfg, stem.weights and stem.names."""
    sections = [
        f"# {len(names)} classes, trained against an adversary by examples/train_lucid64.py.",
        f"[net]\nwidth={SIDE}\nheight={SIDE}\nchannels=3",
    ]
    arrays = []
    for layer in net:
        match layer:
            case Convolution():
                convolution, (weight, bias), activation = layer[0], layer.fold(), "leaky"
            case nn.Conv2d():
                convolution, weight, bias, activation = layer, layer.weight, layer.bias, "linear"
            case nn.MaxPool2d():
                sections.append("[maxpool]\nsize=2\nstride=2")
                continue
            case _:
                sections += ["[avgpool]", "[softmax]"]
                continue
        sections.append(convolutional_section(convolution, activation))
        arrays += [bias, weight]
    with atomic_write(stem.with_suffix(".cfg")) as path:
        path.write_text("\n\n".join(sections) + "\n")
    with atomic_write(stem.with_suffix(".names")) as path:
        path.write_text("\n".join(names) + "\n")
    weights.write(stem.with_suffix(".weights"), [array.detach().numpy() for array in arrays])


def convolutional_section(convolution: nn.Conv2d, activation: str) -> str:
    """A convolution and its activation function as a section of a Darknet cfg."""
    groups = f"groups={convolution.groups}\n" if convolution.groups > 1 else ""
    return (
        f"[convolutional]\nfilters={convolution.out_channels}\n"
        f"size={convolution.kernel_size[0]}\nstride={convolution.stride[0]}\n"
        f"padding={convolution.padding[0]}\n{groups}activation={activation}"
    )


def attack(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    radius: Tensor | float,
    steps: int,
    start: float = 0,
) -> Tensor:
    """Find adversarial examples by projected gradient ascent on the loss (Madry et al. 2018).

    Args:
        classifier: the net to attack.
        images: (n, 3, height, width), 0..1.
        labels: (n,), class numbers; or (n, classes), probabilities.
        radius: L2 radius around each image; one number, or (n, 1, 1, 1).
        steps: number of steps, whose lengths add up to 2.5 radii; a single step is one radius.
        start: length of a random step before them, as a fraction of the radius.

    Returns:
        Images of the same shape and range.
    """
    length = radius * (1 if steps == 1 else 2.5 / steps)
    moved = images
    if start:
        moved = images + start * radius * F.normalize(torch.randn_like(images), dim=(1, 2, 3))
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        loss = F.cross_entropy(classifier(moved), labels, reduction="sum")
        (grad,) = torch.autograd.grad(loss, moved)
        with torch.no_grad():
            shift = moved - images + length * F.normalize(grad, dim=(1, 2, 3))
            norm = torch.linalg.vector_norm(shift, dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
            moved = (images + shift * (radius / norm).clamp(max=1)).clamp(0, 1)
    return moved.detach()


def accuracy(
    classifier: Classifier, photographs: Photographs, radius: float = 0, steps: int = 10
) -> float:
    """Compute the fraction of photographs that are classified correctly under an attack."""
    correct = 0
    for images, labels in photographs.batches(torch.arange(len(photographs)), 200):
        shown = attack(classifier, images, labels, radius, steps) if radius else images
        with torch.no_grad():
            correct += int((classifier(shown).argmax(1) == labels).sum())
    return correct / len(photographs)


def update_average(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Update the moving average; early updates weigh more, so that the start is forgotten."""
    return average + (current - average) * max(1 - EMA_DECAY, 9 / (10 + int(count)))


class Training:
    """The state of a training: the net, its moving average, the optimizer and the curve.

    Attributes:
        curve: one row for each epoch: its number, the mean loss, and the accuracy of the averaged
            net on held-back photographs, clean and under an attack of radius 0.5 in two steps.
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
        self.average = AveragedModel(self.net, avg_fn=update_average, use_buffers=True)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=PEAK_LR, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, PEAK_LR, total_steps=epochs * self.batches, pct_start=0.2
        )
        self._parts: dict[str, Any] = {
            name: getattr(self, name) for name in ("net", "average", "optimizer", "schedule")
        }

    @property
    def kept(self) -> nn.Sequential:
        """The averaged net, which is measured and exported."""
        return self.average.module

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        states = {name: part.state_dict() for name, part in self._parts.items()}
        with atomic_write(path) as temporary:
            torch.save(states | {"curve": self.curve, "settings": self.settings}, temporary)

    def resume(self, path: Path) -> None:
        """Load a checkpoint if the file exists.

        Raises:
            click.ClickException: the checkpoint is of a training with other settings.
        """
        if not path.exists():
            return
        saved = torch.load(path, map_location=self.photographs.device, weights_only=True)
        if saved["settings"] != self.settings:
            raise click.ClickException(
                f"{path}: is of another training; move it away or give another --name"
            )
        self.curve = saved["curve"]
        for name, part in self._parts.items():
            part.load_state_dict(saved[name])

    def targets(
        self, images: Tensor, labels: Tensor, distillation: float, dtype: torch.dtype
    ) -> Tensor:
        """Mix smoothed labels with the averaged net's answer to the images before the attack.

        This reduces overfitting to single photographs (Chen et al. 2021, "Robust Overfitting may
        be mitigated by properly learned smoothening"). ``distillation`` is the weight of the
        answer, 0..1; the result are class probabilities, (n, classes).
        """
        with torch.no_grad():
            answer = folded(self.kept, dtype)(images).softmax(1)
        smoothed = torch.full_like(answer, LABEL_SMOOTHING / answer.shape[1])
        correct = 1 - LABEL_SMOOTHING + LABEL_SMOOTHING / answer.shape[1]
        return smoothed.scatter_(1, labels[:, None], correct).lerp(answer, distillation)

    def run_epoch(self, dtype: torch.dtype) -> float:
        """Train on every photograph once; returns the mean loss.

        The random numbers depend on the seed and the number of the epoch only, so that a resumed
        training has the same result.
        """
        epoch, epochs = len(self.curve), self.settings["epochs"]
        generator = torch.manual_seed(self.settings["seed"] * 1_000_003 + epoch)
        order = torch.randperm(len(self.photographs), generator=generator)
        batches = self.photographs.batches(order, self.settings["batch"])
        progress = (epoch + 1) / epochs
        # The attack grows in the first quarter of the training, and distillation in the second.
        attack_scale = min(1, 4 * progress)
        distillation = DISTILLATION * min(1, max(0, 4 * progress - 1))
        strength = 1 if progress < COOLDOWN_START else COOLDOWN_STRENGTH
        losses = 0.0
        self.net.train()
        label = f"epoch {epoch + 1}/{epochs}"
        with click.progressbar(batches, length=self.batches, label=label) as bar:
            for photographs, labels in bar:
                images = augment(photographs, strength, generator)
                images = images.contiguous(memory_format=torch.channels_last)
                low, high = ATTACK_RADII
                random = torch.rand(len(labels), 1, 1, 1, generator=generator)
                radius = attack_scale * (low + (high - low) * random).to(labels.device)
                attacked = attack(folded(self.net, dtype), images, labels, radius, 1)
                with torch.autocast(labels.device.type, dtype, enabled=dtype != torch.float32):
                    logits = self.net(attacked).flatten(1).float()
                targets = self.targets(images, labels, distillation, dtype)
                loss = F.cross_entropy(logits, targets)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.average.update_parameters(self.net)
                losses += loss.item()
        return losses / self.batches


def write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    """Write the rows of a training curve as CSV."""
    with atomic_write(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, curve[0])
        writer.writeheader()
        writer.writerows(curve)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="lucid64", show_default=True, help="Name of the files to write.")
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
    torch_device = find_devices(device)[0]
    dtype = find_precision(precision, torch_device)
    train, val = (split.to(torch_device) for split in read_photographs(photos))
    output.mkdir(parents=True, exist_ok=True)
    stem = output / name
    checkpoint = output / f"{name}.pt"
    training = Training(train, epochs, batch, seed)
    training.resume(checkpoint)
    while len(training.curve) < epochs:
        loss = training.run_epoch(dtype)
        row = {
            "epoch": len(training.curve) + 1,
            "loss": round(loss, 4),
            "clean": accuracy(folded(training.kept), val),
            "attacked": accuracy(folded(training.kept, dtype), val, radius=0.5, steps=2),
        }
        training.curve.append(row)
        click.echo(", ".join(f"{key} {value:g}" for key, value in row.items()))
        training.save(checkpoint)
        write_curve(output / f"{name}.csv", training.curve)

    export(training.kept.cpu(), train.names, stem)
    classifier = folded(training.kept.to(torch_device))
    click.echo(f"correct, of {len(val)} held back: {accuracy(classifier, val):.1%}")
    for radius in (0.5, 1.0):
        attacked = accuracy(classifier, val, radius)
        click.echo(f"under an L2 attack of radius {radius}, 10 steps: {attacked:.1%}")
    click.echo(f"done: {stem}.cfg, {stem}.weights, {stem}.names")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
