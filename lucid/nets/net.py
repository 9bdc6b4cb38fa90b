"""The one small interface behind which every net stands."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, is_out_of_memory, nearest

LOGITS = "scores"
"""Stands for the class scores where a layer's name is asked for."""


class UnknownClassError(UsageError):
    """None of a net's classes is called that."""


class Net(nn.Module):
    """A net that can be climbed: what the rest of lucid knows of one.

    Attributes:
        name: what to call it in messages and file names.
        layers: the names of its layers, in the order they run.
        classes: the names of its classes; empty where it has none.
        input_size: (height, width) it was trained at, in pixels.
        any_size: whether images of other sizes reach its class scores.
        repeatable: whether a pass does the same to any images of one size, and nothing on
            the side, so that it may be recorded once and replayed.
    """

    name: str
    layers: list[str]
    classes: list[str]
    input_size: tuple[int, int]
    any_size: bool
    capturable: bool = True

    def activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What the named layers put out, from one pass that stops at the deepest.

        Args:
            images: (n, 3, height, width), RGB, 0..1.
            layers: names of layers, as ``resolve_layer`` gives them. ``LOGITS``
                is the class scores, (n, classes), before any softmax and
                before a ReLU that would cut their gradient off.

        Raises:
            LucidError: the images are of a size the net cannot run at.
        """
        height, width = images.shape[-2:]
        try:
            return self._activations(images, layers)
        except RuntimeError as error:
            # The message of torch is about one convolution's kernel or one
            # pool's output; the user knows only the picture.
            small = height < self.input_size[0] or width < self.input_size[1]
            if small and not is_out_of_memory(error):
                raise LucidError(
                    f"{self.name} cannot see an image of {width}x{height}: it is too small to "
                    f"reach {', '.join(sorted(layers))}"
                ) from error
            raise

    def scores(self, images: Tensor) -> Tensor:
        """Class scores, (n, classes), as ``activations`` gives them for ``LOGITS``."""
        return self.activations(images, [LOGITS])[LOGITS]

    def probabilities(self, images: Tensor) -> Tensor:
        """What the net itself answers, (n, classes), summing to 1 in each row."""
        raise NotImplementedError

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of its weights, as hexadecimal digits."""
        digest = hashlib.sha256()
        for name, weights in self.state_dict().items():
            digest.update(name.encode() + weights.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def describe(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Name, kind and output shape, at the trained size, of every layer."""
        raise NotImplementedError

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        raise NotImplementedError

    def resolve_layer(self, name: str) -> str:
        """The layer's own name.

        Raises:
            UsageError: there is no such layer; offers the nearest.
        """
        if name in self.layers:
            return name
        raise UsageError(
            f"{self.name} has no layer {name!r}{nearest(name, self.layers)}: "
            f"see `lucid layers {self.name}`"
        )

    def require_classes(self) -> None:
        """Raise a UsageError if the net has no classes."""
        if not self.classes:
            raise UsageError(f"{self.name} has no classes: it can climb only its layers")

    def require_names(self) -> None:
        """Raise a UsageError if its classes have only their numbers for names."""
        if self.classes == [str(number) for number in range(len(self.classes))]:
            raise UsageError(f"{self.name}'s classes have only numbers here: give --names FILE")

    def class_index(self, name: str) -> int:
        """A class's number, from its number, its name or an unambiguous part of it.

        Raises:
            UnknownClassError: no class fits; offers the nearest.
            UsageError: several fit, or the net has no classes.
        """
        self.require_classes()
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
        raise UnknownClassError(
            f"{self.name} has no class {name!r}{nearest(name, self.classes)}: "
            f"see `lucid classes {self.name}`"
        )


def read_names(path: Path) -> list[str]:
    """The lines of a file of class names.

    Raises:
        LucidError: it cannot be read as text, or is empty.
    """
    try:
        names = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise LucidError(f"{path}: cannot be read as class names ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LucidError(f"{path}: is not a text file of class names") from error
    if not names:
        raise LucidError(f"{path}: holds no class names")
    return names


def matching_classes(name: str, known: Sequence[str]) -> list[int]:
    """The numbers of the names that are this one, or else of those that contain it."""
    wanted = normalize_name(name)
    names = [normalize_name(candidate) for candidate in known]
    exact = [number for number, candidate in enumerate(names) if candidate == wanted]
    return exact or [
        number for number, candidate in enumerate(names) if wanted and wanted in candidate
    ]


def normalize_name(name: str) -> str:
    """A name as people may type it: in any case, with blanks, hyphens or underscores."""
    return name.strip().casefold().replace("-", " ").replace("_", " ")
