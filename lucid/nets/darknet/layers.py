"""Darknet's layers, each as Darknet computes it.

A layer is built on the meta device from its cfg section: shapes only, no
memory. ``stored`` lists the arrays that a ``.weights`` file holds for it, in
the file's order, and ``take`` makes parameters of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lucid.errors import LucidError
from lucid.nets.darknet.cfg import Section

Shape = tuple[int, int, int]
"""Channels, height, width."""

META = torch.device("meta")

MOST_NUMBERS = 2**31
"""That a layer may hold or put out: far above any net's, far below what overflows."""


def _stair(x: Tensor) -> Tensor:
    floor = x.floor()
    return torch.where(floor % 2 == 0, (x / 2).floor(), x - floor + (x / 2).floor())


def _plse(x: Tensor) -> Tensor:
    outer = torch.where(x < 0, 0.01 * (x + 4), 0.01 * (x - 4) + 1)
    return torch.where(x.abs() > 4, outer, 0.125 * x + 0.5)


def _lhtan(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.001 * x, torch.where(x > 1, 0.001 * (x - 1) + 1, x))


# Darknet's names; the constants are Darknet's own, shorter than torch's.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "logistic": torch.sigmoid,
    "loggy": lambda x: 2 * torch.sigmoid(x) - 1,
    "relu": F.relu,
    "elu": F.elu,
    "selu": lambda x: torch.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * torch.expm1(x)),
    "relie": lambda x: F.leaky_relu(x, 0.01),
    "ramp": lambda x: F.relu(x) + 0.1 * x,
    "leaky": lambda x: F.leaky_relu(x, 0.1),
    "tanh": torch.tanh,
    "plse": _plse,
    "stair": _stair,
    "hardtan": lambda x: x.clamp(-1, 1),
    "lhtan": _lhtan,
}


class Layer(nn.Module):
    """One layer: ``forward(x, sources)``, with the outputs of ``sources`` beside x.

    Attributes:
        kind: Darknet's name for it.
        out: its output's shape at the cfg's own input size.
        sources: numbers of the earlier layers it reads besides the one before.
    """

    kind: str
    out: Shape
    sources: tuple[int, ...] = ()

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return x

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of its arrays in a ``.weights`` file, in order."""
        return []

    def take(self, arrays: dict[str, np.ndarray]) -> None:
        """Make parameters of the arrays that ``stored`` names."""


class Activated(Layer):
    """A layer that ends in an activation, with the value before it at hand."""

    activation: str

    def linear(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return x

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return ACTIVATIONS[self.activation](self.linear(x, sources))

    def set_activation(self, section: Section, default: str) -> None:
        self.activation = section.text("activation", default)
        if self.activation not in ACTIVATIONS:
            raise section.fail(
                f"activation={self.activation} is not one of {', '.join(sorted(ACTIVATIONS))}"
            )


BATCH_NORM = ("scale", "mean", "variance")


def _normalizer(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The factor and offset per channel that a trained batch normalisation is."""
    scale, mean, variance = (arrays[name].astype(np.float64) for name in BATCH_NORM)
    factor = scale / (np.sqrt(variance) + 1e-6)  # Darknet adds its epsilon outside the root
    return factor, -mean * factor


class Weighted(Activated):
    """A convolution or a matrix; a batch normalisation behind it is folded in."""

    module: nn.Conv2d | nn.Linear
    batch_normalize: bool

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        weight = ("weight", tuple(self.module.weight.shape))
        count = (self.module.weight.shape[0],)
        return [("bias", count), *((n, count) for n in BATCH_NORM if self.batch_normalize), weight]

    def take(self, arrays: dict[str, np.ndarray]) -> None:
        weight, bias = arrays["weight"], arrays["bias"]
        if self.batch_normalize:
            factor, offset = _normalizer(arrays)
            weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
            bias = bias + offset
        self.module.weight = _parameter(weight)
        self.module.bias = _parameter(bias)


def _parameter(array: np.ndarray) -> nn.Parameter:
    copied = np.array(array, np.float32, order="C")  # off the mapped file
    return nn.Parameter(torch.from_numpy(copied), requires_grad=False)


