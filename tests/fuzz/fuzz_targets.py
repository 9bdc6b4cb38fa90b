"""What is fuzzed: functions of bytes that return, or raise one of ``EXPECTED`` with one line."""

from __future__ import annotations

import atexit
import collections
import io
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import torch

from lucid.albums.task import Task
from lucid.cli import film_targets, main
from lucid.cli import targets as cli_targets
from lucid.cli.album_plan import Plan
from lucid.cli.click_types import parse_class, parse_grey, parse_layer, parse_size
from lucid.drawing import on_disk, spec_targets
from lucid.drawing.config import FROM_NOISE
from lucid.drawing.preset_files import read_preset
from lucid.drawing.subject import subject_side
from lucid.errors import LucidError, printable
from lucid.films.expressions import Expression
from lucid.films.warp import parse as parse_warp
from lucid.imaging import files, recipes, video
from lucid.imaging.io import read_alpha, read_image
from lucid.imaging.metadata import _read_png_text, read_metadata
from lucid.imaging.recipes import format_toml
from lucid.nets.class_names import matching_classes
from lucid.nets.darknet import cfg, weights
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import read_names
from lucid.nets.registry import check_weights, load_meta
from lucid.nets.state_dicts import read_state_dict
from lucid.nightmares.steps import read_steps
from lucid.reading import parse_table, read_text
from lucid.tiling.regions import read_path

EXPECTED = (LucidError, click.ClickException)

# In memory, where the system has such a folder.
FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
atexit.register(shutil.rmtree, FOLDER, True)

RECORDED = Path(__file__).parent.parent / "recorded"
NET = load_meta("lucid64")
TINY = DarknetNet(RECORDED / "acts.cfg")


def typed(data: bytes) -> str:
    """Bytes as Python gets them from a command line."""
    return data.decode("utf-8", "surrogateescape").replace("\0", "")


def file(data: bytes, suffix: str) -> Path:
    path = FOLDER / f"input{suffix}"
    path.write_bytes(data)
    return path


def fuzz_sizes(data: bytes) -> None:
    text = typed(data)
    for parse in (parse_size, parse_class, parse_layer, parse_grey):
        try:
            parse(text)
        except EXPECTED as error:
            check_line(error)
    subject_side(text, (224, 300))


def fuzz_places(data: bytes) -> None:
    text = typed(data)
    try:
        read_path(text)
    except EXPECTED as error:
        check_line(error)
    if not Path(text).suffix:  # which would be the file of a mask
        spec_targets.RegionReader((64, 80)).parse(text)


def fuzz_expressions(data: bytes) -> None:
    Expression(typed(data), frozenset("nt"))(n=torch.arange(5).double().numpy(), t=3)


def fuzz_warps(data: bytes) -> None:
    parse_warp(typed(data))


def fuzz_names(data: bytes) -> None:
    names = read_names(file(data, ".names"))
    matching_classes(names[0], NET.classes)
    printable(names[0])
    NET.class_index(typed(data))


def fuzz_cfg(data: bytes) -> None:
    cfg.parse(data.decode("utf-8", "replace"))


def fuzz_nets(data: bytes) -> None:
    """A cfg as a net, without weights."""
    net = DarknetNet(file(data, ".cfg"))
    net.describe()


def fuzz_weights(data: bytes) -> None:
    weights.load(file(data, ".weights"), TINY.darknet_layers)
    check_weights(TINY, "input.weights")


def fuzz_state_dicts(data: bytes) -> None:
    read_state_dict(file(data[1:], ".safetensors" if data[:1] < b"\x80" else ".pth"))


def fuzz_recipes(data: bytes) -> None:
    recipe = recipes.parse(data.decode("utf-8", "replace"), "input")
    assert recipes.parse(recipe.toml(), "again").command == recipe.command
    json.loads(recipe.json())
    recipe.differences(recipe)


def fuzz_albums(data: bytes) -> None:
    source = file(data, ".toml")
    plan = Plan(parse_table(read_text(source), source), source, main)
    assert plan.count > 0
    plan._prints = collections.defaultdict(lambda: ("net", ""))  # loading takes long
    for task in itertools.islice(plan.tasks(), 3):
        assert Task.from_line(task.line()).key == task.key
    assert "\n" not in format_toml(plan.description).splitlines()[0]


