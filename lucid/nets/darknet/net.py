"""A Darknet net: a cfg's layers, run in order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError
from lucid.nets.darknet import cfg, weights
from lucid.nets.darknet.layers import DETECTION, Activated, Connected, Layer, Shape, Weighted, build
from lucid.nets.net import LOGITS, Net, read_names


class DarknetNet(Net):
    """The net of a cfg file. Its layers are named by their numbers, from "0".

    Images go in as Darknet reads them: RGB, 0..1.
    """

    def __init__(self, path: Path) -> None:
        """Build the net of a cfg file without its weights (on the meta device).

        Raises:
            LucidError: the cfg cannot be read or built.
        """
        super().__init__()
        header, *sections = cfg.read(path)
        self.name = path.name.split(".")[0]  # as Darknet names its files
        self.input_size = (header.integer("height", 0, 1), header.integer("width", 0, 1))
        if header.integer("channels", 3) != 3:
            raise header.fail("channels must be 3: lucid climbs RGB images")

        shape: Shape = (3, *self.input_size)
        shapes: list[Shape] = []
        self.stack = nn.ModuleList()
        for section in sections:
            layer = build(section, shape, shapes)
            shape = layer.out
            shapes.append(shape)
            self.stack.append(layer)
        self.layers = [str(number) for number in range(len(shapes))]
        self._read_later = {source for layer in self._stack() for source in layer.sources}
        self.any_size = not any(isinstance(layer, Connected) for layer in self.stack)
        self.classes = [str(number) for number in range(self._find_scores())]

    def name_classes(self, path: Path) -> None:
        """Name the classes after the lines of a file; until then they have numbers.

        Raises:
            LucidError: the file cannot be read, or has not as many lines.
        """
        names = read_names(path)
        if len(names) != len(self.classes):
            raise LucidError(
                f"{path}: {len(names)} names, but {self.name} has {len(self.classes)} classes"
            )
        self.classes = names

    def _stack(self) -> list[Layer]:
        return [layer for layer in self.stack if isinstance(layer, Layer)]

    def _find_scores(self) -> int:
        """Find where the class scores start (the last activation) and end (no softmax).

        Returns:
            How many classes there are; none, if the net is no classifier.
        """
        layers = self._stack()
        end = len(layers)
        while end and layers[end - 1].kind in ("softmax", "cost", "dropout"):
            end -= 1
        start = end - 1
        while start > 0 and layers[start].kind in ("avgpool", "dropout"):
            start -= 1
        self._score_start, self._score_end = start, end
        # A net that only ends in small features, as vgg-conv might, is no classifier.
        answers = end < len(layers) or layers[-1].kind in ("avgpool", "connected")
        classifies = end > 0 and answers and layers[end - 1].out[1:] == (1, 1)
        return layers[end - 1].out[0] if classifies else 0

    def load_weights(self, path: Path) -> None:
        """Read a ``.weights`` file; see ``lucid.nets.darknet.weights.load`` for its errors."""
        weights.load(path, self._stack())

    def randomize(self, seed: int) -> None:
        """Weights drawn by He et al.'s rule (2015), for when speed or shapes matter."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self._stack():
            if isinstance(layer, Weighted):
                fan_in = layer.module.weight[0].numel()
                weight = torch.randn(layer.module.weight.shape, generator=generator)
                layer.module.weight = nn.Parameter(weight * (2 / fan_in) ** 0.5, False)
                layer.module.bias = nn.Parameter(torch.zeros(len(weight)), False)
            elif layer.stored():
                layer.take({name: torch.ones(shape).numpy() for name, shape in layer.stored()})

    def resolve_layer(self, name: str) -> str:
        if name in self.layers:
            return name
        raise UsageError(
            f"{self.name} has no layer {name}: its layers are 0 to {len(self.layers) - 1}"
        )

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        numbers = {int(name) for name in layers if name != LOGITS}
        last = max([*numbers, *([self._score_start] if LOGITS in layers else [])])
        seen: dict[str, Tensor] = {}
        kept: dict[int, Tensor] = {}
        x = images
        for number, layer in enumerate(self._stack()[: last + 1]):
            sources = [kept[source] for source in layer.sources]
            if number == self._score_start and LOGITS in layers:
                seen[LOGITS] = self._scores_from(layer, x, sources)
                if number == last and number not in numbers:
                    break
            x = layer(x, sources)
            if number in self._read_later:
                kept[number] = x
            if number in numbers:
                seen[str(number)] = x
        return seen

    def _scores_from(self, layer: Layer, x: Tensor, sources: list[Tensor]) -> Tensor:
        self.require_classes()
        x = layer.linear(x, sources) if isinstance(layer, Activated) else layer(x, sources)
        for later in self._stack()[self._score_start + 1 : self._score_end]:
            x = later(x)
        return x.flatten(1)

    def probabilities(self, images: Tensor) -> Tensor:
        answer = self.activations(images, [self.layers[-1]])[self.layers[-1]].flatten(1)
        if any(layer.kind == "softmax" for layer in self._stack()[self._score_end :]):
            return answer
        return answer.softmax(1)

    def describe(self) -> list[tuple[str, str, tuple[int, ...]]]:
        return [
            (
                name,
                layer.kind + (" (a head: passed on)" if layer.kind in DETECTION else ""),
                layer.out,
            )
            for name, layer in zip(self.layers, self._stack(), strict=True)
        ]
