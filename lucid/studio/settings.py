"""What an artist has chosen on the page: checked, and turned into a plan, an edit or a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lucid.drawing.config import DrawConfig, default_config
from lucid.drawing.edit_words import EditReader
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Given, Plan, prepare
from lucid.drawing.preset_files import read_preset
from lucid.drawing.recipe import draw_recipe
from lucid.drawing.spec_targets import RegionReader
from lucid.drawing.targets import guide as guide_objective
from lucid.errors import UsageError, nearest
from lucid.imaging.recipe_masks import HELD_NAME
from lucid.imaging.recipes import Recipe
from lucid.nets.net import Net
from lucid.studio.assets import Assets
from lucid.studio.checks import CHECKS
from lucid.studio.rows import Row

FITTED = 640
"""The longest side that a photograph is brought to, unless a size is chosen, in pixels."""

LIVE = ("rows", "strength", "padding")
"""Settings that change a drawing under way; all others begin it anew."""


@dataclass(frozen=True)
class Settings:
    """All that is chosen on the page.

    Attributes:
        net: the name of a net in the box.
        photo: the hash of the photograph to paint on; None for noise.
        photo_name: its file's name.
        photo_size: its width and height, in pixels.
        size: width and height of the picture, in pixels.
        subject: as for ``lucid draw --subject``; empty for the default.
        tiles: the order of the tiles.
        preset: the name of a preset; empty for what suits the net.
        padding: beyond the border.
        octaves: how many sizes to paint at; None for the default.
        iters: passes at each; None for the default.
        seed: of the random numbers.
        strength: factor of the step size, 0 to 100.
        keep_colors: whether only the photograph's brightness changes.
        guide: the hash of a picture that ``guide_layer`` is to resemble; None for none.
        guide_layer: the layer.
        guide_name: the name of the guide's file.
        rows: what to paint.
    """

    net: str = "lucid64"
    photo: str | None = None
    photo_name: str = ""
    photo_size: tuple[int, int] | None = None
    size: tuple[int, int] = (224, 224)
    subject: str = ""
    tiles: str = "spiral"
    preset: str = ""
    padding: str = "reflect"
    octaves: int | None = None
    iters: int | None = None
    seed: int = 6  # whose goldfish is a fine one
    strength: float = 1.0
    keep_colors: bool = False
    guide: str | None = None
    guide_layer: str = ""
    guide_name: str = ""
    rows: tuple[Row, ...] = field(default_factory=lambda: (Row(1),))

    def changed(self, changes: Mapping[str, Any], assets: Assets) -> Settings:
        """The settings with changes from outside.

        Raises:
            UsageError: there is no such setting, or a value makes no sense.
        """
        read = dict(changes)
        for name in read:
            if name not in CHECKS:
                raise UsageError(f"there is no setting {name!r}{nearest(name, [*CHECKS])}")
        for name, value in read.items():
            read[name] = CHECKS[name](name, value)
        if "photo" in read:
            read["photo_size"] = assets.size(read["photo"]) if read["photo"] else None
            if read["photo_size"] and "size" not in read:
                read["size"] = _fitted(read["photo_size"])
        if read.get("guide"):
            assets.size(read["guide"])
        for row in read.get("rows", ()):
            if row.mask and row.mask not in assets.masks:
                raise UsageError(f"there is no mask {row.mask[:20]}…: send it first")
        return replace(self, **read)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON-compatible values."""
        return dataclasses.asdict(self)

    @property
    def active(self) -> list[Row]:
        """The rows that count."""
        return [row for row in self.rows if row.on]

    def target_words(self) -> str:
        """What is painted, as it is typed behind ``--at``."""
        words = []
        for kind in ("class", "layer"):
            parts = [row.words() for row in self.active if row.kind == kind]
            if parts:
                words.append(f"{kind}={'+'.join(parts)}")
        return "; ".join(words)

    def edit_words(self, before: Settings) -> str:
        """The words of the edit that leads here from settings before; empty for none."""
        words = []
        if self.target_words() and self.target_words() != before.target_words():
            words.append(self.target_words())
        if self.strength != before.strength:
            words.append(f"strength={self.strength:.12g}")
        if self.padding != before.padding:
            words.append(f"padding={self.padding}")
        return "; ".join(words)

    def begins_anew(self, before: Settings) -> bool:
        """Whether a drawing by settings before must be begun anew."""
        names = {each.name for each in dataclasses.fields(self)} - {*LIVE, "photo_name"}
        if self.guide and self.rows != before.rows:
            return True  # no word of an edit holds a guide
        return any(getattr(self, name) != getattr(before, name) for name in names)

    def config(self, net: Net) -> DrawConfig:
        """The hyperparameters: what suits the net, or a preset."""
        config = default_config(net, on_base=self.photo is not None)
        return read_preset(self.preset, config) if self.preset else config

    def reader(self, net: Net, assets: Assets) -> EditReader:
        """What reads words such as ``class=lion@sha256:…``."""
        height, width = self.size[1], self.size[0]
        return EditReader(
            net, self.config(net), RegionReader((height, width), read=assets.read_mask)
        )

    def plan(self, net: Net, assets: Assets, at: Sequence[tuple[Any, str]] = ()) -> Plan:
        """Plan the drawing.

        Args:
            net: the net that paints.
            assets: photographs and masks.
            at: edits that are made under way, each with its moment, as they are typed.

        Raises:
            UsageError: nothing is to be painted, or the net lacks a class or layer.
        """
        reader = self.reader(net, assets)
        targets: list[Any] = []
        if words := self.target_words():
            targets += list(reader.parse(words)["targets"])  # type: ignore[arg-type]
        if self.guide and any(row.kind == "layer" for row in self.active):
            raise UsageError("a guide goes with classes: remove the guide, or the layers")
        if self.guide:
            layer = self.guide_layer or _last_layer(net)
            targets.append(guide_objective(net, layer, assets.picture(self.guide)))
        if not targets:
            raise UsageError("there is nothing to paint: choose a class")
        base = assets.picture(self.photo) if self.photo else None
        options = self._options()
        options["config"] = self.config(net)
        options["at"] = [(moment, reader.parse(words)) for moment, words in at] or None
        return prepare(net, targets, base, **options)

    def _options(self) -> DrawOptions:
        width, height = self.size
        return {
            "size": (height, width),
            "order": self.tiles,
            "subject": self.subject or None,
            "padding": self.padding,
            "octave_count": self.octaves,
            "iterations": self.iters,
            "strength": self.strength,
            "keep_colors": self.keep_colors,
            "seed": self.seed,
        }

    @property
    def _guide_file(self) -> str:
        """The name of the guide's file, which is not the photograph's."""
        name = self.guide_name or "guide.png"
        return f"guide-{name}" if name == self.photo_name else name

    def recipe(self, plan: Plan, assets: Assets, edits: Sequence[tuple[str, str]]) -> Recipe:
        """The recipe by which ``lucid redo`` makes the picture again.

        Args:
            plan: made by ``plan`` of these settings.
            assets: photographs and masks.
            edits: that were made under way, each with its moment, as they are typed.
        """
        photo = (self.photo_name or "photograph.png") if self.photo else None
        given = Given([], photo, self._options())
        drawn = draw_recipe(plan, source=given, edits=())
        files: dict[str, Any] = {photo: self.photo} if photo else {}
        options: dict[str, Any] = {}
        for kind in ("class", "layer"):
            if rows := [row.words() for row in self.active if row.kind == kind]:
                options[kind] = rows
        if self.guide:
            options |= {"layer": [self.guide_layer or _last_layer(plan.net)]}
            options["guide"] = guide = self._guide_file
            files[guide] = self.guide
        if self.preset:
            options["preset"] = self.preset
        net = Path(self.net)  # folders tell about their owner
        options["net"] = net.name if net.is_absolute() else self.net
        if edits:
            options["at"] = [list(edit) for edit in edits]
        used = set(HELD_NAME.findall(f"{options}"))
        made = {**drawn.made, **({"files": files} if files else {})}
        masks = {name: assets.masks[name] for name in sorted(used)}
        return Recipe("draw", {**drawn.options, **options}, made, masks)


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    """A size of the same shape whose longest side is ``FITTED`` or less, and none under 32."""
    share = min(1, FITTED / max(size))
    width, height = (max(32, round(side * share)) for side in size)
    return width, height


def _last_layer(net: Net) -> str:
    """A layer late in the net that has features for each place."""
    layers = [name for name, _, shape in net.describe() if len(shape) == 3 and shape[-1] > 1]
    return layers[-1] if layers else ""