def fuzz_manifests(data: bytes) -> None:
    task = Task.from_line(data)
    assert re.fullmatch(r"files/[0-9a-f]{2}/[0-9a-f]{32}\.[a-z0-9]{1,5}", task.name)
    assert Task.from_line(task.line()) == task


def fuzz_steps(data: bytes) -> None:
    read_steps(file(data, ".json"), NET)


def fuzz_presets(data: bytes) -> None:
    read_preset(str(file(data[1:], ".json" if data[:1] < b"\x80" else ".toml")), FROM_NOISE)


def fuzz_mixes(data: bytes) -> None:
    cli_targets._read_mix(file(data, ".toml"))


def fuzz_tables(data: bytes) -> None:
    text = data[1:].decode("utf-8", "replace")
    parse_table(text, "input", as_json=data[:1] < b"\x80")


def fuzz_key_frames(data: bytes) -> None:
    keys = [(number, text) for number, text in enumerate(typed(data).split("\n"))]
    arguments: Any = SimpleNamespace(
        **{"classes": (parse_class("lion"),), "layers": (), "keys": keys, "warps": ["zoom:.1"]},
        **{"threshold": None, "guide": None, "runtime": None, "mix": None, "random_classes": None},
        **{"objectives": (), "path": None, "brush": None, "caricature": None, "direction": None},
    )
    film_targets.read_keyframes(NET, arguments)


def fuzz_states(data: bytes) -> None:
    """What a killed drawing on disk left."""
    (FOLDER / "a.png.part").mkdir(exist_ok=True)
    (FOLDER / "a.png.part" / "canvas_0_0").touch()
    (FOLDER / "a.png.part" / on_disk.STATE).write_bytes(data)
    on_disk.seed_to_resume(FOLDER / "a.png")


def fuzz_texts(data: bytes) -> None:
    """The texts in a PNG file, behind its signature."""
    text = _read_png_text(io.BytesIO(data))
    if text is not None:
        recipes.parse(text, "input")


SUFFIXES = (".png", ".jpg", ".gif", ".tif", ".webp", ".bmp", ".apng", ".dds")


def fuzz_pictures(data: bytes) -> None:
    files.MAX_PIXELS = video.MAX_PIXELS_IN_MEMORY = 2**22  # as small as the memory allowed
    path = file(data[1:], SUFFIXES[data[0] % len(SUFFIXES)] if data else ".png")
    for read in (read_image, read_alpha, read_metadata, recipes.read, video.read):
        try:
            read(path)
        except EXPECTED as error:
            check_line(error)
    if video.is_film(path):
        next(iter(video.Footage(path)))


def check_line(error: Exception) -> None:
    """An error's message is not empty, and becomes one printable line."""
    shown = printable(str(error) or getattr(error, "message", ""))
    assert shown
    assert shown.isprintable()


TARGETS: dict[str, Callable[[bytes], None]] = {
    name.removeprefix("fuzz_"): value
    for name, value in list(globals().items())
    if name.startswith("fuzz_")
}


def run(name: str, data: bytes) -> None:
    """Give bytes to a target; any error but the expected ones is a finding."""
    try:
        TARGETS[name](data)
    except EXPECTED as error:
        check_line(error)


def seeds(name: str) -> list[bytes]:
    """Inputs that are right, to begin with."""
    if name == "pictures":
        return _pictures()
    return SEEDS.get(name, [])


def _pictures() -> list[bytes]:
    from PIL import Image

    picture = Image.radial_gradient("L").resize((24, 16)).convert("RGB")
    found = []
    kinds = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PNG", "DDS")
    for number, kind in enumerate(kinds):
        film = {"save_all": True, "append_images": [picture.rotate(90)]}
        buffer = io.BytesIO()
        picture.save(buffer, kind, **(film if kind in ("GIF", "WEBP") or number == 6 else {}))
        found.append(bytes([number]) + buffer.getvalue())
    return found


