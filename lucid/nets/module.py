"""Any torch.nn.Module that classifies images, of the user or of timm, as a net."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, is_out_of_memory
from lucid.imaging.filters import luma
from lucid.nets.net import LOGITS, ONE_AT_A_TIME, LayerInfo, Net

INPUT_SIZE = (224, 224)
"""(height, width) in pixels, for modules that name no input size."""


@torch.inference_mode(False)
def wrap(
    module: nn.Module,
    *,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    input_size: tuple[int, int] | None = None,
    name: str | None = None,
    any_size: bool | None = None,
) -> WrappedNet:
    """Make a net of any image classifier: your own ``torch.nn.Module``, or one of timm's.

    The module itself is wrapped, not a copy. It is put into eval mode and single precision, its
    weights are frozen, and it moves to the device that the net runs on. To train it further, wrap
    ``copy.deepcopy(module)``.

    Args:
        module: maps (n, 3, height, width) images to (n, classes) logits, or to a tuple or a mapping
            with the logits in it. If its first convolution takes one channel, it is shown
            brightness. If it ends in a softmax, wrap the part before the softmax: the gradient of
            a softmax vanishes where one class is nearly certain.
        classes: the names of the classes, in order. Default: their numbers.
        mean: subtracted from red, green and blue of images of 0..1 before the module sees them;
            one number for a module of one channel. Default: the mean in a timm module's
            configuration, else 0.
        std: divides the result, above 0. Default: timm's, else 1.
        input_size: (height, width) of the images of its training, in pixels. Default: timm's, else
            224x224.
        name: the net's name in messages. Default: the module's class, in lower case.
        any_size: whether images of other sizes reach the logits. Default: one is tried.

    Raises:
        UsageError: the module cannot process an image of that size, returns no logits, or not as
            many as there are names; or an argument is invalid.

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
    # A compiled module does not call its submodules one by one; the original does.
    module = getattr(module, "_orig_mod", module)
    # The configuration of a timm model, under its newer name or its older.
    found = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    config: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    grey = _is_grey(module)
    mean = _check_colours("mean", config.get("mean", (0, 0, 0)) if mean is None else mean, grey)
    std = _check_colours("std", config.get("std", (1, 1, 1)) if std is None else std, grey)
    if min(std) <= 0:
        raise UsageError(f"std {std} must be above 0: images are divided by it")
    size = input_size or config.get("input_size", INPUT_SIZE)[-2:]
    if not isinstance(size, Sequence) or len(size) != 2 or min(size) < 1:
        raise UsageError(f"input_size {size!r} must be (height, width), in pixels")
    height, width = map(int, size)
    name = name or type(module).__name__.lower()
    with ONE_AT_A_TIME:
        return WrappedNet(module, name, classes, mean, std, (height, width), any_size)


def _is_grey(module: nn.Module) -> bool:
    """Tell whether a module takes images of one channel, by its first convolution."""
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return first is not None and first.in_channels == 1


def _check_colours(option: str, values: Sequence[float] | float, grey: bool) -> list[float]:
    """Return three numbers, or one for brightness."""
    try:
        given = [values] if isinstance(values, int | float) else values
        colours = [float(value) for value in given]
    except (TypeError, ValueError):
        colours = []
    if grey and len(colours) == 3:
        colours = [sum(colours) / 3]
    if len(colours) != (1 if grey else 3) or not all(map(math.isfinite, colours)):
        wanted = "one number" if grey else "three numbers: red's, green's and blue's"
        raise UsageError(f"{option} {values!r} must be {wanted}")
    return colours


