"""Read small text files that a user names: regular files only, of limited size.

Every cfg, recipe, preset, mix, list of names and list of steps is read here. Like any input, such
a file may come from a stranger: it may be a device that never ends, or be nested too deeply.
"""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

from lucid.errors import LucidError

MAX_BYTES = 16 * 2**20
"""Size of the largest text file that is read."""

MAX_DEPTH = 20
"""Levels of the deepest table or list in TOML or JSON."""


def check_regular(path: str | Path) -> int:
    """Return the size of a file in bytes; refuse what is no file: a folder, pipe or device.

    Raises:
        LucidError: there is no such file, or it is no regular file.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LucidError(f"{path}: cannot be read ({reason})") from error
    if stat.S_ISDIR(found.st_mode):
        raise LucidError(f"{path}: cannot be read (it is a folder)")
    if not stat.S_ISREG(found.st_mode):
        raise LucidError(
            f"{path}: is a pipe or device, not a file (a picture can come on standard input, as -)"
        )
    return found.st_size


def read_text(path: Path, *, errors: str = "strict") -> str:
    """Read a UTF-8 text file of at most ``MAX_BYTES``, with or without a byte order mark.

    Args:
        path: the file.
        errors: what to do with bytes that are no UTF-8, as for ``bytes.decode``.

    Raises:
        LucidError: the file cannot be read, is too large, or is no text.
    """
    if (size := check_regular(path)) > MAX_BYTES:
        raise LucidError(f"{path}: is too large for a text file ({size:,} bytes)")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8-sig", errors)
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LucidError(f"{path}: is not a text file (in UTF-8)") from error


def parse_json(text: str, where: Path | str) -> Any:
    """Parse JSON; refuse what ``parse_table`` refuses, but take a list or a single value too."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LucidError(f"{where}: is not JSON ({error})") from error
    _check_values(content, where)
    return content


def parse_table(text: str, where: Path | str, *, as_json: bool = False) -> dict[str, Any]:
    """Parse a table of TOML, or an object of JSON.

    Args:
        text: the text.
        where: the file that it is from, for messages.
        as_json: whether the text is JSON.

    Returns:
        The table, whose values are strings, numbers, booleans, lists and tables, and in JSON None.

    Raises:
        LucidError: the text is of another format, is no table, or holds something else.
    """
    if as_json:
        content = parse_json(text, where)
    else:
        try:
            content = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise LucidError(f"{where}: is not TOML ({error})") from error
        _check_values(content, where)
    if not isinstance(content, dict):
        raise LucidError(f"{where}: holds no table of settings")
    return content


def _is_half(char: str) -> bool:
    """Tell whether a character is half of one, and no byte of a file name either."""
    return "\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff"


def _check_values(value: Any, where: Path | str, depth: int = 0) -> None:
    """Refuse texts that no file name can be, dates, and what is nested too deeply."""
    if depth > MAX_DEPTH:
        raise LucidError(f"{where}: is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_values(key, where, depth)
            _check_values(each, where, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check_values(each, where, depth + 1)
    elif isinstance(value, str):
        # Of the surrogates, Python keeps bytes of file names that are no text as U+DC80 to U+DCFF.
        if any(char == "\0" or _is_half(char) for char in value):
            raise LucidError(f"{where}: holds a character that is none (NUL, or half of one)")
    elif not (value is None or isinstance(value, bool | int | float)):
        raise LucidError(f"{where}: holds a {type(value).__name__}: write it as a text")
