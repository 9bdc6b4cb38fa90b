"""Class names: reading them from a file, and matching what a user types. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lucid.errors import LucidError


def read_names(path: Path) -> list[str]:
    """Read a file of class names, one a line, in the order of the class numbers.

    Args:
        path: a UTF-8 text file; a byte-order mark and blank lines at the end are ignored.

    Returns:
        The names; at least one.

    Raises:
        LucidError: the file cannot be read, is not text, or is empty.
    """
    try:
        names = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise LucidError(f"{path}: cannot be read as class names ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LucidError(f"{path}: is not a text file of class names") from error
    if not names:
        raise LucidError(f"{path}: holds no class names")
    return names


def normalize_name(name: str) -> str:
    """Fold the spellings of a name into one: lower case, blanks for hyphens and underscores."""
    return name.strip().casefold().replace("-", " ").replace("_", " ")


def matching_classes(name: str, classes: Sequence[str]) -> list[int]:
    """Find the classes with a given name, or else those whose names contain it.

    Args:
        name: the name or a part of it, in any spelling that ``normalize_name`` folds.
        classes: the names of all classes.

    Returns:
        The numbers (indices) of the matching classes, ascending; empty if none matches.
    """
    wanted = normalize_name(name)
    names = [normalize_name(candidate) for candidate in classes]
    exact = [number for number, candidate in enumerate(names) if candidate == wanted]
    return exact or [
        number for number, candidate in enumerate(names) if wanted and wanted in candidate
    ]
