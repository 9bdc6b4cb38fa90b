"""Checks of what comes from the page: rows, and settings one by one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from lucid.drawing.specs import parse_layer
from lucid.errors import UsageError, nearest
from lucid.imaging.recipe_masks import HELD_NAME
from lucid.resources import presets
from lucid.studio.rows import Row
from lucid.tiling.tiles import ORDERS, PADDINGS

MAX_ROWS = 12
MAX_SIDE = 4096
"""The longest side of a picture of the studio, in pixels: ``lucid redo`` makes larger ones."""

MAX_SEED = 2**31 - 1
HASH = re.compile(r"[0-9a-f]{64}")
Check = Callable[[str, Any], Any]
"""From the name of a setting and a value from outside to the value, or a UsageError."""


def check_text(name: str, value: Any) -> str:
    """A short text from outside.

    Raises:
        UsageError: the value is none.
    """
    if not isinstance(value, str) or len(value) > 200:
        raise UsageError(f"{name} must be a text of 200 letters or fewer")
    return value


def _one_of(*known: str) -> Check:
    def check(name: str, value: Any) -> str:
        if value not in known:
            near = nearest(str(value)[:100], [*known])
            raise UsageError(f"{name} {str(value)[:100]!r} is not in the box{near}")
        return str(value)

    return check


def _number(least: float, most: float) -> Check:
    def check(name: str, value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not least <= value <= most:  # which no NaN is
            raise UsageError(f"{name} must be a number from {least:g} to {most:g}")
        return float(value)

    return check


def whole_number(least: int, most: int, *, optional: bool = False) -> Check:
    """A check of a whole number in a range; with ``optional``, or None."""

    def check(name: str, value: Any) -> int | None:
        if value is None and optional:
            return None
        if type(value) is not int or not least <= value <= most:
            raise UsageError(f"{name} must be a whole number from {least} to {most}")
        return value

    return check


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be true or false")
    return value


def _hash(name: str, value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and HASH.fullmatch(value)):
        raise UsageError(f"{name} must be the hash of an upload")
    return value


def _sides(name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UsageError("size must be width and height")
    width, height = (whole_number(32, MAX_SIDE)("a side", side) for side in value)
    return width, height


def _subject(name: str, value: Any) -> str:
    text = check_text(name, value)
    if text and not re.fullmatch(r"tile|\d{0,5}(\.\d{1,6})?(px)?", text):
        raise UsageError("subject must be a share such as .5, pixels such as 224px, or tile")
    return text


def _rows(name: str, value: Any) -> tuple[Row, ...]:
    if not isinstance(value, list) or len(value) > MAX_ROWS:
        raise UsageError(f"rows must be a list of {MAX_ROWS} or fewer")
    return tuple(map(_checked_row, value))


def _checked_row(value: Any) -> Row:
    """A row from outside, checked."""
    if not isinstance(value, dict) or not {*value} <= {
        each.name for each in dataclasses.fields(Row)
    }:
        raise UsageError("a row has id, kind, name, weight, mask and on")
    row = Row(
        id=whole_number(0, 2**31)("id", value.get("id")) or 0,
        kind=_one_of("class", "layer")("kind", value.get("kind", "class")),
        name=check_text("name", value.get("name", "")),
        weight=_number(-100, 100)("weight", value.get("weight", 1)),
        mask=value.get("mask"),
        on=_flag("on", value.get("on", True)),
    )
    if row.mask is not None and not HELD_NAME.fullmatch(str(row.mask)):
        raise UsageError("a mask must be the name of one that was sent")
    if not row.name or re.search(r"[@+;]", row.name) or (row.kind == "class" and ":" in row.name):
        raise UsageError(f"{row.name!r} is no name of a class or layer")
    if row.kind == "layer":
        parse_layer(row.name)
    return row


CHECKS: dict[str, Check] = {
    "net": check_text,
    "photo": _hash,
    "photo_name": check_text,
    "size": _sides,
    "subject": _subject,
    "tiles": _one_of(*ORDERS, "none"),
    "preset": _one_of("", *presets()),
    "padding": _one_of(*PADDINGS),
    "octaves": whole_number(1, 20, optional=True),
    "iters": whole_number(1, 10_000, optional=True),
    "seed": whole_number(0, MAX_SEED),
    "strength": _number(0, 100),
    "keep_colors": _flag,
    "guide": _hash,
    "guide_layer": check_text,
    "guide_name": check_text,
    "rows": _rows,
}
"""Checks of settings from outside, by name; each takes the name and the value."""
