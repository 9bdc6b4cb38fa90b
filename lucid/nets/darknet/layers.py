"""Darknet's layers, one class a kind, each computing what Darknet's C code computes.

Source: J. Redmon, Darknet (2013-2016), src/*_layer.c, src/blas.c and src/activations.h.
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

MAX_NUMEL = 2**31
"""The most weights or outputs of one layer: far above any net's, far below an overflow."""


def _stair(x: Tensor) -> Tensor:
    floor = x.floor()
    return torch.where(floor % 2 == 0, (x / 2).floor(), x - floor + (x / 2).floor())


def _plse(x: Tensor) -> Tensor:
    outer = torch.where(x < 0, 0.01 * (x + 4), 0.01 * (x - 4) + 1)
    return torch.where(x.abs() > 4, outer, 0.125 * x + 0.5)


def _lhtan(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.001 * x, torch.where(x > 1, 0.001 * (x - 1) + 1, x))


# The constants are Darknet's, with fewer digits than torch's.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": torch.positive,
    "logistic": torch.sigmoid,
    "loggy": lambda x: 2 * torch.sigmoid(x) - 1,
    "relu": F.relu,
    "elu": F.elu,
    "selu": lambda x: torch.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * torch.expm1(x)),
    "relie": lambda x: F.leaky_relu(x, 0.01),
    "ramp": lambda x: F.relu(x) + 0.1 * x,
    "leaky": lambda x: F.leaky_relu(x, 0.1),
    "swish": F.silu,
    "tanh": torch.tanh,
    "plse": _plse,
    "stair": _stair,
    "hardtan": lambda x: x.clamp(-1, 1),
    "lhtan": _lhtan,
}


