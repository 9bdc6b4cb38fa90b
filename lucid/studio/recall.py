"""From the recipe of a picture that was dropped on the page back to settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lucid.drawing.edit_words import EVERYWHERE
from lucid.drawing.specs import FILES_IN_WORDS, LayerSpec, parse_class, parse_layer
from lucid.errors import LucidError
from lucid.imaging.masks import NAMED
from lucid.imaging.recipe_masks import HELD
from lucid.imaging.recipes import Recipe
from lucid.nets.registry import load_meta
from lucid.studio.assets import Assets
from lucid.studio.settings import Settings

TypedEdit = tuple[str, str]
"""A moment and an edit, as they are typed behind ``--at``."""

WHERE = ("device", "precision", "batch", "deterministic")
"""Options of a recipe that say where the net ran."""


def recalled(recipe: Recipe, assets: Assets, now: Settings) -> tuple[Settings, list[TypedEdit]]:
    """The settings of a recipe, and its edits, each with its moment.

    A recipe may come from a stranger: it names options, nets in the box, and pictures that were
    uploaded, never files of this machine.

    Args:
        recipe: of a picture.
        assets: photographs and masks; they take those of the recipe.
        now: the present settings, whose photograph may be the recipe's.

    Raises:
        LucidError: the recipe is not of ``lucid draw``, or has what the studio has not.
    """
    if recipe.command != "draw":
        raise LucidError(f"the picture was made by `lucid {recipe.command}`, not by `lucid draw`")
    options = dict(recipe.options)
    files = recipe.made.get("files", {})
    if recipe.made.get("program"):
        raise LucidError("the picture was made by a Python program, which alone can make it again")
    assets.take_masks(recipe.masks)
    changes: dict[str, Any] = {"strength": options.pop("strength", 1.0)}
    if "guide" in options:
        changes["guide_layer"] = str(_list(options.pop("layer", ""))[0])
    changes["rows"] = _rows({kind: options.pop(kind, []) for kind in ("class", "layer")})
    for name, key in (("base", "photo"), ("guide", "guide")):
        if given := _list(options.pop(name, [])):
            changes |= _uploaded(key, str(given[0]), files, assets, now)
    changes.setdefault("photo", None)
    typed = options.pop("size", "224x224")
    changes["size"] = _size(recipe.made.get("size", typed))
    for name in ("net", "tiles", "preset", "padding", "octaves", "iters", "seed"):
        if name in options:
            changes[name] = options.pop(name)
    if "keep-colors" in options:
        changes["keep_colors"] = bool(options.pop("keep-colors"))
    if "subject" in options:
        changes["subject"] = str(options.pop("subject"))
    edits = [
        (str(moment), str(words)) for moment, words in map(_pair, _list(options.pop("at", [])))
    ]
    if edits and edits[-1][1] == "stop":
        edits.pop()  # the artist goes on
    for _, words in edits:
        _check_words(words, assets)
    fresh = Settings(photo=now.photo, photo_name=now.photo_name, photo_size=now.photo_size)
    settings = fresh.changed(changes, assets)
    config = settings.config(load_meta(settings.net))
    usual: dict[str, Any] = {"count": 1, "fit": "crop", "overlap": 0.5, "pooling": "max"}
    usual |= {name: getattr(config, name) for name in ("variety", "noise", "tint")}
    other = [
        name
        for name, value in options.items()
        if name not in WHERE and not (name in usual and value == usual[name])
    ]
    if other:
        raise LucidError(f"the studio has no {', '.join(other)}: `lucid redo` makes the picture")
    return settings, edits


def settings_after(settings: Settings, words: str, assets: Assets) -> Settings:
    """The settings after an edit of a recipe was made."""
    changes: dict[str, Any] = {}
    typed: dict[str, list[str]] = {}
    for word in words.split(";"):
        key, _, value = (part.strip() for part in word.partition("="))
        if key in ("class", "layer"):
            typed.setdefault(key, []).extend(value.split("+"))
        elif key == "strength":
            changes[key] = float(value)
        elif key == "padding":
            changes[key] = value
    if typed:
        changes["rows"] = _rows(typed)
    return settings.changed(changes, assets)


def _rows(typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of classes and layers as they are typed in a recipe."""
    rows: list[dict[str, Any]] = []
    for kind, texts in typed.items():
        for text in _list(texts):
            rows.append(_row(kind, str(text), len(rows) + 1))
    return rows


def _row(kind: str, text: str, number: int) -> dict[str, Any]:
    """A row of a class or layer as it is typed in a recipe."""
    spec = parse_class(text) if kind == "class" else parse_layer(text)
    name = spec.name
    if isinstance(spec, LayerSpec) and spec.neuron:
        raise LucidError("the studio has no neurons of layers: `lucid redo` makes the picture")
    if isinstance(spec, LayerSpec) and spec.channels:
        name += ":" + ",".join(map(str, spec.channels))
    if spec.region and not spec.region.startswith(HELD):
        raise LucidError(f"the studio has no region {spec.region}: `lucid redo` makes the picture")
    return {"id": number, "kind": kind, "name": name, "weight": spec.weight, "mask": spec.region}


def _uploaded(
    key: str, name: str, files: Mapping[str, Any], assets: Assets, now: Settings
) -> dict[str, Any]:
    """A picture that a recipe names: the upload of its hash, or the photograph that is open."""
    digest = str(files.get(name, ""))
    if digest in assets:
        return {key: digest, f"{key}_name": name}
    if key == "photo" and now.photo and not digest:
        return {key: now.photo, f"{key}_name": now.photo_name}
    raise LucidError(f"the picture was painted on {name}: drop that here first, then this one")


def _check_words(words: str, assets: Assets) -> None:
    """Refuse an edit of a recipe that names a file."""
    for found in FILES_IN_WORDS.finditer(words):
        name = found[found.lastgroup or 0].strip()
        if name not in assets.masks and name not in (EVERYWHERE, *NAMED):
            raise LucidError(f"the picture names {name}: `lucid redo` makes the picture again")


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise LucidError("the picture's edits are no pairs of a moment and words")
    return value[0], value[1]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _size(text: Any) -> list[int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(text))
    if not found:
        raise LucidError(f"the picture's size {text!r} is none: it must be WIDTHxHEIGHT")
    return [int(found[1]), int(found[2])]
