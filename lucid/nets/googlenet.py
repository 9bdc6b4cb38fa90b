"""GoogLeNet: the names that other programs have for its layers, and its auxiliary classifiers."""

from __future__ import annotations

from torch import Tensor
from torchvision.models import GoogLeNet


class GoogLeNetWithHeads(GoogLeNet):  # type: ignore[misc]  # torchvision has no types
    """GoogLeNet that computes the auxiliary classifiers of its training in evaluation, too.

    deepdraw climbs them at its last octaves (Øygard, "Visualizing GoogLeNet Classes", 2015).
    torchvision's published weights never trained them.
    """

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scores of the net, (n, classes), and those of the two auxiliary classifiers.

        Modules run in the order in which they are defined; each auxiliary classifier sees the
        module before it in training.
        """
        x, heads = self._transform_input(images), []
        for name, module in self.named_children():
            if name in ("aux1", "aux2"):
                continue
            x = module(x.flatten(1) if name == "fc" else x)
            if name in ("inception4a", "inception4d"):
                heads.append(self.get_submodule("aux1" if name.endswith("4a") else "aux2")(x))
        return x, heads[0], heads[1]


BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")

_CAFFE_BRANCHES = {
    "output": "",
    "1x1": ".branch1",
    "3x3_reduce": ".branch2.0",
    "3x3": ".branch2.1",
    "5x5_reduce": ".branch3.0",
    "5x5": ".branch3.1",  # with 3x3 kernels in torchvision
    "pool": ".branch4.0",
    "pool_proj": ".branch4.1",
}
_CAFFE_STEM = {
    "conv1/7x7_s2": "conv1",
    "pool1/3x3_s2": "maxpool1",
    "pool1/norm1": "maxpool1",  # torchvision normalises batches in place of responses
    "conv2/3x3_reduce": "conv2",
    "conv2/3x3": "conv3",
    "conv2/norm2": "conv3",
    "pool2/3x3_s2": "maxpool2",
    "pool3/3x3_s2": "maxpool3",
    "pool4/3x3_s2": "maxpool4",
    "pool5/7x7_s1": "avgpool",
    "pool5/drop_7x7_s1": "avgpool",
    "loss3/classifier": "fc",
    "prob": "fc",
    "loss1/classifier": "aux1.fc2",
    "loss2/classifier": "aux2.fc2",
    "loss1/fc": "aux1.fc1",
    "loss2/fc": "aux2.fc1",
    "loss1/conv": "aux1.conv",
    "loss2/conv": "aux2.conv",
}
CAFFE_NAMES = _CAFFE_STEM | {
    f"inception_{block}/{branch}": f"inception{block}{module}"
    for block in BLOCKS
    for branch, module in _CAFFE_BRANCHES.items()
}
# A rectifier overwrites what it rectifies, and has a layer's name of its own: conv2/relu_3x3.
for _name, _module in list(CAFFE_NAMES.items()):
    _folder, _, _kind = _name.partition("/")
    if _kind.startswith(("1x1", "3x3", "5x5", "7x7", "pool_proj")) and "pool" not in _folder:
        CAFFE_NAMES[f"{_folder}/relu_{_kind.removesuffix('_s2')}"] = _module
"""The layers of GoogLeNet as Caffe's bvlc_googlenet names them, and torchvision's modules."""

NEURAL_DREAM_NAMES = {name.replace("/", "_"): module for name, module in CAFFE_NAMES.items()}
"""As neural-dream spells Caffe's names."""

_LUCID_BRANCHES = {
    "": "",
    "_1x1": ".branch1",
    "_3x3_bottleneck": ".branch2.0",
    "_3x3": ".branch2.1",
    "_5x5_bottleneck": ".branch3.0",
    "_5x5": ".branch3.1",
    "_pool_reduce": ".branch4.1",
}
LUCID_NAMES = {
    "conv2d0": "conv1",
    "conv2d1": "conv2",
    "conv2d2": "conv3",
    "maxpool0": "maxpool1",
    "maxpool10": "maxpool4",  # its maxpool1 and maxpool4 are other layers here
    "avgpool0": "avgpool",
    "softmax2_pre_activation": "fc",
} | {
    f"mixed{block}{branch}": f"inception{block}{module}"
    for block in BLOCKS
    for branch, module in _LUCID_BRANCHES.items()
}
LUCID_NAMES |= {
    f"{name}_pre_relu": f"{module}.bn"
    for name, module in LUCID_NAMES.items()
    if name.startswith(("mixed", "conv2d")) and not name.endswith(BLOCKS)
}
"""As tensorflow/lucid and lucent name the layers of InceptionV1."""

OTHER_NAMES = CAFFE_NAMES | NEURAL_DREAM_NAMES | LUCID_NAMES
