"""torchvision's classifiers: their activations by the names of torch.fx graph nodes.

torchvision is imported inside the functions that need it: the import takes a second, which drawing
with the bundled lucid64 does without.
"""

from __future__ import annotations

import copy
import itertools
import operator
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lucid.errors import LucidError
from lucid.nets.net import LOGITS, LayerInfo, Net


def model_names() -> list[str]:
    """List the names of torchvision's classifiers."""
    from torchvision import models

    return models.list_models(module=models)


def weights_enum(name: str) -> Any:
    """Return the ``WeightsEnum`` entry of the newest weights of a name from ``model_names``."""
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT


def size_megabytes(name: str) -> float:
    """Return the size of a net's weights file, in megabytes."""
    return float(weights_enum(name).meta["_file_size"])


def categories(name: str) -> list[str]:
    """Return the class names of a net's published weights, in the order of the logits."""
    return list(weights_enum(name).meta["categories"])


def imagenet_names() -> list[str]:
    """Return the names of ImageNet's thousand classes, in the order that all nets have."""
    return categories("resnet18")


def build_model(
    name: str, count: int | None = None, init_weights: bool = False, heads: bool = False
) -> nn.Module:
    """Build a torchvision model, with random weights, whose modules match its published weights.

    With ``count``, for so many classes in place of ImageNet's; with ``heads``, GoogLeNet with its
    auxiliary classifiers.
    With ``init_weights``, GoogLeNet and Inception draw weights by their own rule: it takes seconds.
    """
    from torchvision.models import get_model

    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Their weights come from TensorFlow and expect images of -1..1.
        options = {"transform_input": True, "aux_logits": False, "init_weights": init_weights}
    if name.startswith("vit_"):
        options = {"image_size": weights_enum(name).meta["min_size"][0]}
    if count is not None:
        options["num_classes"] = count
    if heads and name == "googlenet":
        from lucid.nets.googlenet import GoogLeNetWithHeads

        return GoogLeNetWithHeads(**{**options, "aux_logits": True})
    return get_model(name, weights=None, **options)


