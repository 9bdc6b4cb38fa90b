"""Nets that can be climbed, Darknet's, torchvision's and anybody's, behind one interface."""

from lucid.catalogue import bundled, cache_folder
from lucid.nets import zoo
from lucid.nets.find import (
    PUBLISHED_NAMES,
    fetch,
    knowing,
    load,
    outline,
    untrained,
    weights_at_hand,
)
from lucid.nets.net import SCORES, Net, UnknownClassError, nearest
from lucid.nets.wrapped import wrap

__all__ = [
    "PUBLISHED_NAMES",
    "SCORES",
    "Net",
    "UnknownClassError",
    "bundled",
    "cache_folder",
    "fetch",
    "knowing",
    "load",
    "nearest",
    "outline",
    "untrained",
    "weights_at_hand",
    "wrap",
    "zoo",
]
