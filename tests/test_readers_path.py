"""How far a reader must walk from `lucid.draw(net, ["goldfish"])` to the first gradient."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import torch

import lucid
from lucid.nets.net import Net

HOME = Path(lucid.__file__).parent


class Reached(BaseException):
    """Ends the drawing at the first gradient."""


def test_a_goldfish_passes_few_functions_in_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    net: Net = lucid.load("lucid64")
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(HOME):
            called.add(frame.f_code)

    def grad(*_arguments: Any, **_options: Any) -> None:
        raise Reached

    monkeypatch.setattr(torch.autograd, "grad", grad)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with pytest.raises(Reached):
            lucid.draw(net, ["goldfish"])
    finally:
        sys.setprofile(before)
    names = sorted(f"{Path(code.co_filename).name} {code.co_qualname}" for code in called)
    assert 40 < len(names) <= 86, names
    files = {code.co_filename for code in called}
    assert len(files) <= 18, sorted(files)
