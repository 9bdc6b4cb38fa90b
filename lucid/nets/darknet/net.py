"""DarknetNet: the layers of a cfg file, run in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

from lucid.errors import UsageError
from lucid.nets.darknet import cfg
from lucid.nets.darknet.layers import DETECTION_HEADS, Connected, Layer, Shape, Weighted, build
from lucid.nets.net import LOGITS, LayerInfo, Net


class DarknetNet(Net):
    """The net of a cfg file, on the meta device until it gets weights.

    Its layers are named by their numbers, from "0". An invalid cfg raises a LucidError.

    Attributes:
        path: the cfg file.
        darknet_layers: the layers as modules, in the order of the cfg.
    """

    darknet_layers: list[Layer]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        header, *sections = cfg.read(path)
        self.name = path.name.split(".")[0]  # as Darknet names its files
        self.input_size = (header.integer("height", 0, 1), header.integer("width", 0, 1))
        if header.integer("channels", 3) != 3:
            raise header.error("channels must be 3: the images are RGB")

        shape: Shape = (3, *self.input_size)
        shapes: list[Shape] = []
        self.darknet_layers = []
        for section in sections:
            layer = build(section, shape, shapes)
            shape = layer.out
            shapes.append(shape)
            self.darknet_layers.append(layer)
        self.stack = nn.ModuleList(self.darknet_layers)  # its name is part of the fingerprint
        heads = dict.fromkeys(DETECTION_HEADS, " (a head: passed on)")
        self._layer_info = [
            LayerInfo(str(number), layer.kind + heads.get(layer.kind, ""), layer.out)
            for number, layer in enumerate(self.darknet_layers)
        ]
        self.layers = [layer.name for layer in self._layer_info]
        self._sources = {source for layer in self.darknet_layers for source in layer.sources}
        self.any_size = not any(isinstance(layer, Connected) for layer in self.darknet_layers)
        self.classes = [str(number) for number in range(self._find_logits())]

    def _find_logits(self) -> int:
        """Find the layers that make the logits; return how many classes there are, or 0."""
        layers = self.darknet_layers
        end = len(layers)
        while end and layers[end - 1].kind in ("softmax", "cost", "dropout"):
            end -= 1
        start = end - 1
        while start > 0 and layers[start].kind in ("avgpool", "dropout"):
            start -= 1
        self._logits_start, self._logits_end = start, end
        self._output_layer = self.layers[-1]
        self._ends_in_softmax = any(layer.kind == "softmax" for layer in layers[end:])
        # A net without classes, such as vgg-conv, may also end in features of 1x1.
        has_output = end < len(layers) or layers[-1].kind in ("avgpool", "connected")
        if end > 0 and has_output and layers[end - 1].out[1:] == (1, 1):
            return layers[end - 1].out[0]
        return 0

    def randomize(self, seed: int) -> None:
        """Draw random weights by the rule of He et al. (2015), and zero biases.

        Args:
            seed: the same seed gives the same weights.
        """
        generator = torch.Generator().manual_seed(seed)
        for layer in self.darknet_layers:
            if isinstance(layer, Weighted):
                fan_in = layer.module.weight[0].numel()
                weight = torch.randn(layer.module.weight.shape, generator=generator)
                layer.module.weight = nn.Parameter(weight * (2 / fan_in) ** 0.5, False)
                layer.module.bias = nn.Parameter(torch.zeros(len(weight)), False)
            elif layer.stored():
                ones = {name: torch.ones(shape).numpy() for name, shape in layer.stored()}
                layer.set_weights(ones)

    def resolve_layer(self, name: str) -> str:
        """Check a layer's number.

        Raises:
            UsageError: there is no such layer. The message lists the range of the numbers.
        """
        if name in self.layers:
            return name
        raise UsageError(
            f"{self.name} has no layer {name}: its layers are 0 to {len(self.layers) - 1}"
        )

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        wanted = set(layers)
        activations: dict[str, Tensor] = {}
        outputs: dict[int, Tensor] = {}  # of the layers that later ones read
        x = images
        for number, layer in enumerate(self.darknet_layers):
            sources = list(map(outputs.__getitem__, layer.sources))
            if number == self._logits_start and LOGITS in wanted:
                activations[LOGITS] = self._logits_from(layer, x, sources)
                if len(activations) == len(wanted):
                    break
            x = layer(x, sources)
            if number in self._sources:
                outputs[number] = x
            if str(number) in wanted:
                activations[str(number)] = x
                if len(activations) == len(wanted):
                    break
        return activations

    def _logits_from(self, layer: Layer, x: Tensor, sources: list[Tensor]) -> Tensor:
        self.require_classes()
        x = layer(x, sources, activate=False)
        for later in self.darknet_layers[self._logits_start + 1 : self._logits_end]:
            x = later(x)
        return x.flatten(1)
