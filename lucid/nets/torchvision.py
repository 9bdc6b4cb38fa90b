"""torchvision's classifiers.

torchvision itself is imported by the first function that needs it: that takes a second,
which drawing with the net in the box is to be spared.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lucid.errors import LucidError, UsageError, nearest
from lucid.nets.net import LOGITS, Net


def model_names() -> list[str]:
    """The classifiers torchvision knows."""
    from torchvision import models

    return models.list_models(module=models)


def weights_enum(name: str) -> Any:
    """torchvision's own entry for a net's newest weights: a ``WeightsEnum``."""
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT


def build_model(name: str, class_names: list[str] | None, init_weights: bool = False) -> nn.Module:
    """A model of torchvision's, ready for its published weights.

    Args:
        name: torchvision's.
        class_names: in place of ImageNet's.
        init_weights: whether those of Google's nets are drawn with their own care; it takes
            a while.
    """
    from torchvision.models import get_model

    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Their published weights expect what Google's training fed them.
        options = {"transform_input": True, "aux_logits": False, "init_weights": init_weights}
    if name.startswith("vit_"):
        options = {"image_size": weights_enum(name).meta["min_size"][0]}
    if class_names is not None:
        options["num_classes"] = len(class_names)
    return get_model(name, weights=None, **options)


def size_megabytes(name: str) -> float:
    """How large a net's published weights are."""
    return float(weights_enum(name).meta["_file_size"])


def categories(name: str) -> list[str]:
    """What a net's published weights tell apart."""
    return list(weights_enum(name).meta["categories"])


class TorchvisionNet(Net):
    """One of torchvision's classifiers. Its layers have torchvision's dotted names.

    A layer is a node of the net's graph (``features.28``, ``layer3.2.add``) or
    a module, which stands for its last node (``inception4c``, ``layer3``).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, model: nn.Module, class_names: list[str] | None = None) -> None:
        """Wrap a torchvision model.

        Args:
            name: torchvision's name for it: says mean, deviation and size.
            model: the model, with or without its weights.
            class_names: names in place of ImageNet's.
        """
        from torchvision.models import SqueezeNet

        super().__init__()
        self.name = name
        transforms = weights_enum(name).transforms()
        self.classes = class_names or categories(name)
        self.input_size = (transforms.crop_size[0], transforms.crop_size[0])
        # These cut the image into a fixed number of patches or windows.
        self.any_size = not name.startswith(("vit_", "maxvit_"))
        self.register_buffer("mean", torch.tensor(transforms.mean)[:, None, None], False)
        self.register_buffer("deviation", torch.tensor(transforms.std)[:, None, None], False)
        self.model = model.eval().requires_grad_(False)
        self._extractors: dict[frozenset[str], nn.Module] = {}
        self._fused: dict[str, nn.Conv2d] = {}
        self._shapes = self._find_shapes()
        self.layers = list(self._shapes)
        # A SqueezeNet's scores pass a ReLU, behind which a class that it does
        # not see yet has no gradient: climb the convolution before it.
        self._pool_scores = isinstance(model, SqueezeNet)
        self._scores = "classifier.1" if self._pool_scores else self.layers[-1]
        self._modules_of = {
            node.rsplit(".", depth)[0]
            for node in self.layers
            for depth in range(1, node.count(".") + 1)
        }

    def _find_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes, at the trained size, of the nodes that show something of each image.

        The others count, split, or hold parameters.
        """
        from torchvision.models.feature_extraction import get_graph_node_names

        nodes = get_graph_node_names(self.model, suppress_diff_warning=True)[1][1:]  # no input
        model = copy.deepcopy(self.model).to("meta")
        with torch.no_grad():
            batch = torch.zeros(3, 3, *self.input_size, device="meta")
            seen = _extractor(model, nodes)(batch)
        return {
            node: tuple(seen[node].shape[1:])
            for node in nodes
            if isinstance(seen[node], Tensor)
            and seen[node].is_floating_point()
            and seen[node].ndim > 1
            and seen[node].shape[0] == len(batch)
        }

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TorchvisionNet:
        # The extractors share the model's parameters but hold its buffers by
        # value: when the net moves to another device they are made anew.
        self._extractors.clear()
        self._fused.clear()
        return super()._apply(fn, recurse)

    def resolve_layer(self, name: str) -> str:
        """As ``Net.resolve_layer``; understands Caffe's names for GoogLeNet's layers too."""
        if self.name == "googlenet":
            name = caffe_name(name)
        if name in self._modules_of:
            # A module with several nodes stands for the last of them.
            return [n for n in self.layers if n.startswith(name + ".")][-1]
        if name in self.layers:
            return name
        near = nearest(name, [*self.layers, *sorted(self._modules_of)])
        raise UsageError(f"{self.name} has no layer {name!r}{near}: see `lucid layers {self.name}`")

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        if not self.any_size and tuple(images.shape[-2:]) != self.input_size:
            height, width = self.input_size
            raise LucidError(
                f"{self.name} sees only {width}x{height} images, not "
                f"{images.shape[3]}x{images.shape[2]}: use tiles of {height}"
            )
        nodes = frozenset(self._scores if name == LOGITS else name for name in layers)
        if nodes not in self._extractors:
            extractor = _extractor(self.model, list(nodes))
            _fuse_batchnorm(extractor, self._fused)
            _rectify_in_place(extractor)
            extractor.recompile()
            self._extractors[nodes] = extractor
        seen = self._extractors[nodes]((images - self.mean) / self.deviation)
        if LOGITS in layers:
            scores = seen[self._scores]
            seen[LOGITS] = scores.mean((2, 3)) if self._pool_scores else scores
        return {name: seen[name] for name in layers}

    def probabilities(self, images: Tensor) -> Tensor:
        answer = self.activations(images, [self.layers[-1]])[self.layers[-1]]
        return answer.softmax(1)

    def describe(self) -> list[tuple[str, str, tuple[int, ...]]]:
        modules = dict(self.model.named_modules())
        return [
            (name, type(modules[name]).__name__ if name in modules else "operation", shape)
            for name, shape in self._shapes.items()
        ]


