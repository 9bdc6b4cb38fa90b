"""Canvases that are small networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import lucid
from lucid.core.ascent import Ascent
from lucid.core.cppn import CPPNCanvas
from lucid.core.device import Runtime
from lucid.drawing.config import FROM_NOISE, on_canvas
from lucid.errors import UsageError
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

CPU = Runtime("cpu", "fp32")
QUICK: dict[str, Any] = {"size": (48, 64), "iterations": 2, "octave_count": 1, "runtime": CPU}


def test_a_cppn_is_one_picture_at_every_size() -> None:
    generator = torch.Generator().manual_seed(1)
    canvas = CPPNCanvas.noise((24, 36), generator=generator, device=torch.device("cpu"))
    torch.testing.assert_close(canvas.image().detach(), torch.full((3, 24, 36), 0.5))  # grey
    with torch.no_grad():
        canvas.parameter.add_(0.3 * torch.randn(canvas.parameter.shape, generator=generator))
    small, large = canvas.render((25, 37)), canvas.render((49, 73))
    torch.testing.assert_close(large[:, ::2, ::2], small, atol=1e-4, rtol=0)
    (grad,) = torch.autograd.grad(small.sum(), canvas.parameter)
    assert grad.isfinite().all()
    assert (grad != 0).float().mean() > 0.9
    with pytest.raises(UsageError, match="no pixels to blur"):
        canvas.blur(1)


@pytest.mark.slow
def test_a_drawing_on_a_cppn_climbs(classifier: Net, photo: Tensor) -> None:
    target = lucid.Channel("0", 1)
    options = {**QUICK, "canvas": "cppn", "seed": 2, "iterations": 20}
    start = lucid.draw(classifier, target, **{**options, "strength": 0})
    picture = lucid.draw(classifier, target, **options)
    ascent = Ascent(classifier, CPU)
    first, last = (
        float(target.forward(ascent.forward(from_pil(each)[None], ["0"])))
        for each in (start, picture)
    )
    assert last > first
    assert 'canvas = "cppn"' in picture.info["lucid"]
    with pytest.raises(UsageError, match="a CPPN starts from nothing"):
        lucid.draw(classifier, target, photo, canvas="cppn")
    assert on_canvas(FROM_NOISE, "cppn").octaves == 1
