from __future__ import annotations

import torch

from lucid.core.attribution import attribution_layer, attribution_maps
from lucid.nets.net import LOGITS, Net


def test_maps_add_up_to_the_logit_but_for_its_bias(classifier: Net) -> None:
    layer = attribution_layer(classifier)
    assert layer is not None
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    activations = classifier.activations(image, [layer, LOGITS])
    maps = attribution_maps(activations[layer], activations[LOGITS][:, [3, 0]])
    assert maps.shape[:2] == (2, 2)
    # What is left of the logit is the same for every image: the bias of a linear classifier.
    rest = activations[LOGITS][:, [3, 0]] - maps.sum((2, 3))
    torch.testing.assert_close(rest[0], rest[1])
    assert torch.autograd.grad(maps.sum(), image)[0].abs().max() > 0