class TorchvisionNet(Net):
    """A torchvision classifier whose layers are the nodes of its torch.fx graph.

    A layer is a module that calls no other (``features.28``) or an operation (``layer3.2.add``).
    The name of a larger module (``layer3``) is an alias of its last node. GoogLeNet's layers have
    their names in other programs as aliases, too.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, model: nn.Module, class_names: list[str] | None = None) -> None:
        # The name tells mean, std, input size and, unless class_names does, the classes.
        from torchvision.models import SqueezeNet

        super().__init__()
        self.name = name
        transforms = weights_enum(name).transforms()
        self.classes = class_names or categories(name)
        self.input_size = (transforms.crop_size[0], transforms.crop_size[0])
        # ViT and MaxViT cut the image into a fixed number of patches or windows.
        self.any_size = not name.startswith(("vit_", "maxvit_"))
        self.register_buffer("mean", torch.tensor(transforms.mean)[:, None, None], False)
        self.register_buffer("std", torch.tensor(transforms.std)[:, None, None], False)
        self.model = model.eval().requires_grad_(False)
        self._extractors: dict[frozenset[str], nn.Module] = {}
        self._fused: dict[str, nn.Conv2d] = {}
        self._layer_info = self._find_layers()
        self.layers = [layer.name for layer in self._layer_info]
        self.aliases = {
            module: node
            for node in self.layers
            for module in itertools.accumulate(node.split(".")[:-1], "{}.{}".format)
        }
        if name == "googlenet":
            from lucid.nets.googlenet import OTHER_NAMES

            for other, module in OTHER_NAMES.items():
                own = self.aliases.get(module, module)
                if own in self.layers:  # its weights may have no auxiliary classifiers
                    self.aliases[other] = own
        # SqueezeNet's output passes a ReLU, behind which a class with a negative logit has no
        # gradient. The logits are taken before it, and averaged over the image here.
        self._pool_logits = isinstance(model, SqueezeNet)
        self._output_layer = self.layers[-1]
        self._logits_layer = "classifier.1" if self._pool_logits else self._output_layer

    def _find_layers(self) -> list[LayerInfo]:
        """Find the nodes that are functions of each image; others count, split, or are constant."""
        from torchvision.models.feature_extraction import get_graph_node_names

        nodes = get_graph_node_names(self.model, suppress_diff_warning=True)[1][1:]  # no input
        model = copy.deepcopy(self.model).to("meta")
        with torch.no_grad():
            batch = torch.zeros(3, 3, *self.input_size, device="meta")
            outputs = _extractor(model, nodes)(batch)
        kinds = {name: type(module).__name__ for name, module in self.model.named_modules()}
        return self._put_channels_first(
            LayerInfo(node, kinds.get(node, "operation"), tuple(output.shape[1:]))
            for node, output in outputs.items()
            if isinstance(output, Tensor)
            and output.is_floating_point()
            and output.ndim > 1
            and len(output) == len(batch)
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TorchvisionNet:
        # The extractors share the model's parameters but hold its buffers by value: when the
        # net moves to another device or precision, they are built again.
        self._extractors.clear()
        self._fused.clear()
        return super()._apply(fn, recurse)

    def _activations(self, images: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        if not self.any_size and tuple(images.shape[-2:]) != self.input_size:
            height, width = self.input_size
            raise LucidError(
                f"{self.name} accepts only {width}x{height} images, not "
                f"{images.shape[3]}x{images.shape[2]}: use tiles of {height}"
            )
        nodes = frozenset(self._logits_layer if name == LOGITS else name for name in layers)
        if nodes not in self._extractors:
            extractor = _extractor(self.model, list(nodes))
            _fuse_batchnorm(extractor, self._fused)
            _make_relus_inplace(extractor)
            extractor.recompile()
            self._extractors[nodes] = extractor
        outputs = self._extractors[nodes]((images - self.mean) / self.std)
        if LOGITS in layers:
            logits = outputs[self._logits_layer]
            outputs[LOGITS] = logits.mean((2, 3)) if self._pool_logits else logits
        return {name: outputs[name] for name in layers}


def _extractor(model: nn.Module, nodes: list[str]) -> fx.GraphModule:
    """Cut a model behind the deepest of some nodes and return the outputs of all of them.

    In-place operations become out-of-place: a later one would overwrite a node's output.
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


def _fuse_batchnorm(extractor: fx.GraphModule, fused: dict[str, nn.Conv2d]) -> None:
    """Fuse each batch normalisation into the convolution before it, if nothing else reads that.

    ``fused`` keeps the fused convolutions, by the name of the normalisation, for other extractors.
    """
    for node in list(extractor.graph.nodes):
        normalisation = _module_of(extractor, node)
        before = node.args[0] if node.args else None
        if not isinstance(normalisation, nn.BatchNorm2d) or not isinstance(before, fx.Node):
            continue
        convolution = _module_of(extractor, before)
        if not isinstance(convolution, nn.Conv2d) or len(before.users) > 1:
            continue
        if node.target not in fused:
            both = fuse_conv_bn_eval(convolution, normalisation)
            fused[node.target] = both.requires_grad_(False)
        name = f"{before.target}_fused"
        extractor.add_submodule(name, fused[node.target])
        before.target = name
        node.replace_all_uses_with(before)
        extractor.graph.erase_node(node)


def _make_relus_inplace(extractor: fx.GraphModule) -> None:
    """Let a ReLU overwrite the output of a layer with weights that nothing else reads."""
    for node in extractor.graph.nodes:
        if not isinstance(_module_of(extractor, node), nn.ReLU) and node.target is not F.relu:
            continue
        (before, *_), alone = node.args, len(node.args[0].users) == 1
        weighted = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
        if alone and isinstance(_module_of(extractor, before), weighted):
            # A module may be called at several nodes, not all of which may be overwritten.
            node.op, node.target, node.kwargs = "call_function", F.relu, {"inplace": True}
            node.args = (before,)


def _module_of(extractor: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return extractor.get_submodule(str(node.target)) if node.op == "call_module" else None
