"""Nets that were saved with their code: TorchScript's files and those of ``torch.export``.

Such a file is a program: loading it runs what its author wrote. So no recipe opens one unless its
name is typed again.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from lucid.errors import LucidError, UsageError
from lucid.reading import check_regular

SUFFIXES = (".pt", ".pth", ".pt2", ".ts", ".torchscript")
"""How the files are called."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""A program does not say how its images were normalised: nearly all take ImageNet's colours."""


def is_program(name: str) -> bool:
    """Tell whether a net's name is the file of a saved program."""
    return Path(name).suffix in SUFFIXES


def load_program(path: Path) -> tuple[nn.Module, tuple[int, int] | None]:
    """Load a program that maps images to logits.

    Args:
        path: a file that ``torch.jit.save`` or ``torch.export.save`` wrote.

    Returns:
        The module, and (height, width) of the only images that it takes; None for any.

    Raises:
        LucidError: the file is missing, damaged, or holds something else.
        UsageError: the program takes one image at a time.
    """
    check_regular(path)
    try:
        if path.suffix == ".pt2":
            return _load_exported(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch is giving TorchScript up
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(str(path), map_location="cpu"), None
    except LucidError:
        raise
    except Exception as error:  # of whatever type torch's readers raise
        raise LucidError(f"{path}: {_what_is_wrong(path)}") from error


def _load_exported(path: Path) -> tuple[nn.Module, tuple[int, int] | None]:
    program = torch.export.load(str(path))
    images = [node for node in program.graph.nodes if node.op == "placeholder"][-1].meta["val"]
    batch, *_, height, width = images.shape
    if isinstance(batch, int):
        raise UsageError(
            f"{path}: was exported for a batch of {batch} and no other: export it with "
            "dynamic_shapes=({0: torch.export.Dim.AUTO},)"
        )
    fixed = isinstance(height, int) and isinstance(width, int)  # int() of others would fix them
    return torch.export.unflatten(program), (height, width) if fixed else None


def _what_is_wrong(path: Path) -> str:
    """Say what a file that cannot be loaded as a program may be."""
    wanted = "neither TorchScript (torch.jit.save) nor a program of torch.export"
    try:
        inside = [Path(name).name for name in zipfile.ZipFile(path).namelist()]
    except (OSError, zipfile.BadZipFile):
        return f"is {wanted}, or is damaged"
    if "data.pkl" in inside:  # torch.save wrote it
        return (
            f"is {wanted}: if it holds a state dict, give the architecture as the net and this as "
            "its weights: --net resnet18 --weights FILE"
        )
    return f"is {wanted}, or is of another version of torch"