class WrappedNet(Net):
    """A wrapped module. Its layers are its submodules, under their dotted names.

    Layers are the submodules that return one floating-point tensor whose first axis is the batch,
    in the order in which they finish; one that is called several times shows its last call.
    Operations between the submodules are no layers, and later in-place operations change no
    layer's activations. A TorchScript module has no layers, only logits.
    """

    mean: Tensor
    std: Tensor
    capturable = False
    _listing = "its .{what}"
    _naming = "wrap it with classes=…"

    def __init__(
        self,
        module: nn.Module,
        name: str,
        classes: Sequence[str] | None,
        mean: list[float],
        std: list[float],
        input_size: tuple[int, int],
        any_size: bool | None,
    ) -> None:
        super().__init__()
        self.name = name
        self.input_size = input_size
        self.model = module.eval().float()
        _clone_inference_tensors(module)
        self.requires_grad_(False)
        stored = next(itertools.chain(module.parameters(), module.buffers()), torch.empty(0))
        for key, colours in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(colours, device=stored.device)[:, None, None])
        try:
            outputs = self._find_layers(torch.channels_last)  # the faster memory format
        except UsageError:
            outputs = self._find_layers(torch.contiguous_format)  # for a module that calls view
        self.layers = [layer.name for layer in self._layer_info]
        self.classes = self._check_classes(outputs, classes)
        self.any_size = self._try_other_size() if any_size is None else any_size

    def _find_layers(self, memory_format: torch.memory_format) -> list[Any]:
        """Find the layers and shapes; return the module's outputs for one image and for two."""
        self._memory_format = memory_format
        self.to(memory_format=memory_format)
        try:
            (output, shapes), (output_of_two, shapes_of_two) = map(self._run_blank, (1, 2))
        except Exception as error:  # of whatever type the module raises
            height, width = self.input_size
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"{self.name} cannot process an image of {width}x{height} ({reason}): "
                "give the input_size it was trained at"
            ) from error
        # The batch axis is the one that grows from 1 to 2.
        self._layer_info = self._put_channels_first(
            LayerInfo(name, type(self.model.get_submodule(name)).__name__, shape[1:])
            for name, shape in shapes_of_two.items()
            if len(shape) > 1 and shape[0] == 2 and shapes.get(name) == (1, *shape[1:])
        )
        return [output, output_of_two]

    def _run_blank(self, count: int) -> tuple[Any, dict[str, tuple[int, ...]]]:
        """Return the module's output for blank images, and its submodules' shapes in order."""
        shapes: dict[str, tuple[int, ...]] = {}
        self._calls: Counter[str] = Counter()

        def record(name: str, output: object) -> None:
            self._calls[name] += 1
            shapes.pop(name, None)  # of several calls, the last decides the order
            if isinstance(output, Tensor) and output.is_floating_point():
                shapes[name] = tuple(output.shape)

        # TorchScript modules take no hooks, and the name of the logits is taken.
        names = [
            name
            for name, part in self.model.named_modules()
            if name not in ("", LOGITS) and not isinstance(part, torch.jit.ScriptModule)
        ]
        images = torch.zeros(count, 3, *self.input_size, device=self.mean.device)
        with torch.no_grad(), self._hooks(names, record):
            return self._run(images), shapes

    def _run(self, images: Tensor) -> Any:
        if len(self.mean) == 1:
            images = luma(images.movedim(1, 0)).movedim(0, 1)
        normalized = (images - self.mean) / self.std
        return find_logits(self.model(normalized.contiguous(memory_format=self._memory_format)))

    def _check_classes(self, outputs: Sequence[Any], classes: Sequence[str] | None) -> list[str]:
        """Return the class names, once the outputs for one image and two prove to be logits."""
        for count, logits in enumerate(outputs, start=1):
            if not isinstance(logits, Tensor):
                raise UsageError(
                    f"{self.name} returns a {type(logits).__name__} without a tensor of logits, "
                    "(n, classes): wrap a module that returns its class logits"
                )
            if logits.ndim != 2 or len(logits) != count:
                raise UsageError(
                    f"{self.name} returns {tuple(logits.shape)} for a batch of {count}, not "
                    f"({count}, classes): wrap a module that returns class logits"
                )
        number = logits.shape[1]
        if classes is None:
            return [str(index) for index in range(number)]
        if isinstance(classes, str) or len(classes) != number:
            given = f"the text {classes!r}" if isinstance(classes, str) else f"{len(classes)} names"
            raise UsageError(f"classes is {given}, but {self.name} has {number} classes")
        return list(classes)

    def _try_other_size(self) -> bool:
        # Odd and oblong: some modules need a multiple of some number, or a square.
        height, width = (side | 1 for side in self.input_size)
        images = torch.zeros(2, 3, height + 32, width + 56, device=self.mean.device)
        try:
            with torch.no_grad():
                return self._run(images).shape == (2, len(self.classes))
        except Exception:  # of whatever type the module raises
            return False

    @contextlib.contextmanager
    def _hooks(
        self, names: Collection[str], callback: Callable[[str, object], Any]
    ) -> Iterator[None]:
        """Call ``callback`` with the name and output of each of these submodules.

        What it returns, unless that is None, takes the output's place.

        The hooks last for one forward pass: permanent ones would, in a deep copy of the net, still
        call back to the original.
        """
        with contextlib.ExitStack() as hooks:
            for name in names:
                hooks.enter_context(
                    self.model.get_submodule(name).register_forward_hook(
                        lambda _module, _inputs, output, name=name: callback(name, output)
                    )
                )
            yield

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move or cast the net like any module, but keep its memory format."""
        if "memory_format" in kwargs:
            kwargs["memory_format"] = self._memory_format
        return super().to(*args, **kwargs)

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        requested = [layer for layer in self.layers if layer in layers]
        deepest = None if LOGITS in layers else requested[-1]
        outputs: dict[str, Any] = {}
        calls: Counter[str] = Counter()

        def keep(name: str, output: Any) -> Any:
            calls[name] += 1
            if name == deepest and calls[name] == self._calls[name]:
                outputs[name] = output
                raise _StopForward
            outputs[name] = output
            return output.clone()  # to go on with: later operations may work in place

        size = tuple(images.shape[-2:])
        wrong_size = LucidError(
            "{} cannot process an image of {}x{} as far as {}: its own size is {}x{}".format(
                self.name, *size[::-1], ", ".join(sorted(layers)), *self.input_size[::-1]
            )
        )
        try:
            with self._hooks(requested, keep), contextlib.suppress(_StopForward):
                outputs[LOGITS] = self._run(images)
        except Exception as error:
            out_of_memory = isinstance(error, RuntimeError) and is_out_of_memory(error)
            if size == self.input_size or out_of_memory:
                raise
            raise wrong_size from error
        missing = [name for name in layers if name not in outputs]
        if missing:
            raise LucidError(f"{self.name} does not run {', '.join(missing)} on such an image")
        # At another size a module may mistake parts of an image for further images.
        if any(len(outputs[name]) != len(images) for name in layers):
            raise wrong_size
        return {name: outputs[name] for name in layers}


def find_logits(output: Any) -> Any:
    """Take the logits out of a tuple or mapping: under ``logits``, else what is (n, classes).

    Modules of the Hugging Face Hub return mappings, some of torchvision's in training tuples.
    """
    if isinstance(output, Tensor) or not isinstance(output, Mapping | tuple | list):
        return output
    parts = list(output.values()) if isinstance(output, Mapping) else list(output)
    if isinstance(output, Mapping) and "logits" in output:
        parts.insert(0, output["logits"])
    fitting = (part for part in parts if isinstance(part, Tensor) and part.ndim == 2)
    return next(fitting, output)


class _StopForward(BaseException):
    """Ends a forward pass at the deepest layer. No ``Exception``: a module may catch those."""


def _clone_inference_tensors(module: nn.Module) -> None:
    """Replace weights that were made in ``torch.inference_mode``, which no gradient may pass."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.is_inference():
                setattr(part, name, nn.Parameter(parameter.clone(), requires_grad=False))
        for name, buffer in part.named_buffers(recurse=False):
            if buffer.is_inference():
                setattr(part, name, buffer.clone())
