"""What TAB offers: nets, classes, layers, warps and presets.

A TAB is to answer at once, so nothing here imports torch, but for what only torchvision can
say: that is asked once and kept in lucid's cache folder.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.metadata
import importlib.util
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
from lucid.nets.imagenet import GROUPS

Callback = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
"""What click's ``shell_complete=`` takes: offers for a word that is begun."""

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


def _or_nothing(callback: Callback) -> Callback:
    """The same, but without offers where it fails: nobody wants to read of it at a TAB."""

    @functools.wraps(callback)
    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return callback(ctx, param, incomplete)
        except Exception:
            return []

    return offer


@_or_nothing
def nets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of nets, and cfg files."""
    others = _torchvision()["nets"]
    # Where torchvision has the name too, the bundled net is asked for with its ending.
    own = [f"{name}.cfg" if name in others else name for name in resources.bundled()]
    return _begun([*own, *others], incomplete) + _files(incomplete, ".cfg")


@_or_nothing
def classes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the net's classes, then groups of them; NAME:WEIGHT and NAME@PLACE keep what
    stands behind the name."""
    typed, _, _ = incomplete.partition("@")
    name = typed.rpartition(":")[0] or typed
    names = _class_names(ctx)
    return _begun([*names, *_groups(names)], name, incomplete[len(name) :])


@_or_nothing
def layers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the net's layers; LAYER:CHANNEL keeps its channel."""
    name = incomplete.partition(":")[0]
    names = _layer_names(ctx)
    return _begun(names, name, incomplete[len(name) :], names)


@_or_nothing
def warps(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of warps, the user's own among them; with a colon where numbers must follow."""
    known = _warps(resources.PACKAGE / "films" / "warps.py")
    if ctx.params.get("own_warps"):
        known |= _warps(ctx.params["own_warps"])
    return _begun(sorted(known), incomplete, helps=known)


@_or_nothing
def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of presets, and files that may be one."""
    return _begun(resources.presets(), incomplete) + _files(incomplete, ".toml", ".json")


@_or_nothing
def nightmare(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The words of `lucid nightmare`: a net, its weights or none, an image, a layer."""
    words = ctx.params.get("words") or ()
    if not words:
        return nets(ctx, param, incomplete)
    if Path(words[-1]).suffix.lower() in IMAGES:
        return layers(ctx, param, incomplete)
    return [CompletionItem(incomplete, type="file")]


def _begun(
    names: Iterable[str], start: str, behind: str = "", helps: Mapping[str, str] | None = None
) -> list[CompletionItem]:
    """The names with that start, however people type it.

    Args:
        names: to choose from.
        start: what is typed of one.
        behind: what is typed behind it, and stays; a name that is whole then needs no offer.
        helps: what to say of some of them.
    """
    return [
        CompletionItem(name + behind, help=(helps or {}).get(name))
        for name in dict.fromkeys(names)
        if _plain(name).startswith(_plain(start)) and not (behind and name == start)
    ]


def _plain(name: str) -> str:
    """As `lucid.nets.net.plain` has it, but a blank at the end of what is begun counts."""
    return name.casefold().replace("-", " ").replace("_", " ")


def _files(incomplete: str, *endings: str) -> list[CompletionItem]:
    """The files with one of the endings, and the folders, in which there may be more."""
    folder, slash, start = incomplete.rpartition("/")
    folder = os.path.expanduser(folder + slash)
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(start) and (start or not path.name.startswith(".")):
            if path.is_dir():
                found.append(f"{folder}{path.name}/")
            elif path.suffix in endings:
                found.append(f"{folder}{path.name}")
    return [CompletionItem(name) for name in found]


def _net(ctx: click.Context) -> str:
    """What the command line says so far that the net is called."""
    words = ctx.params.get("words") or [""]
    return ctx.params.get("net_name") or ctx.params.get("net") or words[0]


def _cfg(ctx: click.Context) -> Path | None:
    """The net's cfg, found as `lucid.nets.load` finds it; None if it is torchvision's."""
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
            return _imagenet() if _net(ctx) in _torchvision()["nets"] else []
        beside = [path.with_suffix(".names") for path in (cfg, ctx.params.get("weights")) if path]
        file = next((path for path in beside if path.exists()), None)
    return file.read_text(encoding="utf-8-sig").rstrip().splitlines() if file else []


def _groups(names: list[str]) -> list[str]:
    """The groups that hold some of a net's classes."""
    own = {_plain(name) for name in names}
    thousand = [_plain(name) for name in _imagenet()]
    return [
        group
        for group, ranges in GROUPS.items()
        if any(thousand[number] in own for some in ranges for number in some)
    ]


def _imagenet() -> list[str]:
    """The thousand classes that all nets of torchvision's know, from its source."""
    package = importlib.util.find_spec("torchvision")
    assert package
    assert package.origin
    source = Path(package.origin).with_name("models") / "_meta.py"
    for line in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "_IMAGENET_CATEGORIES":
            return list(ast.literal_eval(line.value))
    return []


def _layer_names(ctx: click.Context) -> dict[str, str]:
    """The names of the net's layers, each with its kind if it is Darknet's."""
    cfg = _cfg(ctx)
    if cfg:
        kinds = re.findall(r"^\s*\[(.+?)\]", cfg.read_text(errors="replace"), re.MULTILINE)[1:]
        return {str(number): kind for number, kind in enumerate(kinds)}
    name, known = _net(ctx), _torchvision()
    if name not in known["layers"]:
        from lucid.nets.registry import load_meta

        known["layers"][name] = load_meta(name).layers
        _keep(known)
    # A module stands for its last layer.
    paths = [node.split(".") for node in known["layers"][name]]
    prefixes = (path[: end + 1] for path in paths for end in range(len(path)))
    return dict.fromkeys((".".join(path) for path in prefixes), "")


def _torchvision() -> dict[str, Any]:
    """The nets of the torchvision that is installed, and the layers of those asked for so far."""
    from lucid.nets.torchvision import model_names

    version = importlib.metadata.version("torchvision")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(_kept_at().read_bytes())
        if known["torchvision"] == version:
            return {"torchvision": version, "nets": known["nets"], "layers": known["layers"]}

    known = {"torchvision": version, "nets": model_names(), "layers": {}}
    _keep(known)
    return known


def _kept_at() -> Path:
    return resources.cache_folder() / "completion.json"


def _keep(known: dict[str, Any]) -> None:
    from lucid.imaging.files import atomic_write

    # Where it cannot be written, the next TAB is slow again.
    with contextlib.suppress(OSError, LucidError):
        _kept_at().parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(_kept_at()) as part:
            part.write_text(json.dumps(known), encoding="utf-8")


def _warps(source: Path) -> dict[str, str]:
    """The warps of a Python file and what they do, read without running it."""
    found = {}
    for function in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef) and any(
            ast.unparse(decorator).split(".")[-1] == "warp" for decorator in function.decorator_list
        ):
            numbers = len(function.args.args) - 3 - len(function.args.defaults)
            colon = ":" if numbers > 0 or function.args.vararg else ""
            what = (ast.get_docstring(function) or "").split("\n\n")[0]
            found[function.name.replace("_", "-") + colon] = " ".join(what.replace("`", "").split())
    return found
