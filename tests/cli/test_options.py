"""Every option of every command that has a Python counterpart reaches the Python call."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net
from PIL import Image

from lucid.cli import main
from lucid.cli.recipe_args import EXCLUDED, parameters_by_name
from lucid.films.film import FILM_OPTIONS
from lucid.imaging import recipes
from lucid.nets.net import Net

pytestmark = pytest.mark.slow

CALLS = {
    "draw": ("lucid.cli.draw_job.prepare", "lucid.drawing.on_disk.draw_on_disk"),
    "film": ("lucid.cli.film_job.film", "lucid.cli.film_job.dream_over"),
    "nightmare": ("lucid.cli.nightmare_job.nightmare", "lucid.cli.nightmare_job.reconstruct"),
    "layers": ("lucid.drawing.layer_sheet.layer_sheet",),
    "bench": ("lucid.bench.bench",),
}
"""The Python functions that each command calls."""

COMMANDS = {
    "draw": "draw --net tiny.cfg --class goldfish --seed 1 --device cpu",
    "film": "film --net tiny.cfg --class goldfish --seed 1 --device cpu --frames 3 --force",
    "nightmare": "nightmare --device cpu",
    "layers": "layers --sheet photo.png --device cpu",
    "bench": "bench --net tiny.cfg --device cpu",
}

ARGUMENTS = {"nightmare": "tiny.cfg photo.png 2", "layers": "tiny.cfg"}
"""What every command needs besides."""

RUNTIME = {
    "device": "--device cpu,cpu",
    "precision": "--precision bf16",
    "deterministic": "--deterministic",
    "pooling": "--pooling avg",
    "weights": "--weights other.weights",
    "names": "--names other.names",
}
PAINTING = RUNTIME | {
    "net_name": "--net other.cfg",
    "classes": "--class tench",
    "layers": "--layer 0",
    "size": "--size 50x30",
    "octaves": "--octaves 1",
    "iters": "--iters 2",
    "strength": "--strength .5",
    "variety": "--variety 2",
    "tile_size": "--tile-size 16",
    "seed": "--seed 2",
    "batch": "--batch 2",
    "canvas": "--canvas pixels",
    "mask": "--mask photo.png",
    "padding": "--padding wrap",
    "octave_scale": "--octave-scale 2",
    "weight_decay": "--weight-decay 2",
    "laplacian": "--laplacian 3",
    "flip": "--flip",
}
TYPED = {
    "draw": PAINTING
    | {
        "base": "photo.png",
        "mix": "--mix mix.toml",
        "random_classes": "--random-classes 2",
        "guide": "--layer 0 | --guide photo.png",
        "channels": "photo.png --layer 0 | --channels weakest 2",
        "direction": "--layer 0 | --direction direction.npy",
        "row": "--layer 0 --direction rows.npy --row 0 | --row 1",
        "caricature": "photo.png | --caricature 0",
        "objectives": "--objective mine.py:mine",
        "preset": "--preset deepdraw",
        "fit": "photo.png | --fit stretch",
        "quick": "--size 640x480 | --quick",
        "path": "--path line",
        "brush": "--path line | --brush 16",
        "keep_colors": "photo.png | --keep-colors",
        "blur": "--blur 1",
        "tv": "--tv .1",
        "noise": "--noise .02",
        "tint": "--tint .1",
        "tiles": "--tiles grid",
        "overlap": "--overlap .2",
        "subject": "--subject .5",
        "alpha": "--alpha",
        "on_disk": "--on-disk",
        "edits": "--at 1 class=tench",
    },
    "film": PAINTING
    | {
        "base": "photo.png",
        "mix": "--mix mix.toml",
        "random_classes": "--random-classes 2",
        "objectives": "--objective mine.py:mine",
        "path": "--path line",
        "brush": "--path line | --brush 16",
        "start": "clip.gif --no-flow | --start 1",
        "threshold": "--layer 0 | --threshold 1",
        "warps": "--warp zoom:.1",
        "own_warps": "--warps own.py --warp darker:.1",
        "frames": "--frames 4",
        "keys": "--at 2 class=tench",
        "contrast": "--contrast .5",
        "guide": "--layer 0 --class tench | --guide photo.png",
        "channels": "photo.png --layer 0 | --channels weakest 2",
        "direction": "--layer 0 | --direction direction.npy",
        "row": "--layer 0 --direction rows.npy --row 0 | --row 1",
        "caricature": "photo.png | --caricature 0",
        "preset": "photo.png | --preset deepdream",
        "keep_colors": "photo.png | --keep-colors",
        "fit": "--fit stretch",
        "blend": "clip.gif | --blend .5",
        "no_flow": "clip.gif | --no-flow",
    },
    "nightmare": RUNTIME
    | {
        "words": "tiny.cfg photo.png 2 -> other.cfg photo.png 1",
        "rounds": "-rounds 2",
        "size": "--size 30",
        "fit": "--size 30x30 | --fit pad",
        "iters": "-iters 3",
        "layer_range": "-range 2",
        "octaves": "-octaves 2",
        "rate": "-rate .1",
        "threshold": "-thresh 2",
        "zoom": "-zoom .9",
        "rotate": "-rotate .1",
        "rotate_degrees": "--rotate-degrees 10",
        "norm": "-norm 0",
        "reconstruct": "-reconstruct",
        "momentum": "-reconstruct | -momentum .5",
        "pull": "-reconstruct | -lambda .1",
        "reach": "-reconstruct | -smooth 2",
        "grey": "--grey darknet",
        "steps_file": "--steps steps.json",
        "tile_size": "--tile-size 200",
        "seed": "--seed 3",
    },
    "layers": RUNTIME | {"net": "tiny.cfg -> other.cfg", "sheet": "--sheet other.png"},
    "bench": {
        "tasks": "draw",
        "net_name": "--net other.cfg",
        "weights": "--weights other.weights",
        "layer": "--layer 2",
        "size": "--size 50x30",
        "tiles": "--tiles grid",
        "tile_size": "--tile-size 32",
        "batch": "--batch 2",
        "repeats": "--repeats 2",
        "precisions": "--precision bf16",
        "device": "--device cpu,cpu",
    },
}
"""What is typed to change each parameter; before a bar, what makes that possible; and before an
arrow, the arguments that are changed."""

ABOUT_OUTPUT = {
    "draw": {"count", "each", "diverse", "skin"},
    "film": {"source", "delay", "fps", "audio", "loop", "reverse", "boomerang"},
    "bench": {"as_json", "compare"},
}
"""Parameters that say how many files are written, and how, beside those in ``EXCLUDED``. (What
``--diverse`` and ``--skin`` draw is tested in test_draw_command.py.)"""


class CalledError(Exception):
    """Ends a command where it would begin to work."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two nets and everything else that ``TYPED`` names."""
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    write_net(tmp_path, CLASSIFIER, "other", names=[*CLASS_NAMES[:4], "lion"])
    weights = bytearray((tmp_path / "other.weights").read_bytes())
    weights[-4:] = b"\0\0\0\0"
    (tmp_path / "other.weights").write_bytes(weights)
    frames = [Image.new("RGB", (60, 44), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "photo.png")
    frames[1].save(tmp_path / "other.png")
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "mix.toml").write_text("tench = 0.5\n")
    np.save(tmp_path / "rows.npy", np.eye(3, 8))
    np.save(tmp_path / "direction.npy", np.ones(8))
    (tmp_path / "mine.py").write_text("def mine(acts):\n    return acts['0'].mean()\n")
    (tmp_path / "own.py").write_text(
        "from lucid.films.warp import warp\n"
        "@warp\n"
        "def darker(image, frame, generator, share: float): return image * (1 - share)\n"
    )
    step = {"layer": 2, "dx": 1, "dy": 2, "flip": 0, "scale": 1}
    (tmp_path / "steps.json").write_text(json.dumps([step]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def comparable(value: Any) -> Any:
    """A value in terms that can be compared, whatever it holds."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, Net):
        return value.name, value.fingerprint, value.classes
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(each) for each in value]
    if isinstance(value, str | int | float | Path | torch.device | torch.dtype):
        return value
    members = {} if callable(value) else getattr(value, "__dict__", {})
    return type(value).__name__, comparable(members)


def recorded_call(command: str, words: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command up to its Python call, and return that call's name and arguments."""
    calls: list[Any] = []

    def recorder(name: str) -> Callable[..., None]:
        def record(*args: Any, **kwargs: Any) -> None:
            if "load" in kwargs:
                kwargs["load"] = kwargs["load"]("tiny.cfg")
            calls.append((name, comparable(args), comparable(kwargs)))
            raise CalledError

        return record

    for path in CALLS[command]:
        module, _, name = path.rpartition(".")
        monkeypatch.setattr(importlib.import_module(module), name, recorder(name))
    result = CliRunner().invoke(main, f"--debug {COMMANDS[command]} {words}".split())
    assert isinstance(result.exception, CalledError), result.output
    (call,) = calls
    return call


PARAMETERS = [
    (command, parameter.name)
    for command in COMMANDS
    for parameter in main.commands[command].params
    if parameter.name not in EXCLUDED | ABOUT_OUTPUT.get(command, set())
]


@pytest.mark.parametrize(("command", "name"), PARAMETERS)
def test_an_option_reaches_the_python_call(
    desk: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    arguments, arrow, changed = TYPED[command][name].partition("->")
    if not arrow:
        needed, _, typed = TYPED[command][name].rpartition("|")
        arguments = f"{ARGUMENTS.get(command, '')} {needed}"
        changed = f"{arguments} {typed}"
    before = recorded_call(command, arguments, monkeypatch)
    assert recorded_call(command, arguments, monkeypatch) == before
    assert recorded_call(command, changed, monkeypatch) != before


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_listed_are_parameters(command: str) -> None:
    names = {parameter.name for parameter in main.commands[command].params}
    assert names >= ABOUT_OUTPUT.get(command, set())
    assert set(TYPED[command]) == names - EXCLUDED - ABOUT_OUTPUT.get(command, set())


def test_an_option_may_have_its_old_name_in_a_recipe(desk: Path) -> None:
    words = "--net tiny.cfg --class goldfish --iters 1 --octaves 1 --device cpu --seed 1"
    (desk / "old.toml").write_text(
        'command = "film"\nbase = "clip.gif"\nclass = "goldfish"\nnet = "tiny.cfg"\n'
        'iters = 1\noctaves = 1\ndevice = "cpu"\nseed = 1\nhold = 0.5\n'
    )
    old = CliRunner().invoke(main, ["run", "old.toml", "-o", "old.gif"])
    assert old.exit_code == 0, old.output
    new = CliRunner().invoke(main, f"film clip.gif {words} --blend .5 -o new.gif".split())
    assert new.exit_code == 0, new.output
    assert (desk / "old.gif").read_bytes() == (desk / "new.gif").read_bytes()
    assert recipes.read(desk / "old.gif").options["blend"] == 0.5


def test_a_film_that_was_begun_with_an_old_name_is_resumed(desk: Path) -> None:
    words = "film clip.gif --net tiny.cfg --class goldfish --iters 1 --octaves 1 --device cpu"
    begun = CliRunner().invoke(main, f"{words} --blend .5 --frames 1 -o frames".split())
    assert begun.exit_code == 0, begun.output
    note = desk / "frames" / "film.json"
    note.write_text(note.read_text().replace('"blend"', '"hold"'))
    resumed = CliRunner().invoke(main, f"{words} --hold .5 -o frames --resume".split())
    assert resumed.exit_code == 0, resumed.output
    assert len(list((desk / "frames").glob("frame_*.png"))) == 2


def test_what_a_film_from_python_writes_down_are_options() -> None:
    assert set(parameters_by_name(main.commands["film"])) >= FILM_OPTIONS
