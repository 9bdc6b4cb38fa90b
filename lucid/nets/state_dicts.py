"""State dicts (a model's tensors by name) on disk: ``.pth`` and ``.safetensors`` files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from lucid.errors import LucidError
from lucid.imaging.files import atomic_write

CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "net", "state_dict_ema")
"""Where checkpoints of training keep the state dict."""

PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What DataParallel, torch.compile and common training loops put before all names."""


def read_state_dict(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict, on the CPU, without running any code that a pickle may hold.

    Takes ``.safetensors``, and what ``torch.save`` wrote of a state dict or of a checkpoint with
    one. What a training loop put before all names, such as ``module.``, is taken off. Raises
    LucidError if the file is damaged or the safetensors library is missing.
    """
    if path.suffix == ".safetensors":
        safetensors = import_safetensors(path)
        try:
            # load_file takes only names in UTF-8
            return _without_prefix(safetensors.torch.load(path.read_bytes()))
        except (safetensors.SafetensorError, OSError) as error:
            raise LucidError(f"{path}: is not a whole .safetensors file ({error})") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle raises errors of many types
        raise LucidError(
            f"{path}: cannot be read as a state dict: truncated, or not one torch saved"
        ) from error
    for key in CHECKPOINT_KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise LucidError(f"{path}: holds no state dict (a model's names and tensors)")
    for key, value in state.items():
        _check_plain(key, value, path)
    return _without_prefix(state)


def _without_prefix(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Take off what all names begin with, if training puts it there."""
    for prefix in PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            short = {key.removeprefix(prefix): value for key, value in state.items()}
            return _without_prefix(short)
    return state


def count_classes(model: nn.Module, given: Mapping[str, Tensor], own: int) -> int | None:
    """Find how many classes a state dict has, of a model of ``own`` classes built like it.

    None if nothing shows it: the weights are of the same number of classes, or of another model.
    """
    for key, value in model.state_dict().items():
        shape = given[key].shape if key in given else value.shape
        if shape == value.shape or not value.ndim or len(shape) != value.ndim:
            continue
        if len(value) == own and shape[1:] == value.shape[1:]:
            return shape[0]
    return None


def _check_plain(key: str, value: Tensor, path: Path) -> None:
    """Refuse a tensor that is not stored as plain numbers; of integers only counts and indices."""
    odd = ""
    if value.is_meta:
        odd = "it is on the device meta, and has no values"
    elif value.layout != torch.strided:
        odd = f"its layout is {value.layout}".replace("torch.", "")
    elif value.is_quantized or not (value.is_floating_point() or value.dtype == torch.int64):
        odd = f"its type is {value.dtype}".replace("torch.", "")
    if odd:
        raise LucidError(f"{path}: {key} is no plain tensor of weights ({odd})")


def write_state_dict(state: Mapping[str, Tensor], path: Path, *, replace: bool = True) -> None:
    """Write a state dict, as safetensors if the file's name ends so, else with ``torch.save``."""
    safetensors = import_safetensors(path) if path.suffix == ".safetensors" else None
    with atomic_write(path, replace=replace) as part:
        try:
            if safetensors:
                contiguous = {key: value.contiguous() for key, value in state.items()}
                part.write_bytes(safetensors.torch.save(contiguous))
            else:
                torch.save(state, part)
        except Exception as error:  # neither library raises OSError when the disk is full
            raise LucidError(f"{path}: cannot be written ({error})") from error


def import_safetensors(path: Path) -> ModuleType:
    """Import the optional safetensors library; a LucidError tells which file needs it."""
    try:
        import safetensors.torch
    except ImportError as error:
        raise LucidError(f"{path}: needs safetensors: pip install safetensors") from error
    return safetensors


def fill_model(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Replace the tensors of a torchvision or timm model and put it into eval mode.

    Auxiliary classifiers that the model lacks are ignored, and DenseNet's old names are
    understood. Raises LucidError, naming ``source``, if the names or shapes are not the model's.
    """
    filled: Any = model.state_dict()
    given = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key): value
        for key, value in state.items()
        if key in filled or not re.match(r"(aux\d|AuxLogits)\.", key)
    }
    # The version of each module at the time of writing; MNASNet needs to know.
    filled._metadata = getattr(state, "_metadata", filled._metadata)
    wrong = f"{source}: the weights of another net"
    for key, value in filled.items():
        if key.endswith("num_batches_tracked"):
            filled[key] = given.pop(key, torch.zeros((), dtype=torch.long))
        elif key not in given:
            raise LucidError(f"{wrong}: {key} is missing")
        elif given[key].shape != value.shape:
            raise LucidError(
                f"{wrong}: {key} should be {tuple(value.shape)} and is {tuple(given[key].shape)}"
            )
        else:
            filled[key] = given.pop(key)
    if given:
        raise LucidError(f"{wrong}: it has no {min(given)}")
    model.load_state_dict(filled, assign=True)
    model.float().eval().requires_grad_(False)