def _extractor(model: nn.Module, nodes: list[str]) -> fx.GraphModule:
    """The part of a model up to the deepest of some nodes, and what they put out.

    What the model does in place is done beside it instead: else a node would
    show what a later one made of it.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    for module in model.modules():
        if getattr(module, "inplace", False):
            setattr(module, "inplace", False)  # noqa: B010, for mypy knows no such attribute
    extractor = create_feature_extractor(model, nodes, suppress_diff_warning=True)
    for node in extractor.graph.nodes:
        if node.kwargs.get("inplace"):
            node.update_kwarg("inplace", False)
        if node.target is operator.iadd:
            node.target = operator.add
    extractor.recompile()
    return extractor


def _fuse_batchnorm(extractor: fx.GraphModule, folded: dict[str, nn.Conv2d]) -> None:
    """Make a convolution and the normalisation behind it one, where nothing else asks for
    the convolution.

    Args:
        extractor: of an eval-mode model.
        folded: those made already, by the normalisation's name; more are added.
    """
    for node in list(extractor.graph.nodes):
        normalisation = _module(extractor, node)
        before = node.args[0] if node.args else None
        if not isinstance(normalisation, nn.BatchNorm2d) or not isinstance(before, fx.Node):
            continue
        convolution = _module(extractor, before)
        if not isinstance(convolution, nn.Conv2d) or len(before.users) > 1:
            continue
        if node.target not in folded:
            one = fuse_conv_bn_eval(convolution, normalisation)
            folded[node.target] = one.requires_grad_(False)
        name = f"{before.target}_fused"
        extractor.add_submodule(name, folded[node.target])
        before.target = name
        node.replace_all_uses_with(before)
        extractor.graph.erase_node(node)


def _rectify_in_place(extractor: fx.GraphModule) -> None:
    """Let a ReLU overwrite what a layer with weights gives to it alone."""
    for node in extractor.graph.nodes:
        if not isinstance(_module(extractor, node), nn.ReLU) and node.target is not F.relu:
            continue
        (before, *_), alone = node.args, len(node.args[0].users) == 1
        if alone and isinstance(_module(extractor, before), (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            # A module may be used at several places, not all of which may be overwritten.
            node.op, node.target, node.kwargs = "call_function", F.relu, {"inplace": True}
            node.args = (before,)


def _module(extractor: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return extractor.get_submodule(str(node.target)) if node.op == "call_module" else None


# Caffe's names of the parts of an inception block, and torchvision's.
_INCEPTION = {
    "output": "",
    "1x1": ".branch1",
    "3x3_reduce": ".branch2.0",
    "3x3": ".branch2.1",
    "5x5_reduce": ".branch3.0",
    "5x5": ".branch3.1",
    "pool": ".branch4.0",
    "pool_proj": ".branch4.1",
}
_OUTSIDE_INCEPTION = {
    "conv1/7x7_s2": "conv1",
    "pool1/3x3_s2": "maxpool1",
    "conv2/3x3_reduce": "conv2",
    "conv2/3x3": "conv3",
    "pool2/3x3_s2": "maxpool2",
    "pool3/3x3_s2": "maxpool3",
    "pool4/3x3_s2": "maxpool4",
    "pool5/7x7_s1": "avgpool",
    "loss3/classifier": "fc",
}


def caffe_name(name: str) -> str:
    """torchvision's name for a layer of Caffe's GoogLeNet; any other name as it is.

    ``inception_4c/output`` is ``inception4c``, ``inception_3b/5x5_reduce`` is
    ``inception3b.branch3.0``. torchvision's 5x5 branch has 3x3 kernels.
    """
    block, slash, part = name.partition("/")
    if slash and block.startswith("inception_") and part in _INCEPTION:
        return block.replace("_", "") + _INCEPTION[part]
    return _OUTSIDE_INCEPTION.get(name, name)
