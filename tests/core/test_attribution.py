from __future__ import annotations

import pytest
import torch

from lucid.core.attribution import attribution_layer, class_maps, overlap
from lucid.nets.net import LOGITS, Net


def test_maps_add_up_to_the_logit_but_for_its_bias(classifier: Net) -> None:
    layer = attribution_layer(classifier)
    assert layer is not None
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    activations = classifier.activations(image, [layer, LOGITS])
    maps = class_maps(activations[layer], activations[LOGITS][:, [3, 0]])
    assert maps.shape[:2] == (2, 2)
    # What is left of the logit is the same for every image: the bias of a linear classifier.
    rest = activations[LOGITS][:, [3, 0]] - maps.sum((2, 3))
    torch.testing.assert_close(rest[0], rest[1])
    assert torch.autograd.grad(maps.sum(), image)[0].abs().max() > 0


def test_overlap_is_that_of_the_evidence() -> None:
    left, right = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 1.0]])
    maps = torch.stack([torch.stack([left, right]), torch.stack([left, 5 * left])])
    apart, together = overlap(maps).tolist()
    assert apart < 0.7 < together == pytest.approx(1)
    assert overlap(-maps).tolist() == pytest.approx(overlap(7 * -maps).tolist())
