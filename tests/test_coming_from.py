"""Every row of docs/coming-from.md is run: the options of other programs and what they are here."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import lucid
from lucid.cli import main
from lucid.drawing.config import default_config
from lucid.imaging.io import read_image
from lucid.nets.torchvision import build_model

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")

SECTION = re.compile(r"^## (?P<program>.+?)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BASE = re.compile(r"^Options in this table stand behind `(?P<command>[^`]+)`\.$", re.MULTILINE)
ROW = re.compile(r"^\| (?P<theirs>.+?) \| (?P<ours>.+?) \| ?(?P<note>.*?) ?\|$", re.MULTILINE)

NONE = "–"
"""What stands in the second column where lucid has nothing."""

SMALLER = {
    "draw": "--size 48x40 --octaves 1 --iters 1 --tile-size 40 --device cpu --seed 1 --yes",
    "film": "--size 48x40 --octaves 1 --iters 1 --frames 2 --tile-size 40 --device cpu --seed 1",
    "nightmare": "-iters 1 -rounds 1 -octaves 1 --device cpu",
    "run": "--octaves 1 --iters 1 --tile-size 40 --device cpu --net lucid64 --force",
}
"""What makes a command quick, unless a row says otherwise."""


class Row(NamedTuple):
    """An option of another program, what it is in lucid, and the command that takes that."""

    theirs: str
    ours: str
    command: str


def sections() -> Iterator[tuple[str, list[Row]]]:
    """The programs, each with its rows."""
    for section in SECTION.finditer(PAGE):
        base = BASE.search(section["text"])
        found = [row for row in ROW.finditer(section["text"]) if not set(row["theirs"]) <= {"-"}]
        command = base["command"] if base else ""  # lucent's rows are Python
        rows = [Row(row["theirs"], row["ours"], command) for row in found[1:]]
        yield section["program"], rows


PROGRAMS = dict(sections())


def test_at_least_nineteen_of_twenty_options_have_a_counterpart() -> None:
    rows = [row for rows in PROGRAMS.values() for row in rows]
    without = [row.theirs for row in rows if row.ours == NONE]
    assert len(PROGRAMS) == 7
    assert len(rows) > 180
    assert len(without) / len(rows) <= 0.05, without
    for row in rows:
        assert row.ours == NONE or re.fullmatch(r"`[^`]+`", row.ours), row


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the rows name."""
    shutil.copytree(ROOT / "cfg", tmp_path / "cfg")
    frames = [Image.radial_gradient("L").rotate(turn).resize((64, 48)) for turn in (0, 30, 60)]
    colour = [Image.merge("RGB", (frame, frames[1], frame.rotate(90))) for frame in frames]
    for name in ("photo.jpg", "guide.jpg", "mask.png"):
        colour[0].save(tmp_path / name)
    colour[0].save(tmp_path / "clip.gif", save_all=True, append_images=colour[1:])
    octave = {"layer": "loss3/classifier", "iter_n": 1, "start_sigma": 1, "end_sigma": 0.5}
    octave |= {"start_step_size": 5, "end_step_size": 2, "window": 0.3}
    (tmp_path / "octaves.json").write_text(json.dumps([octave, {**octave, "scale": 1.2}]))
    (tmp_path / "mix.json").write_text('{"lion": 1, "7": -0.5}')
    (tmp_path / "dream.json").write_text(json.dumps({"input": "photo.jpg", "target": "1,5-7"}))
    (tmp_path / "jitter.toml").write_text("jitter = 8\nlr = 0.03\ndecay_power = 1.0\n")
    (tmp_path / "grey.toml").write_text('canvas = "pixels"\nbackground = 0.8\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "lucent"])
def test_every_option_of_a_program(program: str, desk: Path) -> None:
    run: set[str] = set()
    for row in PROGRAMS[program]:
        if row.ours == NONE or row.ours in run:
            continue
        run.add(row.ours)
        code = row.ours.strip("`")
        if code.startswith("lucid."):
            run_python(code)
            continue
        line = code if code.startswith("lucid ") else f"{row.command} {code}"
        words = shlex.split(line)[1:]
        smaller = SMALLER.get(words[0], "").split()
        if "-reconstruct" in words or "--from" in words:
            smaller = []
        elif "clip.gif" in words and not {"--blend", "--warp"} & set(words):
            smaller.append("--no-flow")
        if words[0] in ("draw", "film", "nightmare") and "--force" not in words:
            smaller.append("--force")
        # Behind the file of a recipe or the first word, so that what the row says comes last.
        first = 2 if words[0] == "run" else 1
        result = CliRunner().invoke(main, [*words[:first], *smaller, *words[first:]])
        assert result.exit_code == 0, f"{program}, {row.theirs}: {line}: {result.output}"


class Small(nn.Module):
    """A classifier of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 5), nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(images).mean((2, 3)))


QUICK: dict[str, Any] = {"iterations": 1, "octave_count": 1, "size": (40, 48)}


def run_python(code: str) -> Any:
    """Run an expression on small pictures, whatever it says about them."""
    net = lucid.load("lucid64")
    names: dict[str, Any] = {
        "torch": torch,
        "net": net,
        "module": Small(),
        "photo": read_image(Path("photo.jpg")),
        "config": default_config(net, on_base=False),
        "replace": replace,
        "lucid": QuickLucid(),
        "print": lambda progress: None,
    }
    return eval(code, names)


class QuickLucid:
    """The package, whose drawings are small."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(lucid, name)
        if name not in ("draw", "grow", "draw_diverse", "draw_interpolated"):
            return found
        return lambda *given, **options: found(*given, **{**QUICK, **options})


@pytest.mark.slow
def test_every_name_of_lucent(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "show", lambda image: None)
    torch.save(build_model("googlenet", init_weights=False).state_dict(), "googlenet.pth")
    for row in PROGRAMS["lucent"]:
        if row.ours != NONE:
            try:
                found = run_python(row.ours.strip("`"))
            except Exception as error:
                raise AssertionError(f"{row.theirs}: {row.ours}") from error
            assert found is not None or ".show()" in row.ours or "save" in row.ours, row
