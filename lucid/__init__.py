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

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"
__distribution__ = "lucid-nightmare"
"""The name for pip. (lucid.errors looks for this: tensorflow/lucid has the same import name.)"""

from lucid.errors import LucidError, Stop, UsageError  # noqa: E402, looks at the name above
from lucid.process import tune_process  # noqa: E402, comes before torch

if TYPE_CHECKING:
    from lucid.core.device import Runtime
    from lucid.core.directions import Caricature, Direction, DirectionNeuron
    from lucid.core.objectives import Channel, Enhance, LayerL2, Objective
    from lucid.drawing.climb import Climb
    from lucid.drawing.diverse import draw_diverse
    from lucid.drawing.explain import attribute, rank_channels
    from lucid.drawing.interpolation import draw_interpolated
    from lucid.drawing.loop import draw, grow
    from lucid.drawing.plan import prepare
    from lucid.drawing.skin import draw_skin
    from lucid.drawing.targets import Target, classes, guide, random_mix
    from lucid.films.film import film
    from lucid.films.keyframes import Keyframes
    from lucid.films.video_dream import dream_over
    from lucid.films.warp import warp
    from lucid.imaging.recipes import save
    from lucid.nets.module import wrap
    from lucid.nets.registry import load
    from lucid.nightmares.nightmare import nightmare
    from lucid.nightmares.reconstruct import reconstruct
    from lucid.studio.notebook import studio as studio

_EXPORTS = {
    "lucid.core.directions": ("Caricature", "Direction", "DirectionNeuron"),
    "lucid.core.objectives": ("Channel", "LayerL2", "Enhance", "Objective"),
    "lucid.core.device": ("Runtime",),
    "lucid.drawing.climb": ("Climb",),
    "lucid.drawing.diverse": ("draw_diverse",),
    "lucid.drawing.interpolation": ("draw_interpolated",),
    "lucid.drawing.explain": ("attribute", "rank_channels"),
    "lucid.drawing.loop": ("draw", "grow"),
    "lucid.imaging.recipes": ("save",),
    "lucid.drawing.plan": ("prepare",),
    "lucid.drawing.skin": ("draw_skin",),
    "lucid.drawing.targets": ("Target", "classes", "guide", "random_mix"),
    "lucid.films.film": ("film",),
    "lucid.films.keyframes": ("Keyframes",),
    "lucid.films.video_dream": ("dream_over",),
    "lucid.films.warp": ("warp",),
    "lucid.nets.registry": ("load",),
    "lucid.nets.module": ("wrap",),
    "lucid.nightmares.nightmare": ("nightmare",),
    "lucid.nightmares.reconstruct": ("reconstruct",),
}
_RENAMED = {"Energy": "LayerL2", "Script": "Keyframes", "Wish": "Target"}
"""Names of version 0.1, which keep working."""

__all__ = [
    "Caricature",
    "Channel",
    "Climb",
    "Direction",
    "DirectionNeuron",
    "Enhance",
    "Keyframes",
    "LayerL2",
    "LucidError",
    "Objective",
    "Runtime",
    "Stop",
    "Target",
    "UsageError",
    "attribute",
    "classes",
    "draw",
    "draw_diverse",
    "draw_interpolated",
    "draw_skin",
    "dream_over",
    "film",
    "grow",
    "guide",
    "load",
    "nightmare",
    "prepare",
    "random_mix",
    "rank_channels",
    "reconstruct",
    "save",
    "studio",
    "tune_process",
    "warp",
    "wrap",
]


def __getattr__(name: str) -> Any:
    # Torch is imported on the first request for any of these names, because `lucid --help`
    # imports this package too. All names are then stored, and this function is not called again.
    if name == "studio":  # a package that is called like a function
        return import_module("lucid.studio")
    if name not in __all__ and name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module, names in _EXPORTS.items():
        globals().update({each: getattr(import_module(module), each) for each in names})
    globals().update({old: globals()[new] for old, new in _RENAMED.items()})
    return globals()[name]


def __dir__() -> list[str]:
    return [*globals(), *__all__]
