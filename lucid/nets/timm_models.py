"""timm's nets by name: ``timm/NAME``, and ``hf-hub:OWNER/NAME`` of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, nearest
from lucid.nets.state_dicts import count_classes, fill_model, read_state_dict
from lucid.nets.torchvision import imagenet_names

PREFIX = "timm/"
HUB = "hf-hub:"


def is_timm(name: str) -> bool:
    """Tell whether a net's name is one of timm's or of the Hub's."""
    return name.startswith((PREFIX, HUB))


def build_timm(name: str, weights: Path | None, *, meta: bool = False) -> nn.Module:
    """Build a model of timm's.

    Args:
        name: ``timm/`` and a name from ``timm.list_models()``, or ``hf-hub:`` and a repository.
        weights: a state dict of such a model, with any number of classes; None for the published
            one, which is downloaded.
        meta: whether to leave the weights out: of the file only names and shapes are used.

    Raises:
        UsageError: there is no such model.
        LucidError: timm is not installed, the file is of another model, or a download failed.
    """
    timm = _import_timm(name)
    given = None if weights is None else read_state_dict(weights)
    model_name = name.removeprefix(PREFIX)
    if not name.startswith(HUB) and not timm.is_model(model_name):
        near = nearest(model_name, timm.list_models())
        raise UsageError(f"timm has no model {model_name!r}{near}")
    try:
        if meta or given is not None:
            # On the meta device, the weights take neither memory nor time.
            with torch.device("meta"):
                model = timm.create_model(model_name)
                if given is not None:
                    model = timm.create_model(model_name, num_classes=_count(model, given))
        else:
            model = timm.create_model(model_name, pretrained=True)
    except Exception as error:  # of whatever type timm, the Hub or the network raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise LucidError(
            f"{name}: cannot be fetched ({reason}). With --weights FILE, a state dict of it, "
            "nothing is downloaded but what the Hub alone knows"
        ) from error
    if given is not None and not meta:
        fill_model(model, given, str(weights))
    return model


def timm_classes(model: nn.Module) -> list[str] | None:
    """The names of a model's classes, if it has ImageNet's thousand or brings names of its own."""
    config = getattr(model, "pretrained_cfg", None) or {}
    count = getattr(model, "num_classes", 0)
    labels = config.get("label_names")
    if labels and len(labels) == count:
        described = config.get("label_descriptions") or {}
        return [str(described.get(label, label)) for label in labels]
    return imagenet_names() if count == 1000 else None


def _count(model: nn.Module, given: Mapping[str, Tensor]) -> int:
    own = int(getattr(model, "num_classes", 1000))
    return count_classes(model, given, own) or own


def _import_timm(name: str) -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise LucidError(f"{name}: needs timm: pip install timm") from error
    return timm