class Convolutional(Weighted):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        for unsupported in ("binary", "xnor", "flipped"):
            if section.integer(unsupported, 0):
                raise section.fail(f"{unsupported}=1 is not supported")
        filters = section.integer("filters", 1, least=1)
        size = section.integer("size", 1, least=1)
        stride = section.integer("stride", 1, least=1)
        groups = section.integer("groups", 1, least=1)
        padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
        if shape[0] % groups or filters % groups:
            raise section.fail(
                f"groups={groups} does not divide {shape[0]} channels and {filters} filters"
            )
        _check_weights(section, filters * (shape[0] // groups) * size * size)
        self.batch_normalize = bool(section.integer("batch_normalize", 0))
        self.set_activation(section, "logistic")
        self.out = (
            filters,
            _windows(section, shape[1], size, stride, 2 * padding),
            _windows(section, shape[2], size, stride, 2 * padding),
        )
        self.module = nn.Conv2d(
            shape[0], filters, size, stride, padding, groups=groups, device=META
        )

    def linear(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return self.module(x)


class Connected(Weighted):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.seen = shape
        self.batch_normalize = bool(section.integer("batch_normalize", 0))
        self.set_activation(section, "logistic")
        outputs = section.integer("output", 1, least=1)
        self.out = (outputs, 1, 1)
        _check_weights(section, outputs * math.prod(shape))
        self.module = nn.Linear(math.prod(shape), outputs, device=META)

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        bias, *normalization, weight = super().stored()
        return [bias, weight, *normalization]  # unlike a convolution's

    def linear(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        if tuple(x.shape[1:]) != self.seen:
            raise LucidError(
                "a fully connected layer fixes this net's input to the size in its cfg: it takes "
                f"{self.seen[2]}x{self.seen[1]} features and got {x.shape[3]}x{x.shape[2]}; "
                "climb an earlier layer, or use tiles of the net's own size"
            )
        # contiguous: Darknet's connected layer reads channels, then rows
        return self.module(x.contiguous().flatten(1))[:, :, None, None]


class BatchNorm(Layer):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.out = shape
        self.factor = nn.Parameter(torch.empty(shape[0], 1, 1, device=META))
        self.offset = nn.Parameter(torch.empty(shape[0], 1, 1, device=META))

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(name, (self.out[0],)) for name in BATCH_NORM]

    def take(self, arrays: dict[str, np.ndarray]) -> None:
        factor, offset = _normalizer(arrays)
        self.factor = _parameter(factor[:, None, None])
        self.offset = _parameter(offset[:, None, None])

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return x * self.factor + self.offset


class Activation(Activated):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.out = shape
        self.set_activation(section, "linear")


class MaxPool(Layer):
    """Darknet pads by ``padding`` in all (size - 1 unless said), half of it before."""

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.stride = section.integer("stride", 1, least=1)
        self.size = section.integer("size", self.stride, least=1)
        self.padding = section.integer("padding", self.size - 1)
        self.out = (
            shape[0],
            _windows(section, shape[1], self.size, self.stride, self.padding),
            _windows(section, shape[2], self.size, self.stride, self.padding),
        )

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        before = self.padding // 2
        bottom, right = (
            (length + self.padding - self.size) // self.stride * self.stride
            + self.size
            - before
            - length
            for length in x.shape[2:]
        )
        if before or bottom > 0 or right > 0:
            x = F.pad(x, (before, right, before, bottom), value=-torch.inf)
        return F.max_pool2d(x, self.size, self.stride)


class AvgPool(Layer):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.out = (shape[0], 1, 1)

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class Identity(Layer):
    """Passes its input on.

    A dropout outside training, a cost behind the answer, and the detection
    heads (yolo, region, detection), which only re-read what the layer before
    them says.
    """

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.out = shape


class Softmax(Layer):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if "tree" in section.options:
            raise section.fail("a softmax over a tree of classes is not supported")
        self.groups = section.integer("groups", 1, least=1)
        self.temperature = section.number("temperature", 1)
        self.spatial = bool(section.integer("spatial", 0))
        if shape[0] * shape[1] * shape[2] % self.groups or self.temperature == 0:
            raise section.fail(f"groups={self.groups}, temperature={self.temperature} cannot work")
        self.out = shape

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        if self.spatial:
            return (x / self.temperature).softmax(1)
        grouped = x.contiguous().view(x.shape[0], self.groups, -1) / self.temperature
        return grouped.softmax(-1).view(x.shape)


class Route(Layer):
    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.sources = tuple(
            _source(section, number, len(shapes)) for number in section.integers("layers")
        )
        channels, heights, widths = zip(*(shapes[source] for source in self.sources), strict=True)
        if len(set(heights)) > 1 or len(set(widths)) > 1:
            sizes = ", ".join(f"{w}x{h}" for h, w in zip(heights, widths, strict=True))
            raise section.fail(f"joins layers of different sizes: {sizes}")
        self.out = (sum(channels), heights[0], widths[0])

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        if len(sources) == 1:
            return sources[0]
        # At sizes that strides do not divide, layers that were of one size in
        # the cfg differ by a row or a column; Darknet would give up.
        height, width = (min(source.shape[axis] for source in sources) for axis in (2, 3))
        return torch.cat([source[:, :, :height, :width] for source in sources], 1)


class Shortcut(Activated):
    """Adds an earlier layer to the one before, which gives the shape.

    Of two sizes the common channels are added, every so many pixels of the
    larger to the pixels of the smaller, as Darknet's ``shortcut_cpu`` does.
    """

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        numbers = section.integers("from")
        if len(numbers) != 1:
            raise section.fail("from= takes one layer")
        self.sources = (_source(section, numbers[0], len(shapes)),)
        self.alpha = section.number("alpha", 1)
        self.beta = section.number("beta", 1)
        self.set_activation(section, "linear")
        self.out = shape

    def linear(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        (added,) = sources
        skip = max(1, added.shape[3] // x.shape[3])
        spread = max(1, x.shape[3] // added.shape[3])
        total = x.clone()
        ours, theirs = total[:, :, ::spread, ::spread], added[:, :, ::skip, ::skip]
        channels, height, width = (
            min(a, b) for a, b in zip(ours.shape[1:], theirs.shape[1:], strict=True)
        )
        common = ours[:, :channels, :height, :width]
        common.mul_(self.alpha).add_(theirs[:, :channels, :height, :width], alpha=self.beta)
        return total


class Reorg(Layer):
    """Space to depth, over the memory layout that Darknet's ``reorg_cpu`` reads.

    Darknet reads its (c, h, w) input as if it were (c/s², hs, ws); the
    features of YOLO v2 are trained on that order, so it is kept.
    """

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.stride = section.integer("stride", 1, least=1)
        for unsupported in ("reverse", "flatten", "extra"):
            if section.integer(unsupported, 0):
                raise section.fail(f"{unsupported}= is not supported")
        square = self.stride**2
        if shape[0] % square or shape[1] % self.stride or shape[2] % self.stride:
            raise section.fail(
                f"stride={self.stride} does not divide {shape[0]} channels of {shape[2]}x{shape[1]}"
            )
        self.out = (shape[0] * square, shape[1] // self.stride, shape[2] // self.stride)

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        s = self.stride
        # At other sizes than the cfg's a row or a column may be left over.
        x = x[:, :, : x.shape[2] // s * s, : x.shape[3] // s * s]
        count, channels, height, width = x.shape
        spread = x.contiguous().view(count, channels // (s * s), height, s, width, s)
        return spread.permute(0, 3, 5, 1, 2, 4).reshape(
            count, channels * s * s, height // s, width // s
        )


class Upsample(Layer):
    """Nearest neighbour, times ``scale``; a negative stride sums squares instead."""

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        stride = int(section.number("stride", 2))
        self.shrinks = stride < 0
        self.stride = abs(stride)
        self.scale = section.number("scale", 1)
        channels, height, width = shape
        if not 1 <= self.stride <= 64 or (
            self.shrinks and (height < self.stride or width < self.stride)
        ):
            raise section.fail(f"stride={stride} cannot work on {width}x{height} features")
        if self.shrinks:
            self.out = (channels, height // self.stride, width // self.stride)
        else:
            self.out = (channels, height * self.stride, width * self.stride)

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        if self.shrinks:
            return F.avg_pool2d(x, self.stride) * (self.scale * self.stride**2)
        return F.interpolate(x, scale_factor=self.stride, mode="nearest") * self.scale


class Normalization(Layer):
    """Local response normalisation over neighbouring channels.

    The sum of squares slides over the channels exactly as Darknet's does,
    which never counts the channel at size/2 until it leaves the window: the
    sliding is written out once as a matrix between channels.
    """

    window: Tensor

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.alpha = section.number("alpha", 0.0001)
        self.beta = section.number("beta", 0.75)
        self.kappa = section.number("kappa", 1)
        size = section.integer("size", 5, least=1)
        self.out = shape
        if shape[0] > 4096:
            raise section.fail(f"cannot normalise over {shape[0]} channels")
        self.register_buffer("window", _sliding_sums(shape[0], size)[:, :, None, None], False)

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # squares are too large for 16 bits
            x = x.float()
            norms = self.kappa + self.alpha * F.conv2d(x * x, self.window)
            return x * norms.pow(-self.beta)


def _sliding_sums(channels: int, size: int) -> Tensor:
    """Which channels Darknet sums for which, (channels, channels)."""
    rows = torch.zeros(channels, channels)
    rows[0, : size // 2] = 1
    for channel in range(1, channels):
        rows[channel] = rows[channel - 1]
        leaving = channel - (size - 1) // 2 - 1
        entering = channel + size // 2
        if leaving >= 0:
            rows[channel, leaving] -= 1
        if entering < channels:
            rows[channel, entering] += 1
    return rows


class Crop(Layer):
    """The middle of the image, by default stretched from 0..1 to -1..1."""

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        channels, height, width = shape
        crop_height = section.integer("crop_height", 1, least=1)
        crop_width = section.integer("crop_width", 1, least=1)
        if crop_height > height or crop_width > width:
            raise section.fail(f"{crop_width}x{crop_height} is more than its {width}x{height}")
        self.stretch = not section.integer("noadjust", 0)
        self.share = (crop_height / height, crop_width / width)
        self.out = (channels, crop_height, crop_width)

    def forward(self, x: Tensor, sources: Sequence[Tensor] = ()) -> Tensor:
        height, width = (
            int(length * share) for length, share in zip(x.shape[2:], self.share, strict=True)
        )
        top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
        x = x[:, :, top : top + height, left : left + width]
        return 2 * x - 1 if self.stretch else x


def _check_weights(section: Section, count: int) -> None:
    if count > MOST_NUMBERS:
        raise section.fail(f"asks for {count:,} weights, more than any net has")


def _windows(section: Section, length: int, size: int, stride: int, padding: int) -> int:
    """How many windows of ``size`` fit, ``padding`` in all being added."""
    count = (length + padding - size) // stride + 1
    if length + padding < size:
        raise section.fail(f"a window of {size} does not fit its input of {length} pixels")
    return count


def _source(section: Section, number: int, here: int) -> int:
    """The absolute number of an earlier layer, given from the start or backwards."""
    source = number if number >= 0 else here + number
    if not 0 <= source < here:
        raise section.fail(f"reads layer {number}: there are {here} layers before it")
    return source


KINDS: dict[str, type[Layer]] = {
    "convolutional": Convolutional,
    "connected": Connected,
    "batchnorm": BatchNorm,
    "activation": Activation,
    "maxpool": MaxPool,
    "avgpool": AvgPool,
    "dropout": Identity,
    "cost": Identity,
    "yolo": Identity,
    "region": Identity,
    "detection": Identity,
    "softmax": Softmax,
    "route": Route,
    "shortcut": Shortcut,
    "reorg": Reorg,
    "upsample": Upsample,
    "normalization": Normalization,
    "crop": Crop,
}
SHORT = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "soft": "softmax",
    "lrn": "normalization",
}
RECURRENT = ("rnn", "gru", "lstm", "crnn")
DETECTION = ("yolo", "region", "detection")


def build(section: Section, shape: Shape, shapes: Sequence[Shape]) -> Layer:
    """The layer that a section describes, without memory for its weights.

    Args:
        section: the layer's section.
        shape: what the layer before puts out.
        shapes: what all layers before put out.

    Raises:
        LucidError: the section cannot be built; names its line.
    """
    kind = SHORT.get(section.kind, section.kind)
    if kind in RECURRENT:
        raise section.fail("is recurrent: it reads sequences, and no picture can be climbed in it")
    if kind not in KINDS:
        raise section.fail(f"is not a kind of layer lucid knows: {', '.join(sorted(KINDS))}")
    layer = KINDS[kind](section, shape, shapes)
    if math.prod(layer.out) > MOST_NUMBERS:
        raise section.fail(f"puts out {layer.out[2]}x{layer.out[1]} of {layer.out[0]} channels")
    layer.kind = kind
    return layer
