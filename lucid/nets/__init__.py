"""Nets that can be climbed, Darknet's and torchvision's, behind one interface."""

from lucid.nets.find import PUBLISHED_NAMES, bundled, cache_folder, fetch, load, outline, untrained
from lucid.nets.net import SCORES, Net, nearest

__all__ = [
    "PUBLISHED_NAMES",
    "SCORES",
    "Net",
    "bundled",
    "cache_folder",
    "fetch",
    "load",
    "nearest",
    "outline",
    "untrained",
]
