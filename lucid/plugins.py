"""Python of the user's own: an object in a file or module, or one that a package offers."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import re
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lucid.errors import LucidError, UsageError, nearest
from lucid.reading import check_regular

CODE = re.compile(r"(?:(?P<file>.+\.py)|(?P<module>[A-Za-z_]\w*(?:\.\w+)*)):(?P<name>[A-Za-z_]\w*)")
"""How an object is named: ``my.py:make_net``, or ``package.module:make_net``."""


def call(kind: str, function: Callable[..., Any], **given: Any) -> Any:
    """Call a function or class of the user's own with positional arguments.

    Args:
        kind: what it makes, for messages: ``canvas``, ``order``, …
        function: what to call.
        given: the arguments, by names for messages.

    Raises:
        UsageError: it does not take so many.
    """
    name = getattr(function, "__name__", type(function).__name__)
    try:
        inspect.signature(function).bind(*given.values())
    except TypeError as error:
        raise UsageError(f"the {kind} {name} must take {', '.join(given)}: {error}") from error
    except ValueError:  # a function of C has no signature
        pass
    return function(*given.values())


def is_code(text: str) -> bool:
    """Tell whether a text names an object in a Python file or module."""
    return CODE.fullmatch(text) is not None


def load_object(text: str) -> Any:
    """Run a Python file, or import a module, and return an object of it.

    Args:
        text: the file or module and the object's name: ``my.py:make_net``, or
            ``package.module:make_net``.

    Raises:
        UsageError: the text names no object, or there is no such object or module.
        LucidError: there is no such file, or running it fails; the message has the line.
    """
    match = CODE.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} must be FILE.py:NAME or package.module:NAME")
    source, name = match["file"] or match["module"], match["name"]
    namespace = _run_once(source) if match["file"] else _import_module(source)
    if name not in namespace:
        own = [known for known in namespace if not known.startswith("_")]
        raise UsageError(f"{source} has no {name!r}{nearest(name, own)}")
    return namespace[name]


def _import_module(name: str) -> dict[str, Any]:
    """Import a module, from the current folder as well, and return its names."""
    folder = str(Path.cwd())
    if folder not in sys.path:  # `python -m` looks there, too
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {name!r}: give package.module:NAME of an installed package "
                "or of this folder, or FILE.py:NAME"
            ) from error
        raise LucidError(f"{name} cannot be imported: {error}") from error
    except Exception as error:
        raise LucidError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    return vars(module)


def _run_once(file: str) -> dict[str, Any]:
    """Run a file, unless it was run before and has not changed since."""
    path = Path(file)
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _run_version(path.absolute(), file, changed)


@functools.lru_cache
def _run_version(path: Path, file: str, changed: int) -> dict[str, Any]:
    return run_file(Path(file))


RUN: set[str] = set()
"""The files that were run."""


def own_error(error: Exception) -> str:
    """Say where an error came from in a file that was run, and what it is; else empty."""
    trace = traceback.extract_tb(error.__traceback__)
    file = next((each.filename for each in reversed(trace) if each.filename in RUN), "")
    return f"{place_of(error, file)}: {type(error).__name__}: {error}" if file else ""


def run_file(path: Path) -> dict[str, Any]:
    """Run a Python file and return its names; raise a LucidError if that fails."""
    check_regular(path)
    RUN.add(str(path))
    try:
        return runpy.run_path(str(path))
    except Exception as error:
        where = place_of(error, str(path))
        raise LucidError(f"{where}: {type(error).__name__}: {error}") from error


def place_of(error: Exception, file: str) -> str:
    """Name a file, and the line of it that an error came from."""
    lines = [
        each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == file
    ]
    return f"{file}, line {lines[-1]}" if lines else file


def entry_points(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    """What installed packages offer in a group, such as ``lucid.nets``, by name."""
    return {each.name: each for each in importlib.metadata.entry_points(group=group)}


def load_entry_point(group: str, name: str) -> Any:
    """Load what an installed package offers by a name.

    Raises:
        LucidError: importing it fails.
        KeyError: no package offers that.
    """
    point = entry_points(group)[name]
    try:
        return point.load()
    except Exception as error:
        raise LucidError(
            f"{name}, which {point.value} offers as one of {group}, cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