def _saved(write: Callable[[Any, io.BytesIO], Any], state: Any) -> bytes:
    buffer = io.BytesIO()
    write(state, buffer)
    return buffer.getvalue()


def _safetensors() -> bytes:
    from safetensors.torch import save

    return bytes(save({"a": torch.zeros(3), "b": torch.ones(2, 2)}))


SEEDS: dict[str, list[bytes]] = {
    "sizes": [
        b"640x480",
        b"goldfish:0.5@.3,.5,100",
        b"inception_4c/output:12@.5,.5",
        b".5",
        b"9px",
    ],
    "places": [b".1,.5 .5,.2 .9,.5 z", b".5,.5,100", b"circle", b"M.1,.2L.3,.4"],
    "expressions": [b"15*sin(n/20)", b"t if t<3 else -t", b"min(pi,e)**2//1%2", b"max(n,t)==1"],
    "warps": [b"zoom:.05", b"roll:15*sin(n/20)", b"affine:1,0,0,1,2,3", b"pixel-sort:.2,.8"],
    "names": [b"lion\nmonarch\n", "\ufefföl\n".encode(), b"3"],
    "cfg": [(RECORDED / "acts.cfg").read_bytes()[:300], b"[net]\nwidth=8\n[maxpool]\nsize=2 # x\n"],
    "nets": [(RECORDED / "acts.cfg").read_bytes(), (RECORDED / "graph.cfg").read_bytes()],
    "weights": [(RECORDED / "acts.weights").read_bytes()],
    "state_dicts": [
        b"\x00" + _safetensors(),
        b"\xff" + _saved(torch.save, {"a": torch.zeros(3)}),
        b"\xff" + _saved(torch.save, {"state_dict": {"a": torch.zeros(3).half()}}),
    ],
    "recipes": [
        b'command = "draw"\nclass = ["lion"]\nsize = "8x8"\n\n[made]\nlucid = "0.2"\n'
        b'[made.files]\n"a.png" = "12"\n',
        b'{"command": "film", "at": [[0, "zoom=1"]], "made": {"manner": {}}}',
    ],
    "albums": [
        b'net = "lucid64"\nseed = 3\n[axes]\nclass = "goldfish,lion+monarch"\nstrength = [0.5, 1]\n'
        b'seed = "0-2,7"\n',
        b'command = "film"\nframes = 3\ndissolve = 1\n[[scenes]]\nclass = "lion"\n[[scenes]]\n',
        b'command = "nightmare"\nnet = "lucid64"\nbase = "a.png"\n[axes]\nlayer = "4;8:1,2"\n',
    ],
    "manifests": [
        b'{"key": "0123456789abcdef0123456789abcdef", "command": "draw", "options": {"seed": 0}, '
        b'"axes": {"class": "lion"}, "caption": "lion", "suffix": ".png", "files": {"a": "b"}}',
    ],
    "steps": [b'{"steps": [{"layer": 5, "dx": -2, "dy": 3, "flip": 0, "scale": 0.75}]}', b"[]"],
    "presets": [
        b"\x00" + b'{"lr": 0.1, "octaves": [{"iter_n": 3, "scale": 1.2, "start_sigma": 1}]}',
        b"\xff" + b'lr = 0.1\noctaves = 3\nscale = [0.8, 1.2]\ncanvas = "pixels"\n',
    ],
    "mixes": [b'lion = 0.5\n"goldfish@.3,.5" = 1\n'],
    "tables": [b'\x00{"a": [1, 2.5, null, {"b": "c"}]}', b"\xffa = [1, 2]\n[b]\nc = 'd'\n"],
    "key_frames": [b"class=lion+monarch\nzoom=.1\nstrength=2\nlayer=8"],
    "states": [
        b'{"fingerprint": "a", "seed": 1, "octave": 0, "passes": 0, "batch": null, '
        b'"generator": "00"}'
    ],
    "texts": [b'\0\0\0\x17tEXtlucid\0command = "draw"\0\0\0\0', b"\0\0\0\0IEND\0\0\0\0"],
}
