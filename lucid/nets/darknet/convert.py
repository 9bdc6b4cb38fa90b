"""Conversion: torchvision's AlexNet and VGG to Darknet's files, and nets to state dicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torchvision.models import VGG, AlexNet

from lucid.errors import LucidError, UsageError
from lucid.imaging.files import atomic_write
from lucid.nets.darknet import weights
from lucid.nets.darknet.layers import Crop, Layer
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import Net
from lucid.nets.state_dicts import import_safetensors, write_state_dict
from lucid.nets.torchvision import TorchvisionNet
from lucid.resources import bundled


@dataclass
class _Converted:
    """One Darknet layer: its section of a cfg, and its bias and weight, if it has them."""

    kind: str
    options: dict[str, object]
    arrays: list[Tensor]


def plan(net: Net, output: Path) -> list[Path]:
    """List the files that ``write`` will write, the weights first; raise LucidError if it cannot.

    Weights with the name of a bundled cfg are written for that cfg; others get a cfg and class
    names of their own beside them. The ending of ``output`` decides the format.
    """
    if output.suffix not in (".weights", ".pth", ".safetensors"):
        raise UsageError(f"{output}: end the name in .weights, .pth or .safetensors")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}")
    if output.suffix == ".safetensors":
        import_safetensors(output)
    if output.suffix != ".weights":
        return [output]
    if not isinstance(net, TorchvisionNet):
        raise LucidError(f"{net.name} is a Darknet net already: write a state dict, as .pth")
    layers = _convert(net)
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


def write(net: Net, output: Path, *, replace: bool = True) -> list[Path]:
    """Write a net's weights in the format of ``output``'s ending; return the files written."""
    paths = plan(net, output)
    if output.suffix != ".weights":
        model = net.model if isinstance(net, TorchvisionNet) else net
        write_state_dict(model.state_dict(), output, replace=replace)
        return paths
    assert isinstance(net, TorchvisionNet)
    layers = _convert(net)
    if output.stem in bundled():
        cfg = bundled()[output.stem]
        if any(isinstance(layer, Crop) and layer.adjust for layer in DarknetNet(cfg).stack):
            # Behind Darknet's [crop], images are of -1..1.
            bias, weight = layers[0].arrays
            layers[0].arrays = [bias + weight.sum((1, 2, 3)) / 2, weight / 2]
        layers = layers[: len(_stack(cfg))]
        weights.write(
            output, [array for layer in layers for array in layer.arrays], replace=replace
        )
        return paths
    height, width = net.input_size
    text = f"# torchvision's {net.name}, converted.\n\n[net]\n{width=}\n{height=}\nchannels=3\n\n"
    for layer in layers:
        options = "".join(f"{key}={value}\n" for key, value in layer.options.items())
        text += f"[{layer.kind}]\n{options}\n"
    with (
        atomic_write(output.with_suffix(".cfg"), replace=replace) as cfg_part,
        atomic_write(output.with_suffix(".names"), replace=replace) as names_part,
        atomic_write(output, replace=replace) as part,
    ):
        cfg_part.write_text(text + "[softmax]\n", encoding="utf-8")
        names_part.write_text("\n".join(net.classes) + "\n", encoding="utf-8")
        weights.write(part, [array for layer in layers for array in layer.arrays])
    return paths


def _convert(net: TorchvisionNet) -> list[_Converted]:
    """Convert the layers of AlexNet or a VGG, which are a chain.

    Batch normalisations are fused into the convolutions before them, and the normalisation of the
    image by mean and std into the first. torchvision pads images with the mean colour, Darknet
    with black: the two nets differ near the borders of a picture, and only there.

    Raises:
        LucidError: the net is another.
    """
    if not isinstance(net.model, VGG | AlexNet):
        raise LucidError(f"{net.name} is no chain of layers: only alexnet and the vggs are")
    layers: list[_Converted] = []
    for module in [*net.model.features, *net.model.classifier]:
        match module:
            case nn.Conv2d():
                assert module.bias is not None
                options: dict[str, object] = {
                    "filters": module.out_channels,
                    "size": module.kernel_size[0],
                    "stride": module.stride[0],
                    "padding": module.padding[0],
                    "activation": "linear",
                }
                layers.append(_Converted("convolutional", options, [module.bias, module.weight]))
            case nn.Linear():
                options = {"output": module.out_features, "activation": "linear"}
                layers.append(_Converted("connected", options, [module.bias, module.weight]))
            case nn.MaxPool2d():
                options = {"size": module.kernel_size, "stride": module.stride, "padding": 0}
                layers.append(_Converted("maxpool", options, []))
            case nn.Dropout():
                layers.append(_Converted("dropout", {"probability": module.p}, []))
            case nn.ReLU():
                layers[-1].options["activation"] = "relu"
            case nn.BatchNorm2d(running_mean=Tensor() as mean, running_var=Tensor() as var):
                bias, weight = layers[-1].arrays
                scale = module.weight * (var + module.eps).rsqrt()
                bias = (bias - mean) * scale + module.bias
                layers[-1].arrays = [bias, weight * scale[:, None, None, None]]
    bias, weight = layers[0].arrays
    weight = weight / net.std
    layers[0].arrays = [bias - (weight * net.mean).sum((1, 2, 3)), weight]
    return layers


def _stack(cfg: Path) -> list[Layer]:
    """Build a bundled net's layers, without those before the first and after the last weights."""
    unweighted = ("crop", "softmax", "cost")
    return [layer for layer in DarknetNet(cfg).darknet_layers if layer.kind not in unweighted]
