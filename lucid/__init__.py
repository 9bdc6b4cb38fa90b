"""lucid: the toolkit for when you want a neural net to dream.

>>> import lucid
>>> net = lucid.load("lucid64")
>>> picture = lucid.draw(net, ["goldfish"], size=(64, 64), iterations=1)
>>> for stage in lucid.nightmare(net, picture, "8", rounds=2, iterations=1):
...     print(stage.size)
(64, 64)
(64, 64)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucid.drawing import Wish, classes, draw, grow, guide
    from lucid.errors import LucidError, UsageError
    from lucid.films import Script, dream_over, film
    from lucid.nets import load, wrap
    from lucid.nightmares import nightmare, reconstruct
    from lucid.objectives import Channel, Energy, Enhance, Objective

__version__ = "0.1.0"

# Torch's threads wait for each other by spinning, some milliseconds long. Where a core is busy
# with something else, the one that is waited for stands behind those that spin: a drawing of
# 8 seconds took up to 160. Read when torch is imported; see docs/benchmarks.md.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_ROOMS = {
    "lucid.drawing": ("Wish", "classes", "draw", "grow", "guide"),
    "lucid.errors": ("LucidError", "UsageError"),
    "lucid.films": ("Script", "dream_over", "film"),
    "lucid.nets": ("load", "wrap"),
    "lucid.nightmares": ("nightmare", "reconstruct"),
    "lucid.objectives": ("Channel", "Energy", "Enhance", "Objective"),
}

__all__ = [
    "Channel",
    "Energy",
    "Enhance",
    "LucidError",
    "Objective",
    "Script",
    "UsageError",
    "Wish",
    "classes",
    "draw",
    "dream_over",
    "film",
    "grow",
    "guide",
    "load",
    "nightmare",
    "reconstruct",
    "wrap",
]


def __getattr__(name: str) -> Any:
    # Only now is torch imported: `lucid --help` comes through here, and answers at once.
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
