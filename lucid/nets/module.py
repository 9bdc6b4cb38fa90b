"""Any image classifier made of torch's modules, a user's own or timm's, as a net."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, is_out_of_memory, nearest
from lucid.nets.net import LOGITS, Net, UnknownClassError

INPUT_SIZE = (224, 224)
"""What a module is taken to be trained at, in pixels, where nothing says otherwise."""


def wrap(
    module: nn.Module,
    *,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_size: tuple[int, int] | None = None,
    name: str | None = None,
    any_size: bool | None = None,
) -> WrappedNet:
    """Make a net of any image classifier: a ``torch.nn.Module`` of yours, or timm's.

    The module itself is wrapped, not a copy: it is put into eval mode and single
    precision, its weights are frozen, and it moves to the device that the net runs on.
    To train it further, wrap ``copy.deepcopy(module)``.

    Args:
        module: maps (n, 3, height, width) images to (n, classes) scores. If it ends in a
            softmax, wrap what comes before: where a class is all but certain, a softmax
            leaves nothing to climb.
        classes: the classes' names, in order; without them they have numbers.
        mean: of red, green and blue, for images of 0..1: what the module expects to be
            subtracted. Without it, what a timm module says of itself, else 0.
        std: what it expects to be divided by then. Without it, timm's, else 1.
        input_size: (height, width) it was trained at, in pixels. Without it, timm's, else
            224x224.
        name: what to call it in messages; without it, its class's name in lower case.
        any_size: whether images of other sizes reach the scores; without it, one is tried.

    Raises:
        UsageError: the module cannot see an image of that size, puts out no class scores
            or not as many as there are names; or a setting makes no sense.

    >>> import lucid, torch
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Conv2d(3, 8, 5, stride=2),
    ...     torch.nn.ReLU(),
    ...     torch.nn.AdaptiveAvgPool2d(1),
    ...     torch.nn.Flatten(),
    ...     torch.nn.Linear(8, 2),
    ... )
    >>> net = lucid.wrap(module, classes=["cat", "dog"], input_size=(32, 32))
    >>> net.layers, net.any_size
    (['0', '1', '2', '3', '4'], True)
    >>> lucid.draw(net, ["dog"], size=(48, 48), iterations=1).size
    (48, 48)
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"only a torch.nn.Module can be wrapped, not a {type(module).__name__}")
    # Compiled, a module no longer calls its parts one by one.
    module = getattr(module, "_orig_mod", module)
    # What timm's models say of themselves, under its newer name or its older.
    says = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    known: Mapping[str, Any] = says if isinstance(says, Mapping) else {}
    mean = _three("mean", known.get("mean", (0, 0, 0)) if mean is None else mean)
    std = _three("std", known.get("std", (1, 1, 1)) if std is None else std)
    if min(std) <= 0:
        raise UsageError(f"std {std} must be above 0: images are divided by it")
    height_and_width = input_size or known.get("input_size", INPUT_SIZE)[-2:]
    return WrappedNet(
        module,
        name or type(module).__name__.lower(),
        classes,
        mean,
        std,
        _size(height_and_width),
        any_size,
    )


