"""Completions at TAB: nets, classes, layers, warps and presets.

A TAB must answer at once, so nothing here imports torch, except to ask torchvision for the names
of its nets and layers: once, as the answer is kept in lucid's cache folder.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from lucid import resources
from lucid.errors import LucidError
from lucid.nets.imagenet import own_groups, thousand_names

Completer = Callable[[click.Context, str], list[CompletionItem]]
"""Takes the words so far and the beginning of a word; returns offers for that word."""

Callback = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
"""What click's ``shell_complete=`` takes."""

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


def _completer(complete: Completer) -> Callback:
    """Turn a completer into click's form; it offers nothing if it fails, without an error."""

    @functools.wraps(complete)
    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return complete(ctx, incomplete)
        except Exception:
            return []

    return offer


@_completer
def nets(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Offer names of nets, and cfg files."""
    others = _torchvision()["nets"]
    # Where torchvision has the name too, the bundled net needs its suffix.
    own = [f"{name}.cfg" if name in others else name for name in resources.bundled()]
    return _matching([*own, *others], incomplete) + _files(incomplete, ".cfg")


@_completer
def classes(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Offer names of the net's classes, then groups of them.

    A weight or region behind the name is kept.
    """
    typed, _, _ = incomplete.partition("@")
    name = typed.rpartition(":")[0] or typed
    names = _class_names(ctx)
    return _matching([*names, *own_groups(names)], name, incomplete[len(name) :])


@_completer
def layers(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Offer names of the net's layers; a channel behind the name is kept."""
    name = incomplete.partition(":")[0]
    names = _layer_names(ctx)
    return _matching(names, name, incomplete[len(name) :], names)


@_completer
def warps(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Offer names of warps, also of the user's own; with a colon where numbers must follow."""
    known = _warps(resources.PACKAGE / "films" / "warps.py")
    if ctx.params.get("own_warps"):
        known |= _warps(ctx.params["own_warps"])
    return _matching(sorted(known), incomplete, helps=known)


@_completer
def presets(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Offer names of presets, and files that may be one."""
    return _matching(resources.presets(), incomplete) + _files(incomplete, ".toml", ".json")


def nightmare(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the words of `lucid nightmare`: a net, its weights or none, an image, a layer."""
    words = ctx.params.get("words") or ()
    if not words:
        return nets(ctx, param, incomplete)
    if Path(words[-1]).suffix.lower() in IMAGES:
        return layers(ctx, param, incomplete)
    return [CompletionItem(incomplete, type="file")]


def _matching(
    names: Iterable[str], start: str, behind: str = "", helps: Mapping[str, str] | None = None
) -> list[CompletionItem]:
    """Offer the names with a start, whatever its case, dashes and underscores.

    Args:
        names: Names to choose from.
        start: Beginning of a name.
        behind: Text behind the name, which is kept; a complete name is not offered then.
        helps: Descriptions of some names.
    """
    return [
        CompletionItem(name + behind, help=(helps or {}).get(name))
        for name in dict.fromkeys(names)
        if _fold(name).startswith(_fold(start)) and not (behind and name == start)
    ]


def _fold(name: str) -> str:
    """Fold a name as `lucid.nets.class_names.normalize_name` does, but keep a blank at its end."""
    return name.casefold().replace("-", " ").replace("_", " ")


def _files(incomplete: str, *suffixes: str) -> list[CompletionItem]:
    """Offer the files with one of the suffixes, and all folders."""
    folder, slash, start = incomplete.rpartition("/")
    folder = os.path.expanduser(folder + slash)
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            if path.is_dir():
                found.append(f"{folder}{path.name}/")
            elif path.suffix in suffixes:
                found.append(f"{folder}{path.name}")
    return [CompletionItem(name) for name in found]


def _net(ctx: click.Context) -> str:
    """Return the name of the net in the words so far."""
    words = ctx.params.get("words") or [""]
    return ctx.params.get("net_name") or ctx.params.get("net") or words[0]


def _cfg(ctx: click.Context) -> Path | None:
    """Find the net's cfg as `lucid.load` does; None for a net of torchvision's."""
    name, weights = _net(ctx), ctx.params.get("weights")
    own = resources.bundled()
    if name.endswith(".cfg"):
        here = Path(name)
        return here if here.exists() else own[name.removeprefix("cfg/").removesuffix(".cfg")]
    if name in own and (
        own[name].with_suffix(".weights").exists()
        or (weights and weights.suffix == ".weights")
        or name not in _torchvision()["nets"]
    ):
        return own[name]
    return None


def _class_names(ctx: click.Context) -> list[str]:
    file, cfg = ctx.params.get("names"), _cfg(ctx)
    if file is None:
        if cfg is None:
            return thousand_names() if _net(ctx) in _torchvision()["nets"] else []
        beside = [path.with_suffix(".names") for path in (cfg, ctx.params.get("weights")) if path]
        file = next((path for path in beside if path.exists()), None)
    return file.read_text(encoding="utf-8-sig").rstrip().splitlines() if file else []


def _layer_names(ctx: click.Context) -> dict[str, str]:
    """Map the names of the net's layers to their kinds, which only Darknet's have."""
    cfg = _cfg(ctx)
    if cfg:
        kinds = re.findall(r"^\s*\[(.+?)\]", cfg.read_text(errors="replace"), re.MULTILINE)[1:]
        return {str(number): kind for number, kind in enumerate(kinds)}
    name, known = _net(ctx), _torchvision()
    if name not in known["layers"]:
        from lucid.nets.registry import load_meta

        known["layers"][name] = load_meta(name).layers
        _write_cache(known)
    # A module stands for its last layer.
    paths = [node.split(".") for node in known["layers"][name]]
    prefixes = (path[: end + 1] for path in paths for end in range(len(path)))
    return dict.fromkeys((".".join(path) for path in prefixes), "")


def _torchvision() -> dict[str, Any]:
    """Return the names of torchvision's nets, and the layers of those asked for so far."""
    from importlib.metadata import version  # a fifth of the time that `lucid --help` takes

    installed = version("torchvision")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(_cache_file().read_bytes())
        if known["torchvision"] == installed:
            return {"torchvision": installed, "nets": known["nets"], "layers": known["layers"]}

    from lucid.nets.torchvision import model_names

    known = {"torchvision": installed, "nets": model_names(), "layers": {}}
    _write_cache(known)
    return known


def _cache_file() -> Path:
    return resources.cache_folder() / "completion.json"


def _write_cache(known: dict[str, Any]) -> None:
    from lucid.imaging.files import atomic_write

    # If it cannot be written, the next TAB is slow again.
    with contextlib.suppress(OSError, LucidError):
        _cache_file().parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(_cache_file()) as part:
            part.write_text(json.dumps(known), encoding="utf-8")


def _warps(source: Path) -> dict[str, str]:
    """Read the warps of a Python file and what they do, without running it."""
    found = {}
    for function in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and any(
            ast.unparse(decorator).split(".")[-1] == "warp" for decorator in function.decorator_list
        ):
            numbers = len(function.args.args) - 3 - len(function.args.defaults)
            colon = ":" if numbers > 0 or function.args.vararg else ""
            summary = (ast.get_docstring(function) or "").split("\n\n")[0].replace("`", "")
            found[function.name.replace("_", "-") + colon] = " ".join(summary.split())
    return found
