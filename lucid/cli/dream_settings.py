"""The JSON settings of dream.py (the "lucid dreaming" post) as a recipe of lucid's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucid.errors import LucidError, nearest

if TYPE_CHECKING:
    from lucid.imaging.recipes import Recipe

log = logging.getLogger("lucid")

KEYS = {
    *("input", "output", "config", "model", "layer", "basefile", "guide", "guidelayer", "target"),
    *("weight", "iters", "octaves", "deepdraw", "sigma", "glide", "verbose", "zoom", "rotate"),
    *("frames", "initial", "keys", "nojson"),
}
"""dream.py's options, which its files hold by their long names."""

LAYER = "inception_4c/output"
"""What dream.py enhances in GoogLeNet if nothing else is asked for."""


def is_dream_settings(content: Any) -> bool:
    """Tell whether the content of a JSON file is dream.py's."""
    return isinstance(content, dict) and "command" not in content and bool(KEYS & {*content})


def dream_recipe(content: Mapping[str, Any], where: Path) -> Recipe:
    """Write down as a recipe what dream.py would do.

    One frame is ``lucid draw``: with a target, on the octave of dream.py or those of ``deepdraw``;
    without one, Google's DeepDream on a layer. Several frames are ``lucid film``, into a folder.
    What dream.py ignores, such as ``layer`` beside ``target``, is ignored here as well.

    Args:
        content: of the file.
        where: the file, for messages.

    Raises:
        LucidError: a setting is unknown or of another type, or nothing is to be painted.
    """
    for key, value in content.items():
        if key not in KEYS:
            raise LucidError(f"{where}: dream.py has no {key!r}{nearest(key, sorted(KEYS))}")
        allowed = (dict, str) if key == "target" else (str, int, float)
        if value is not None and not isinstance(value, allowed):
            raise LucidError(f"{where}: {key} = {value!r} is no value of dream.py's {key}")
    if content.get("keys"):
        raise LucidError(f"{where}: keys only lists layers: `lucid layers NET` does")
    if content.get("sigma") and int(content.get("frames") or 1) > 1:
        log.warning("%s: sigma is left out: films are not blurred", where)
    given = {key: value for key, value in content.items() if value not in (None, "", 0, False)}
    try:
        return _recipe(given)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise LucidError(f"{where}: holds a number that is none ({error})") from error


def _recipe(given: Mapping[str, Any]) -> Recipe:
    from lucid.imaging.recipes import Recipe

    film = int(given.get("frames", 1)) > 1
    options: dict[str, Any] = {"net": given.get("model", "googlenet")}
    if "input" in given:
        options["base"] = [given["input"]]
    if "target" in given:
        options |= _target(given)
    else:
        # dream.py looks at the guide with its guide layer, whose channels must be the layer's.
        layer = given.get("layer", given.get("guidelayer", LAYER) if "guide" in given else LAYER)
        options |= {"layer": [layer], "preset": "deepdream"}
        for key, name in (("guide", "guide"), ("iters", "iters"), ("octaves", "octaves")):
            if key in given:
                options[name] = given[key]
        if "sigma" in given and not film:
            options["blur"] = given["sigma"]
    options |= _output(given, film)
    if film:
        options |= {"frames": int(given["frames"]), "warp": _warps(given), "contrast": 0}
    elif "verbose" in given:
        options["save-every"] = 1
    if "nojson" in given:
        options["no-recipe"] = True
    return Recipe("film" if film else "draw", options)


def _target(given: Mapping[str, Any]) -> dict[str, Any]:
    """The classes: numbers and ranges of one weight, a table of weights, or random signs."""
    target, options = given["target"], {"preset": given.get("deepdraw", "dreampy")}
    if isinstance(target, dict):
        return {
            **options,
            "class": [f"{name}:{float(weight):g}" for name, weight in target.items()],
        }
    if target == "randomise":
        return {**options, "mix": "random"}
    if target.endswith(".json"):
        return {**options, "mix": target}
    weight = float(given.get("weight", 1))
    return {**options, "class": [target if weight == 1 else f"{target}:{weight:g}"]}


def _output(given: Mapping[str, Any], film: bool) -> dict[str, str]:
    """dream.py writes into a folder, a file of the base's name unless another is given."""
    if "output" not in given:
        return {}
    name = str(given.get("basefile", "{stem}"))
    return {"output": str(Path(given["output"]) / (name if film or "." in name else f"{name}.jpg"))}


def _warps(given: Mapping[str, Any]) -> list[str]:
    """What happens between frames: dream.py turns the other way, and zooms by what it cuts off."""
    warps = []
    if "rotate" in given:
        warps.append(f"rotate:{-float(given['rotate']):g}")
    if "zoom" in given:
        zoom = float(given["zoom"])
        warps.append(f"zoom:{zoom / (1 - zoom):.6g}")
    if "glide" in given:
        warps.append(f"translate:{given['glide']}")
    return warps
