"""Net: the interface of every classifier, and the look-up of its layers and classes by name."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, is_out_of_memory, nearest
from lucid.nets.class_names import matching_classes, suggest_classes
from lucid.nets.imagenet import own_groups
from lucid.nets.layouts import has_channels_last
from lucid.reading import read_text

ONE_AT_A_TIME = threading.RLock()
"""Held while a net is built, traced or runs forwards, so that threads take turns.

torch.fx, which finds the layers of torchvision's nets, replaces functions of the whole process
while it traces; and the hooks of a wrapped module are called by every thread that runs it.
"""

LOGITS = "logits"
"""The class logits' name among layers: in requests for activations and in their results."""


class UnknownClassError(UsageError):
    """No class of the net matches a name."""


class LayerInfo(NamedTuple):
    """Name and kind of a layer, and the shape of its output for one image of the input size."""

    name: str
    kind: str
    shape: tuple[int, ...]
    """(channels, height, width) of a feature map, (channels, tokens) of a transformer's."""


class Net(nn.Module):
    """An image classifier as a function from images to activations and class logits.

    Attributes:
        name: the name in messages and file names.
        layers: the names of the layers, in the order in which they run.
        aliases: further names of layers, each with the name in ``layers``.
        classes: the names of the classes; empty for a net that ends without class logits.
        input_size: (height, width) of the images of its training, in pixels.
        any_size: whether images of other sizes reach the class logits.
        capturable: whether a forward pass runs the same operations for all images of one size,
            without side effects, so that a CUDA graph can capture and replay it.
    """

    name: str
    layers: list[str]
    aliases: Mapping[str, str] = MappingProxyType({})
    classes: list[str]
    input_size: tuple[int, int]
    any_size: bool
    capturable: bool = True

    _layer_info: list[LayerInfo]
    # Layers that put channels last; `activations` puts them first.
    _channels_last: Collection[str] = ()
    # The layer whose softmax is the probabilities, or whose output is, if it ends in a softmax.
    _output_layer = LOGITS
    _ends_in_softmax = False
    # For messages: where a user finds the names of layers or classes, and how to give names.
    _listing = "`lucid {what} {name}`"
    _naming = "give --names FILE"

    def activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Run the net up to the deepest of some layers and return the outputs of all of them.

        Args:
            images: (n, 3, height, width), RGB, 0..1.
            layers: names from ``Net.layers``; translate what a user typed, such as an alias, with
                ``resolve_layer`` first. ``LOGITS`` requests the class logits.

        Returns:
            The output of each layer by its name: (n, channels, height, width) for a feature map,
            (n, channels, tokens) for a transformer's layer, also where the net itself puts the
            channels last.
            The logits are (n, classes), before any softmax, and before a final ReLU, behind which
            a class with a negative logit would have no gradient.

        Raises:
            LucidError: the net cannot process images of this size.
        """
        height, width = images.shape[-2:]
        try:
            with ONE_AT_A_TIME:
                outputs = self._activations(images, layers)
        except RuntimeError as error:
            # torch's message is about the kernel of one convolution or pool; the user knows
            # only the picture.
            small = height < self.input_size[0] or width < self.input_size[1]
            if small and not is_out_of_memory(error):
                raise LucidError(
                    f"{self.name} cannot process an image of {width}x{height}: it is too small to "
                    f"reach {', '.join(sorted(layers))}"
                ) from error
            raise
        for name in layers:
            if name in self._channels_last:
                outputs[name] = outputs[name].movedim(-1, 1)
        return outputs

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        raise NotImplementedError

    def logits(self, images: Tensor) -> Tensor:
        """Compute the class logits, (n, classes), of images (n, 3, height, width), RGB, 0..1.

        Raises:
            LucidError: the net cannot process images of this size, or has no classes.
        """
        return self.activations(images, [LOGITS])[LOGITS]

    def probabilities(self, images: Tensor) -> Tensor:
        """Compute the class probabilities, exactly as the original model does.

        Args:
            images: (n, 3, height, width), RGB, 0..1.

        Returns:
            (n, classes), 0..1; each row sums to 1.
        """
        output = self.activations(images, [self._output_layer])[self._output_layer].flatten(1)
        return output if self._ends_in_softmax else output.softmax(1)

    def _put_channels_first(self, layers: Iterable[LayerInfo]) -> list[LayerInfo]:
        """Find the layers that put channels last, by their shapes; return what users are told."""
        found = list(layers)
        self._channels_last = {
            layer.name for layer in found if has_channels_last(layer.shape, self.input_size)
        }
        return [
            layer._replace(shape=(layer.shape[-1], *layer.shape[:-1]))
            if layer.name in self._channels_last
            else layer
            for layer in found
        ]

    def describe(self) -> list[LayerInfo]:
        """List the name, kind and output shape of every layer, in the order they run."""
        return self._layer_info

    def layer_shape(self, name: str) -> tuple[int, ...]:
        """The shape of a layer's output for one image of the input size, by its name or an alias.

        Raises:
            UsageError: there is no such layer.
        """
        layer = self.resolve_layer(name)
        return next(shape for known, _, shape in self.describe() if known == layer)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights and their names, as hexadecimal digits."""
        digest = hashlib.sha256()
        for name, weights in self.state_dict().items():
            digest.update(name.encode() + weights.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def resolve_layer(self, name: str) -> str:
        """Translate a layer's name, as typed, into the name that ``activations`` takes.

        Args:
            name: a name from ``layers`` or ``aliases``.

        Raises:
            UsageError: there is no such layer. The message lists the most similar names.
        """
        if name in self.layers:
            return name
        if name in self.aliases:
            return self.aliases[name]
        near = nearest(name, [*self.layers, *self.aliases])
        listing = self._listing.format(what="layers", name=self.name)
        raise UsageError(f"{self.name} has no layer {name!r}{near}: see {listing}")

    def class_index(self, name: str) -> int:
        """Find the number of a class.

        Args:
            name: the class's number, or its name or another name of it, or the end of a name that
                only one has (``lucid.nets.class_names.matching_classes``).

        Returns:
            The index into ``classes`` and into the class axis of the logits.

        Raises:
            UnknownClassError: no class matches. The message lists classes that come near it.
            UsageError: several classes match, the number is too large, or the net has no classes
                or no names for them.
        """
        self.require_classes()
        if self.classes.count(name) == 1 and not name.isdecimal():
            return self.classes.index(name)  # as most names are typed; the rest reads a table
        if name.isdecimal():
            if len(name) < 10 and int(name) < len(self.classes):
                return int(name)
            raise UsageError(
                f"{self.name} has no class {name}: its classes are 0 to {len(self.classes) - 1}"
            )
        found = matching_classes(name, self.classes)
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(f"{self.classes[i]} ({i})" for i in found[:8])
            more = f" and {len(found) - 8} more" if len(found) > 8 else ""
            raise UsageError(f"class {name!r} fits several of {self.name}: {some}{more}")
        self.require_names()
        near = suggest_classes(name, self.classes, own_groups(self.classes))
        listing = self._listing.format(what="classes", name=self.name)
        raise UnknownClassError(
            f"{self.name} has no class {name!r}{near}; {listing} lists all {len(self.classes)}"
        )

    def require_classes(self) -> None:
        """Raise a UsageError if the net has no classes."""
        if not self.classes:
            raise UsageError(f"{self.name} has no classes, only layers")

    def require_names(self) -> None:
        """Raise a UsageError if the names of the classes are only their numbers."""
        if self.classes == [str(number) for number in range(len(self.classes))]:
            raise UsageError(f"{self.name}'s classes have only numbers here: {self._naming}")


def read_names(path: Path) -> list[str]:
    """Read a UTF-8 file of class names, one a line; raise LucidError if it is empty or no text."""
    names = read_text(path).rstrip().splitlines()
    if not names:
        raise LucidError(f"{path}: holds no class names")
    return names
