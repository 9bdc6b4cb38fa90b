"""Nets that come as modules: the user's own Python, packages', timm's, and saved programs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lucid.errors import LucidError, UsageError
from lucid.nets.module import WrappedNet, wrap
from lucid.nets.net import Net, read_names
from lucid.nets.saved_programs import IMAGENET_MEAN, IMAGENET_STD, is_program, load_program
from lucid.nets.timm_models import build_timm, is_timm, timm_classes
from lucid.nets.torchvision import imagenet_names, model_names
from lucid.plugins import entry_points, is_code, load_entry_point, load_object
from lucid.resources import bundled

ENTRY_POINTS = "lucid.nets"
"""The group of entry points by which a package offers functions that return nets."""

WANTED = (
    "must be a net, a torch.nn.Module, or a function that returns one without being given anything"
)
"""For messages: what Python of the user's own must be."""


@torch.inference_mode(False)
def wrapped_net(
    name: str, weights: Path | None = None, names: Path | None = None, *, meta: bool = False
) -> Net | None:
    """Find a net that comes as a module, by what its name looks like.

    Args:
        name: ``timm/NAME``, ``hf-hub:OWNER/NAME``, the file of a saved program, Python that makes
            a net (``FILE.py:NAME``, ``package.module:NAME``), or what a package offers.
        weights: a state dict, for timm's.
        names: a file of class names, one a line.
        meta: whether to leave timm's weights out.

    Returns:
        The net; None if the name is of none of these forms.
    """
    if is_timm(name):
        net: Net = _wrap_timm(name, weights, meta=meta)
    elif is_program(name):
        net = _wrap_program(name)
    elif is_code(name) or _is_offered(name):
        net = _run_code(name)
    else:
        return None
    if weights and not is_timm(name):
        kind = "a whole program" if is_program(name) else "Python"
        raise UsageError(f"{name} is {kind}, and brings its weights itself: leave {weights} out")
    if names is not None:
        own = read_names(names)
        if len(own) != len(net.classes):
            raise LucidError(
                f"{names}: {len(own)} names, but {net.name} has {len(net.classes)} classes"
            )
        net.classes = own
    return net


def _is_offered(name: str) -> bool:
    """Tell whether an installed package offers a net of a name that is not lucid's own."""
    # In this order, torchvision is not imported for the bundled nets.
    return (
        name not in bundled() and name in entry_points(ENTRY_POINTS) and name not in model_names()
    )


def _wrap_timm(name: str, weights: Path | None, *, meta: bool) -> WrappedNet:
    module = build_timm(name, weights, meta=meta)
    return wrap(module, classes=timm_classes(module), name=name.rpartition("/")[2])


def _wrap_program(name: str) -> WrappedNet:
    """Wrap a saved program; its class names lie beside it, as a Darknet net's do."""
    path = Path(name)
    module, size = load_program(path)
    net = wrap(module, mean=IMAGENET_MEAN, std=IMAGENET_STD, input_size=size, name=path.stem)
    beside = path.with_suffix(".names")
    known = read_names(beside) if beside.exists() else imagenet_names()
    if len(known) == len(net.classes):
        net.classes = known
    return net


def _run_code(name: str) -> Net:
    """Run Python of the user's own, or of an installed package, that makes a net."""
    made = load_object(name) if is_code(name) else load_entry_point(ENTRY_POINTS, name)
    try:
        net = made if isinstance(made, nn.Module) else made()
    except TypeError as error:
        raise UsageError(f"{name} {WANTED} ({error})") from error
    if isinstance(net, Net):
        return net
    if not isinstance(net, nn.Module):
        raise UsageError(f"{name} {WANTED}, not a {type(net).__name__}")
    return wrap(net)