class Layer(nn.Module):
    """One layer of a cfg: a function of the layer before, and an activation function.

    ``build`` makes a layer on the meta device: it has shapes, but no memory.

    Attributes:
        kind: the section's kind, in full.
        out: the shape of the output for an image of the cfg's own size.
        sources: the numbers of the earlier layers that are inputs, besides the one before.
        activation: the name of the activation function.
    """

    kind: str
    sources: tuple[int, ...] = ()
    default_activation = ""
    """The activation function of sections that name none; empty for kinds without one."""

    def __init__(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> None:
        super().__init__()
        default = self.default_activation
        self.activation = section.text("activation", default) if default else "linear"
        if self.activation not in ACTIVATIONS:
            names = ", ".join(sorted(ACTIVATIONS))
            raise section.error(f"activation={self.activation} is not one of {names}")
        self.out = self._configure(section, shape, shapes)

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        """Read the section's other options and return the shape of the output."""
        return shape

    def forward(
        self, x: Tensor, sources: Sequence[Tensor] = (), *, activate: bool = True
    ) -> Tensor:
        """Compute the layer's output.

        Args:
            x: the output of the layer before; like the result, (n, channels, height, width).
            sources: the outputs of the layers that ``self.sources`` lists.
            activate: whether to apply the activation function.

        Raises:
            LucidError: a fully connected layer gets an input of another size.
        """
        x = self._compute(x, sources)
        return ACTIVATIONS[self.activation](x) if activate else x

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        return x

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        """List the names and shapes of the layer's arrays in a ``.weights`` file, in order."""
        return []

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Make parameters of the arrays that ``stored`` lists, given by name."""


BATCH_NORM = ("scale", "mean", "variance")


def _scale_and_shift(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Reduce a trained batch normalisation to one factor and one offset per channel."""
    scale, mean, variance = (arrays[name].astype(np.float64) for name in BATCH_NORM)
    factor = scale / (np.sqrt(variance) + 1e-6)  # Darknet adds its epsilon outside the root
    return factor, -mean * factor


def _parameter(array: np.ndarray) -> nn.Parameter:
    copied = np.array(array, np.float32, order="C")  # off the mapped file
    return nn.Parameter(torch.from_numpy(copied), requires_grad=False)


class Weighted(Layer):
    """A convolution or a fully connected layer, fused with the batch normalisation after it."""

    module: nn.Conv2d | nn.Linear
    batch_normalize: bool
    default_activation = "logistic"

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        """List bias, batch normalisation and weight, in a convolution's order."""
        weight = ("weight", tuple(self.module.weight.shape))
        count = (self.module.weight.shape[0],)
        return [("bias", count), *((n, count) for n in BATCH_NORM if self.batch_normalize), weight]

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Fuse the batch normalisation into weight and bias."""
        weight, bias = arrays["weight"], arrays["bias"]
        if self.batch_normalize:
            factor, offset = _scale_and_shift(arrays)
            weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
            bias = bias + offset
        self.module.weight = _parameter(weight)
        self.module.bias = _parameter(bias)


class Convolutional(Weighted):
    """A convolution; ``padding`` is on each side, and ``pad=1`` means half the kernel's size."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        for unsupported in ("binary", "xnor", "flipped"):
            if section.integer(unsupported, 0):
                raise section.error(f"{unsupported}=1 is not supported")
        filters = section.integer("filters", 1, least=1)
        size = section.integer("size", 1, least=1)
        stride = section.integer("stride", 1, least=1)
        groups = section.integer("groups", 1, least=1)
        padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
        channels = shape[0]
        if channels % groups or filters % groups:
            raise section.error(
                f"groups={groups} does not divide {channels} channels and {filters} filters"
            )
        self.batch_normalize = bool(section.integer("batch_normalize", 0))
        _check_weights(section, filters * (channels // groups) * size * size)
        out = _output_shape(section, filters, shape, size, stride, 2 * padding)
        self.module = nn.Conv2d(
            channels, filters, size, stride, padding, groups=groups, device="meta"
        )
        return out

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        return self.module(x)


class Connected(Weighted):
    """A fully connected layer, which fixes the size of its input; its output is 1x1 pixel."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.input_shape = shape
        self.batch_normalize = bool(section.integer("batch_normalize", 0))
        outputs = section.integer("output", 1, least=1)
        _check_weights(section, outputs * math.prod(shape))
        self.module = nn.Linear(math.prod(shape), outputs, device="meta")
        return outputs, 1, 1

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        """List bias, weight and batch normalisation: not a convolution's order."""
        bias, *normalization, weight = super().stored()
        return [bias, weight, *normalization]

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        if tuple(x.shape[1:]) != self.input_shape:
            raise LucidError(
                "a fully connected layer fixes this net's input to the size in its cfg: it takes "
                f"{self.input_shape[2]}x{self.input_shape[1]} features and got "
                f"{x.shape[3]}x{x.shape[2]}; use an earlier layer, or tiles of the net's own size"
            )
        # contiguous: Darknet flattens in the order channels, rows, columns
        return self.module(x.contiguous().flatten(1))[:, :, None, None]


class BatchNorm(Layer):
    """A batch normalisation on its own, with the statistics of the training."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.factor = nn.Parameter(torch.empty(shape[0], 1, 1, device="meta"))
        self.offset = nn.Parameter(torch.empty(shape[0], 1, 1, device="meta"))
        return shape

    def stored(self) -> list[tuple[str, tuple[int, ...]]]:
        """List scale, mean and variance."""
        return [(name, (self.out[0],)) for name in BATCH_NORM]

    def set_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Reduce the normalisation to a factor and an offset per channel."""
        factor, offset = _scale_and_shift(arrays)
        self.factor = _parameter(factor[:, None, None])
        self.offset = _parameter(offset[:, None, None])

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        return x * self.factor + self.offset


class Activation(Layer):
    """An activation function on its own."""

    default_activation = "linear"


class MaxPool(Layer):
    """The maximum over windows; ``padding`` is the sum of both sides, the smaller half first."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.stride = section.integer("stride", 1, least=1)
        self.size = section.integer("size", self.stride, least=1)
        self.padding = section.integer("padding", self.size - 1)
        return _output_shape(section, shape[0], shape, self.size, self.stride, self.padding)

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        before = self.padding // 2
        rest = self.padding - self.size
        (height, width), stride = x.shape[2:], self.stride
        bottom = (height + rest) // stride * stride + self.size - before - height
        right = (width + rest) // stride * stride + self.size - before - width
        if before or bottom > 0 or right > 0:
            x = F.pad(x, (before, right, before, bottom), value=-torch.inf)
        return F.max_pool2d(x, self.size, self.stride)


class AvgPool(Layer):
    """The average of each channel over all pixels."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        return shape[0], 1, 1

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class Identity(Layer):
    """A layer that returns its input: a dropout, a cost, or one of the detection heads."""


class Softmax(Layer):
    """A softmax over all outputs, over groups of them, or over the channels of each pixel."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        if "tree" in section.options:
            raise section.error("a softmax over a tree of classes is not supported")
        self.groups = section.integer("groups", 1, least=1)
        self.temperature = section.number("temperature", 1)
        self.spatial = bool(section.integer("spatial", 0))
        if math.prod(shape) % self.groups or self.temperature == 0:
            raise section.error(f"groups={self.groups}, temperature={self.temperature} cannot work")
        return shape

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        if self.spatial:
            return (x / self.temperature).softmax(1)
        grouped = x.contiguous().view(x.shape[0], self.groups, -1) / self.temperature
        return grouped.softmax(-1).view(x.shape)


class Route(Layer):
    """The concatenated channels of earlier layers."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.sources = tuple(
            _source(section, number, len(shapes)) for number in section.integers("layers")
        )
        channels, heights, widths = zip(*(shapes[source] for source in self.sources), strict=True)
        if len(set(heights)) > 1 or len(set(widths)) > 1:
            sizes = ", ".join(f"{w}x{h}" for h, w in zip(heights, widths, strict=True))
            raise section.error(f"joins layers of different sizes: {sizes}")
        return sum(channels), heights[0], widths[0]

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        if len(sources) == 1:
            return sources[0]
        # Layers of one size in the cfg differ by a row or a column at sizes that their strides
        # do not divide. Darknet refuses those sizes; here the common part is used.
        height, width = (min(source.shape[axis] for source in sources) for axis in (2, 3))
        return torch.cat([source[:, :, :height, :width] for source in sources], 1)


class Shortcut(Layer):
    """``alpha`` times the layer before, plus ``beta`` times an earlier layer.

    The output has the shape of the layer before. If the two differ in size, only their common
    channels are added, and every k-th pixel of the larger is paired with a pixel of the smaller,
    as in Darknet's ``shortcut_cpu``.
    """

    default_activation = "linear"

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        numbers = section.integers("from")
        if len(numbers) != 1:
            raise section.error("from= takes one layer")
        self.sources = (_source(section, numbers[0], len(shapes)),)
        self.alpha = section.number("alpha", 1)
        self.beta = section.number("beta", 1)
        return shape

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        (added,) = sources
        added_stride = max(1, added.shape[3] // x.shape[3])
        x_stride = max(1, x.shape[3] // added.shape[3])
        total = x.clone()
        ours, theirs = (
            total[:, :, ::x_stride, ::x_stride],
            added[:, :, ::added_stride, ::added_stride],
        )
        channels, height, width = (
            min(a, b) for a, b in zip(ours.shape[1:], theirs.shape[1:], strict=True)
        )
        common = ours[:, :channels, :height, :width]
        common.mul_(self.alpha).add_(theirs[:, :channels, :height, :width], alpha=self.beta)
        return total


class Reorg(Layer):
    """Space to depth: squares of pixels become channels, in the order of ``reorg_cpu``.

    Darknet reads its (c, h, w) input as if its shape were (c/s², h·s, w·s). The weights of YOLO v2
    are trained for that order. At sizes that the stride does not divide, the last rows and columns
    are left out.
    """

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.stride = section.integer("stride", 1, least=1)
        for unsupported in ("reverse", "flatten", "extra"):
            if section.integer(unsupported, 0):
                raise section.error(f"{unsupported}= is not supported")
        channels, height, width = shape
        square = self.stride**2
        if channels % square or height % self.stride or width % self.stride:
            raise section.error(
                f"stride={self.stride} does not divide {channels} channels of {width}x{height}"
            )
        return channels * square, height // self.stride, width // self.stride

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        s = self.stride
        x = x[:, :, : x.shape[2] // s * s, : x.shape[3] // s * s]
        count, channels, height, width = x.shape
        split = x.contiguous().view(count, channels // (s * s), height, s, width, s)
        return split.permute(0, 3, 5, 1, 2, 4).reshape(
            count, channels * s * s, height // s, width // s
        )


class Upsample(Layer):
    """Nearest-neighbour upsampling times ``scale``; a negative stride sums over squares instead."""

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        stride = int(section.number("stride", 2))
        self.shrinks = stride < 0
        self.stride = abs(stride)
        self.scale = section.number("scale", 1)
        channels, height, width = shape
        if not 1 <= self.stride <= 64 or (self.shrinks and min(height, width) < self.stride):
            raise section.error(f"stride={stride} cannot work on {width}x{height} features")
        if self.shrinks:
            return channels, height // self.stride, width // self.stride
        return channels, height * self.stride, width * self.stride

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        if self.shrinks:
            return F.avg_pool2d(x, self.stride) * (self.scale * self.stride**2)
        return F.interpolate(x, scale_factor=self.stride, mode="nearest") * self.scale


class Normalization(Layer):
    """Local response normalisation over neighbouring channels (Krizhevsky et al. 2012).

    Divides by (kappa + alpha * the sum of the neighbours' squares) ** beta. Darknet's running sum
    of squares omits the channel at size/2 until it leaves the window. ``neighbours`` reproduces
    that sum as a matrix between channels.
    """

    neighbours: Tensor

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        self.alpha = section.number("alpha", 0.0001)
        self.beta = section.number("beta", 0.75)
        self.kappa = section.number("kappa", 1)
        size = section.integer("size", 5, least=1)
        if shape[0] > 4096:
            raise section.error(f"cannot normalise over {shape[0]} channels")
        neighbours = _running_sums(shape[0], size)[:, :, None, None]
        self.register_buffer("neighbours", neighbours, persistent=False)
        return shape

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # squares are too large for 16 bits
            x = x.float()
            norms = self.kappa + self.alpha * F.conv2d(x * x, self.neighbours)
            return x * norms.pow(-self.beta)


def _running_sums(channels: int, size: int) -> Tensor:
    """Tell which channels Darknet sums (columns) for which channel (rows)."""
    half = size // 2
    summed, channel = torch.arange(channels), torch.arange(channels)[:, None]
    entered = (summed < half) | ((summed > half) & (summed <= channel + half))
    left = summed < channel - (size - 1) // 2
    return entered.float() - left.float()


class Crop(Layer):
    """The centre of the image, mapped from 0..1 to -1..1 unless ``noadjust=1``.

    At other sizes than the cfg's, the same fractions of height and width are cropped.
    """

    def _configure(self, section: Section, shape: Shape, shapes: Sequence[Shape]) -> Shape:
        channels, height, width = shape
        crop_height = section.integer("crop_height", 1, least=1)
        crop_width = section.integer("crop_width", 1, least=1)
        if crop_height > height or crop_width > width:
            raise section.error(f"{crop_width}x{crop_height} is more than its {width}x{height}")
        self.adjust = not section.integer("noadjust", 0)
        self.fractions = (crop_height / height, crop_width / width)
        return channels, crop_height, crop_width

    def _compute(self, x: Tensor, sources: Sequence[Tensor]) -> Tensor:
        height, width = (
            int(length * share) for length, share in zip(x.shape[2:], self.fractions, strict=True)
        )
        top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
        x = x[:, :, top : top + height, left : left + width]
        return 2 * x - 1 if self.adjust else x


def _check_weights(section: Section, count: int) -> None:
    if count > MAX_NUMEL:
        raise section.error(f"asks for {count:,} weights, more than any net has")


def _output_shape(
    section: Section, channels: int, shape: Shape, size: int, stride: int, padding: int
) -> Shape:
    """Count the windows of ``size`` that fit, with ``padding`` as the sum of both sides."""
    for length in shape[1:]:
        if length + padding < size:
            raise section.error(f"a window of {size} does not fit its input of {length} pixels")
    height, width = ((length + padding - size) // stride + 1 for length in shape[1:])
    return channels, height, width


def _source(section: Section, number: int, here: int) -> int:
    """Make a layer's number absolute; a negative one counts backwards from the layer here."""
    source = number if number >= 0 else here + number
    if not 0 <= source < here:
        raise section.error(f"reads layer {number}: there are {here} layers before it")
    return source


DETECTION_HEADS = ("yolo", "region", "detection")
KINDS: dict[str, type[Layer]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Convolutional, Connected, BatchNorm, Activation, MaxPool, AvgPool, Softmax),
        *(Route, Shortcut, Reorg, Upsample, Normalization, Crop),
    )
} | dict.fromkeys(("dropout", "cost", *DETECTION_HEADS), Identity)
ABBREVIATIONS = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "soft": "softmax",
    "lrn": "normalization",
}
RECURRENT = ("rnn", "gru", "lstm", "crnn")


def build(section: Section, shape: Shape, shapes: Sequence[Shape]) -> Layer:
    """Build the layer of a section on the meta device; ``shapes`` are those of all earlier layers.

    Raises LucidError, naming the line, if the section is invalid or of an unsupported kind.
    """
    kind = ABBREVIATIONS.get(section.kind, section.kind)
    if kind in RECURRENT:
        raise section.error("is recurrent: it reads sequences, not images, and is not supported")
    if kind not in KINDS:
        raise section.error(f"is not a kind of layer lucid knows: {', '.join(sorted(KINDS))}")
    layer = KINDS[kind](section, shape, shapes)
    if math.prod(layer.out) > MAX_NUMEL:
        raise section.error(f"has an output of {layer.out}, more than any net has")
    layer.kind = kind
    return layer
