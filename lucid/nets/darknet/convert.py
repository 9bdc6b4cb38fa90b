"""From one kind of net to the other: torchvision's chains as Darknet's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torchvision.models import VGG, AlexNet

from lucid.errors import LucidError, UsageError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet import weights
from lucid.nets.darknet.layers import Crop, Layer
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import Net
from lucid.nets.torchvision import TorchvisionNet
from lucid.resources import bundled


@dataclass
class _Layer:
    """A module with what stands behind it: batch normalisation folded in, and a ReLU."""

    module: nn.Module
    arrays: list[Tensor]  # bias and weight, or none
    activation: str = "linear"

    @property
    def kind(self) -> str:
        """What Darknet calls it."""
        return KINDS[type(self.module)]

    def section(self) -> str:
        """Its part of a cfg."""
        options: dict[str, object]
        match self.module:
            case nn.Conv2d() as module:
                options = {
                    "filters": module.out_channels,
                    "size": module.kernel_size[0],
                    "stride": module.stride[0],
                    "padding": module.padding[0],
                    "activation": self.activation,
                }
            case nn.Linear() as module:
                options = {"output": module.out_features, "activation": self.activation}
            case nn.MaxPool2d() as module:
                options = {"size": module.kernel_size, "stride": module.stride, "padding": 0}
            case module:
                options = {"probability": module.p}
        return "\n".join([f"[{self.kind}]", *(f"{key}={value}" for key, value in options.items())])


KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolutional",
    nn.Linear: "connected",
    nn.MaxPool2d: "maxpool",
    nn.Dropout: "dropout",
}


def _chain(net: TorchvisionNet) -> list[_Layer]:
    """The layers of a net whose layers are a chain: AlexNet and the VGGs.

    What the net does to an image first (mean and deviation) is folded into its
    first layer. Where a layer pads its input, torchvision pads with the mean
    colour and Darknet with black: the two differ at the picture's border, and
    agree where it does not reach.

    Raises:
        LucidError: the net is no such chain.
    """
    if not isinstance(net.model, VGG | AlexNet):
        raise LucidError(f"{net.name} is no chain of layers: only alexnet and the vggs are")
    layers = list(_layers([*net.model.features, *net.model.classifier]))
    bias, weight = layers[0].arrays
    weight = weight / net.deviation
    layers[0].arrays = [bias - (weight * net.mean).sum((1, 2, 3)), weight]
    return layers


def _see_from_minus_one(layer: _Layer) -> None:
    """Make a layer that takes 0..1 take -1..1, as behind Darknet's ``[crop]``."""
    bias, weight = layer.arrays
    layer.arrays = [bias + weight.sum((1, 2, 3)) / 2, weight / 2]


def _layers(modules: Sequence[nn.Module]) -> Iterator[_Layer]:
    layer: _Layer | None = None
    for module in modules:
        if layer and isinstance(module, nn.BatchNorm2d):
            bias, weight = layer.arrays
            scale = module.weight * (_there(module.running_var) + module.eps).rsqrt()
            layer.arrays = [
                (bias - _there(module.running_mean)) * scale + module.bias,
                weight * scale[:, None, None, None],
            ]
        elif layer and isinstance(module, nn.ReLU):
            layer.activation = "relu"
        else:
            if layer:
                yield layer
            layer = _Layer(module, _arrays(module))
    if layer:
        yield layer


def _arrays(module: nn.Module) -> list[Tensor]:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return [_there(module.bias), module.weight]
    return []


def _there(tensor: Tensor | None) -> Tensor:
    assert tensor is not None, "VGG and AlexNet have all of theirs"
    return tensor


STATE_DICTS = (".pth", ".safetensors")


def plan(net: Net, output: Path) -> list[Path]:
    """The files that ``write`` will write, all checked before there are any weights.

    Weights that are called like a bundled cfg go with that cfg; others get a
    cfg and names of their own beside them.

    Args:
        net: without weights will do.
        output: its ending says the form: ``.weights``, ``.pth`` or ``.safetensors``.

    Raises:
        UsageError: the ending is none of these, or there is no such folder.
        LucidError: the net cannot be put so.
    """
    if output.suffix not in (".weights", *STATE_DICTS):
        raise UsageError(f"{output}: end the name in .weights, .pth or .safetensors")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}")
    if output.suffix != ".weights":
        if output.suffix == ".safetensors":
            _safetensors(output)
        return [output]
    if not isinstance(net, TorchvisionNet):
        raise LucidError(f"{net.name} is a Darknet net already: write a state dict, as .pth")
    layers = _chain(net)
    if output.stem not in bundled():
        return [output, output.with_suffix(".cfg"), output.with_suffix(".names")]
    cfg = bundled()[output.stem]
    wanted = [(layer.kind, [shape for _, shape in layer.stored()]) for layer in _stack(cfg)]
    given = [(layer.kind, [array.shape for array in layer.arrays]) for layer in layers]
    if given[: len(wanted)] != wanted:
        raise LucidError(
            f"{output}: {net.name} does not begin as {cfg.name} does: give another name"
        )
    return [output]


def write(net: Net, output: Path) -> list[Path]:
    """Write a net's weights: Darknet's as ``.weights``, a state dict as anything else.

    Returns:
        The files written, the weights first.

    Raises:
        UsageError: see ``plan``.
        LucidError: the net cannot be put so, or a file cannot be written.
    """
    paths = plan(net, output)
    if output.suffix == ".weights":
        _write_darknet(net, output)
        return paths
    state = (net.model if isinstance(net, TorchvisionNet) else net).state_dict()
    with atomic_write(output) as part:
        try:
            if output.suffix == ".safetensors":
                whole = {key: value.contiguous() for key, value in state.items()}
                _safetensors(output).save_file(whole, part)
            else:
                torch.save(state, part)
        except Exception as error:  # neither raises OSError where the disk is full
            raise LucidError(f"{output}: cannot be written ({error})") from error
    return paths


def _write_darknet(net: Net, output: Path) -> None:
    assert isinstance(net, TorchvisionNet)
    layers = _chain(net)
    if output.stem in bundled():
        cfg = bundled()[output.stem]
        if any(isinstance(layer, Crop) and layer.stretch for layer in DarknetNet(cfg).stack):
            _see_from_minus_one(layers[0])
        arrays = [array for layer in layers[: len(_stack(cfg))] for array in layer.arrays]
        weights.write(output, [array.detach().numpy() for array in arrays])
        return
    height, width = net.input_size
    text = "\n\n".join([
        f"# torchvision's {net.name}, converted.",
        f"[net]\nwidth={width}\nheight={height}\nchannels=3",
        *(layer.section() for layer in layers),
        "[softmax]",
    ])  # fmt: skip
    with (
        atomic_write(output.with_suffix(".cfg")) as cfg_part,
        atomic_write(output.with_suffix(".names")) as names_part,
        atomic_write(output) as part,
    ):
        cfg_part.write_text(text + "\n", encoding="utf-8")
        names_part.write_text("\n".join(net.classes) + "\n", encoding="utf-8")
        weights.write(part, [array.detach().numpy() for layer in layers for array in layer.arrays])


def _stack(cfg: Path) -> list[Layer]:
    """A bundled net's layers, without what only prepares its image or ends it."""
    layers = [layer for layer in DarknetNet(cfg).stack if isinstance(layer, Layer)]
    return [layer for layer in layers if layer.kind not in ("crop", "softmax", "cost")]


def _safetensors(output: Path) -> ModuleType:
    try:
        import safetensors.torch
    except ImportError as error:
        raise LucidError(f"{output}: needs safetensors: pip install safetensors") from error
    return safetensors.torch