class WrappedNet(Net):
    """A module of somebody's. Its layers are its submodules, under their dotted names.

    Those are layers that put out one tensor, batched as the images are, in the order in
    which they are done; one that is called several times shows its last call. What the
    module computes between its submodules is no layer, and what it does in place later
    changes none. A TorchScript module shows no layers, but its scores.
    """

    mean: Tensor
    deviation: Tensor
    capturable = False

    def __init__(
        self,
        module: nn.Module,
        name: str,
        classes: Sequence[str] | None,
        mean: Sequence[float],
        deviation: Sequence[float],
        input_size: tuple[int, int],
        any_size: bool | None,
    ) -> None:
        """Wrap a module; see ``wrap``."""
        super().__init__()
        self.name = name
        self.input_size = input_size
        self.model = module.eval().float()
        self.requires_grad_(False)
        stored = next(itertools.chain(module.parameters(), module.buffers()), torch.empty(0))
        for key, three in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(key, torch.tensor(three, device=stored.device)[:, None, None])
        # Colours last is quicker, but a module that calls `view` may insist on them first.
        try:
            answers = self._look(torch.channels_last)
        except Exception:
            try:
                answers = self._look(torch.contiguous_format)
            except Exception as error:
                raise UsageError(
                    f"{name} cannot see an image of {input_size[1]}x{input_size[0]} "
                    f"({_first_line(error)}): give the input_size it was trained at"
                ) from error
        self.layers = list(self._shapes)
        self.classes = self._name(answers, classes)
        self.any_size = self._sees_any_size() if any_size is None else any_size

    def _look(self, order: torch.memory_format) -> list[Any]:
        """Find the layers, with colours first or last in memory.

        Returns:
            What the module answers to one image, and to two.
        """
        self._order = order
        self.to(memory_format=order)
        # What happens to be as long as one batch is not as long as the other.
        (first, one), (second, two) = self._shapes_for(1), self._shapes_for(2)
        self._shapes = {
            name: shape[1:]
            for name, shape in two.items()
            if len(shape) > 1 and shape[0] == 2 and one.get(name) == (1, *shape[1:])
        }
        return [first, second]

    def _shapes_for(self, count: int) -> tuple[Any, dict[str, tuple[int, ...]]]:
        """What the module answers to so many blank images, and the shapes of what its
        submodules put out, in the order in which they are done."""
        shapes: dict[str, tuple[int, ...]] = {}
        self._calls: Counter[str] = Counter()

        def note(name: str, output: object) -> None:
            self._calls[name] += 1
            shapes.pop(name, None)  # its place is that of its last call
            if isinstance(output, Tensor) and output.is_floating_point():
                shapes[name] = tuple(output.shape)

        # TorchScript's modules take no hooks, and LOGITS stands for the answer.
        names = [
            name
            for name, part in self.model.named_modules()
            if name not in ("", LOGITS) and not isinstance(part, torch.jit.ScriptModule)
        ]
        images = torch.zeros(count, 3, *self.input_size, device=self.mean.device)
        with torch.no_grad(), self._watched(names, note):
            return self._answer(images), shapes

    def _name(self, answers: Sequence[Any], classes: Sequence[str] | None) -> list[str]:
        """The classes' names, if they and the answers to one image and to two make sense."""
        for images, scores in enumerate(answers, start=1):
            if not isinstance(scores, Tensor):
                raise UsageError(
                    f"{self.name} puts out a {type(scores).__name__}, not a tensor: wrap a module "
                    "that puts out its class scores alone"
                )
            if scores.ndim != 2 or len(scores) != images:
                raise UsageError(
                    f"{self.name} puts out {tuple(scores.shape)} for a batch of {images}, not "
                    f"({images}, classes): wrap a module that puts out class scores"
                )
        count = scores.shape[1]
        if classes is None:
            return [str(number) for number in range(count)]
        if isinstance(classes, str) or len(classes) != count:
            given = f"the text {classes!r}" if isinstance(classes, str) else f"{len(classes)} names"
            raise UsageError(f"classes is {given}, but {self.name} has {count} classes")
        return list(classes)

    def _sees_any_size(self) -> bool:
        # Odd and oblong: some modules need a multiple of something, or a square.
        height, width = (side | 1 for side in self.input_size)
        images = torch.zeros(2, 3, height + 32, width + 56, device=self.mean.device)
        try:
            with torch.no_grad():
                return self._answer(images).shape == (2, len(self.classes))
        except Exception:  # whatever the module says to a size that it does not take
            return False

    def _answer(self, images: Tensor) -> Any:
        shown = (images - self.mean) / self.deviation
        return self.model(shown.contiguous(memory_format=self._order))

    @contextlib.contextmanager
    def _watched(
        self, names: Collection[str], see: Callable[[str, object], None]
    ) -> Iterator[None]:
        """Tell ``see`` the name and the output of each of these submodules when it is done."""
        # Hooks come and go with a pass: one that stayed would, in a copy of the net, still
        # tell of the original.
        with contextlib.ExitStack() as hooks:
            for name in names:
                hooks.enter_context(
                    self.model.get_submodule(name).register_forward_hook(
                        lambda _module, _inputs, output, name=name: see(name, output)
                    )
                )
            yield

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As any module's, but for the order of colours in memory, which the net knows best."""
        if "memory_format" in kwargs:
            kwargs["memory_format"] = self._order
        return super().to(*args, **kwargs)

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        size = tuple(images.shape[-2:])
        wanted = [layer for layer in self.layers if layer in layers]
        deepest = None if LOGITS in layers else wanted[-1]
        seen: dict[str, Any] = {}
        calls: Counter[str] = Counter()

        def keep(name: str, output: Any) -> None:
            calls[name] += 1
            if name == deepest and calls[name] == self._calls[name]:
                seen[name] = output
                raise _Reached
            # What comes later may work in place.
            seen[name] = output.clone()

        try:
            with self._watched(wanted, keep), contextlib.suppress(_Reached):
                seen[LOGITS] = self._answer(images)
        except Exception as error:
            out_of_memory = isinstance(error, RuntimeError) and is_out_of_memory(error)
            if size == self.input_size or out_of_memory:
                raise
            raise self._unseen(size, layers) from error
        missed = [name for name in layers if name not in seen]
        if missed:
            raise LucidError(f"{self.name} does not run {', '.join(missed)} on such an image")
        # At another size a module may mistake parts of an image for images.
        if any(len(seen[name]) != len(images) for name in layers):
            raise self._unseen(size, layers)
        return {name: seen[name] for name in layers}

    def _unseen(self, size: tuple[int, ...], layers: Collection[str]) -> LucidError:
        height, width = self.input_size
        return LucidError(
            f"{self.name} cannot see an image of {size[1]}x{size[0]} as far as "
            f"{', '.join(sorted(layers))}: its own size is {width}x{height}"
        )

    def probabilities(self, images: Tensor) -> Tensor:
        return self.scores(images).softmax(1)

    def describe(self) -> list[tuple[str, str, tuple[int, ...]]]:
        return [
            (name, type(self.model.get_submodule(name)).__name__, shape)
            for name, shape in self._shapes.items()
        ]

    def resolve_layer(self, name: str) -> str:
        if name in self.layers:
            return name
        raise UsageError(
            f"{self.name} has no layer {name!r}{nearest(name, self.layers)}: see its .layers"
        )

    def class_index(self, name: str) -> int:
        try:
            return super().class_index(name)
        except UnknownClassError:
            raise UnknownClassError(
                f"{self.name} has no class {name!r}{nearest(name, self.classes)}: see its .classes"
            ) from None

    def require_names(self) -> None:
        if self.classes == [str(number) for number in range(len(self.classes))]:
            raise UsageError(f"{self.name}'s classes have only numbers: wrap it with classes=…")


class _Reached(BaseException):
    """Ends a pass at the deepest layer. No ``Exception``, which a module may catch."""


def _three(what: str, numbers: Sequence[float]) -> list[float]:
    try:
        three = [float(number) for number in numbers]
    except (TypeError, ValueError):
        three = []
    if len(three) != 3 or not all(map(math.isfinite, three)):
        raise UsageError(f"{what} {numbers!r} must be three numbers: red's, green's and blue's")
    return three


def _size(given: Sequence[int]) -> tuple[int, int]:
    if not isinstance(given, Sequence) or len(given) != 2 or min(given) < 1:
        raise UsageError(f"input_size {given!r} must be (height, width), in pixels")
    return int(given[0]), int(given[1])


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
