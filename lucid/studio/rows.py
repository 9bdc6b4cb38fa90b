"""The rows of the page: what is painted, how much of each, and where."""

from __future__ import annotations

from dataclasses import dataclass

from lucid.drawing.specs import parse_layer


@dataclass(frozen=True)
class Row:
    """One thing to paint.

    Attributes:
        id: tells rows apart.
        kind: ``class`` or ``layer``.
        name: as it is typed behind ``--class`` or ``--layer``, without weight and region.
        weight: relative to the other rows.
        mask: the name of a mask; None for everywhere.
        on: whether the row counts.
    """

    id: int
    kind: str = "class"
    name: str = "goldfish"
    weight: float = 1.0
    mask: str | None = None
    on: bool = True

    def words(self) -> str:
        """The row as it is typed, with its weight and mask."""
        weight = ""
        if self.weight != 1:
            whole_layer = self.kind == "layer" and not parse_layer(self.name).channels
            weight = f"{'::' if whole_layer else ':'}{self.weight:.12g}"
        return f"{self.name}{weight}{f'@{self.mask}' if self.mask else ''}"
