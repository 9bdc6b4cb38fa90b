"""Changes of a drawing under way: what they may be, and the plan that each of them leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from torch import Tensor

from lucid.drawing.targets import Targets, find_targets, with_cooldown
from lucid.errors import UsageError, nearest
from lucid.imaging import Size
from lucid.imaging.fit import fit_mask
from lucid.imaging.io import Picture, to_mask
from lucid.imaging.masks import mask_name, named_mask

if TYPE_CHECKING:
    from lucid.drawing.plan import Plan


class Edit(TypedDict, total=False):
    """What changes in a drawing under way; what is left out stays as it is.

    Attributes:
        targets: what to paint from now on, as for ``draw``, in place of everything before.
        strength: factor of the config's lr, 0 to 100.
        mask: the picture changes only where this is bright, as for ``draw``; None for everywhere.
        padding: beyond the picture's border: ``reflect``, ``wrap`` or ``mean``.
        iterations: passes of the octave under way, 1 or more; those that were made count.
        seed: of the random numbers from now on, 0 or more.
        erase: a mask like ``mask``: where it is bright, the picture goes back to its base, or to
            grey.
        stop: True ends the drawing.
    """

    targets: Targets
    strength: float
    mask: Picture | None
    padding: str
    iterations: int
    seed: int
    erase: Picture
    stop: bool


Moment = tuple[int, int]
"""When an edit is made: whole passes before, and rings of the next pass before."""

TimedEdits = Sequence[tuple[int | Moment, Edit]] | Mapping[int | Moment, Edit]
"""Edits, each with its moment, or with the number of whole passes before."""

TimedEdit = tuple[Moment, Edit]
"""An edit and its moment."""


def moment_text(moment: Moment) -> str:
    """A moment as it is typed: 37 passes, or 37.2 with two rings of the next."""
    passes, rings = moment
    return f"{passes}.{rings}" if rings else str(passes)


def find_edits(at: TimedEdits) -> tuple[TimedEdit, ...]:
    """Bring edits into the order in which they are made.

    Raises:
        UsageError: a moment is no number of passes, or a pair of passes and rings; or an edit
            changes what cannot be changed.
    """
    found: list[TimedEdit] = []
    for moment, edit in at.items() if isinstance(at, Mapping) else at:
        pair = moment if isinstance(moment, tuple) else (moment, 0)
        if len(pair) != 2 or not all(type(count) is int and count >= 0 for count in pair):
            raise UsageError(f"at {moment!r}: must be a number of passes, or (passes, rings)")
        check_edit(edit)
        found.append((pair, edit))
    return tuple(sorted(found, key=lambda each: each[0]))  # a stable sort keeps the order within


def with_edits(plan: Plan, at: TimedEdits) -> Plan:
    """A plan with edits that are made under way; a mistake in one is found before any work.

    Raises:
        UsageError: an edit makes no sense.
    """
    edits, then = find_edits(at), plan
    for _, edit in edits:
        then = edited(then, edit)
    return replace(plan, edits=edits)


def check_edit(edit: Edit) -> None:
    """Raise a UsageError if an edit changes what cannot be changed, or to what cannot be."""
    for name in edit:
        if name not in Edit.__annotations__:
            known = [*Edit.__annotations__]
            raise UsageError(f"an edit cannot change {name!r}{nearest(name, known)}")
    strength = edit.get("strength", 1)
    if not isinstance(strength, int | float) or not 0 <= strength <= 100:
        raise UsageError(f"strength {strength} must be from 0 to 100; 1 is usual")
    for name, least in (("iterations", 1), ("seed", 0)):
        value = edit.get(name, least)
        if type(value) is not int or not least <= value < 2**63:
            raise UsageError(f"{name}={value!r} must be a whole number, {least} or more")


def edited(plan: Plan, edit: Edit) -> Plan:
    """The plan of what is painted after an edit, but for its octaves.

    Raises:
        UsageError: the net lacks a class or layer, or an option makes no sense.
    """
    check_edit(edit)
    changed: dict[str, Any] = {}
    if "targets" in edit:
        targets = find_targets(plan.net, edit["targets"], plan.config)
        config, _ = with_cooldown(plan.config, targets)
        changed |= {"targets": targets, "config": config}
    if "strength" in edit:
        changed["strength"] = edit["strength"]
    if "padding" in edit:
        changed["tiling"] = replace(plan.tiling, padding=edit["padding"])
    if "mask" in edit:
        mask = edit["mask"]
        changed["mask"] = None if mask is None else find_mask(mask, plan.size, plan.base)
    return replace(plan, **changed)


def find_mask(
    mask: Picture,
    size: Size,
    base: Tensor | None,
    shape: Size | None = None,
    fit: str = "crop",
) -> Tensor:
    """Turn a mask's name or picture into a mask.

    Args:
        mask: as ``draw`` takes it.
        size: (height, width) of the picture.
        base: the base, (3, height, width), at any size, in which the sky is looked for.
        shape: (height, width) of the base before it was brought to ``size``.
        fit: how it was.

    Returns:
        (height, width), 0..1, of the picture's shape, at any size.
    """
    shape = shape or size
    if isinstance(mask, str) and (name := mask_name(mask)):
        mask = named_mask(name, shape, base)
    return fit_mask(to_mask(mask), shape, size, fit)
