"""Python of the user's own on the command line: files, packages, and recipes that name them."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lucid.cli import main
from lucid.films import warp
from lucid.imaging import recipes

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
SMALL = "--size 48x40 --octaves 1 --iters 1 --tile-size 40 --device cpu --seed 1"


def run(line: str) -> Result:
    return CliRunner().invoke(main, shlex.split(line))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's file, my.py."""
    page = PAGE.read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    # What a program does, beside what it defines, would take a while.
    lines = [line for line in "\n".join(code).splitlines() if not line.startswith(RUN)]
    (tmp_path / "my.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warp, "WARPS", warp.WARPS.copy())
    return tmp_path


RUN = ("lucid.draw(", "picture = ", "lucid.save(")


def commands() -> list[str]:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("lucid ") for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_page_runs(line: str) -> None:
    result = run(f"{line} {SMALL.removeprefix('--size 48x40 ') if '--size' in line else SMALL}")
    assert result.exit_code == 0, result.output
    output = line.split(" -o ")[1]
    with Image.open(output) as picture:
        assert picture.convert("RGB").getextrema() != ((0, 0), (0, 0), (0, 0))


def test_what_is_of_ones_own_is_used() -> None:
    assert run(f"draw --class lion {SMALL} -o plain.png").exit_code == 0
    assert run(f"draw --class lion --canvas my.py:Grey {SMALL} -o grey.png").exit_code == 0
    assert run(f"draw --class lion --order my.py:columns {SMALL} -o columns.png").exit_code == 0
    with Image.open("plain.png") as plain, Image.open("grey.png") as grey:
        red, green, _ = grey.split()
        assert red.tobytes() == green.tobytes()
        red, green, _ = plain.split()
        assert red.tobytes() != green.tobytes()
    assert Path("columns.png").read_bytes() != Path("plain.png").read_bytes()


def test_a_recipe_runs_no_code_that_is_not_typed() -> None:
    for option, value in (
        ("net", "my.py:make_net"),
        ("canvas", "my.py:Grey"),
        ("tiles", "my.py:columns"),
        ("objective", "my.py:petals"),
    ):
        target = "warm" if option == "net" else "lion"
        words = f"--class {target}" if option != "objective" else ""
        made = run(f"draw {words} --{option} {value} {SMALL} -o {option}.png")
        assert made.exit_code == 0, made.output
        for source in (f"{option}.png", f"{option}.toml"):
            if source.endswith(".toml"):
                Path(source).write_text(recipes.read(f"{option}.png").toml())
            refused = run(f"{'redo' if source.endswith('.png') else 'run'} {source}")
            assert refused.exit_code == 1
            assert f"was made with Python code in {value}" in refused.output
            assert f"--{option} {value}" in refused.output
        again = run(f"redo {option}.png --{option} {value} -o again_{option}.png")
        assert again.exit_code == 0, again.output
        with Image.open(f"{option}.png") as before, Image.open(f"again_{option}.png") as after:
            assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("draw --net no.py:net --class a", "no.py: cannot be read"),
        ("draw --net my.py:make_nat --class a", "my.py has no 'make_nat'; the nearest is make_net"),
        ("draw --net my.py:petals --class a", "my.py:petals must be a net, a torch.nn.Module"),
        ("draw --net my.py:make_net --weights a.pth --class a", "brings its weights itself"),
        ("draw --objective my.py:peeks", "my.py has no 'peeks'; the nearest"),
        ("draw --objective peeks", "there is no objective 'peeks'"),
        ("draw --objective my.py:Peaks", "my.py:Peaks must be made without arguments"),
        ("draw --class lion --order my.py:make_net", "the order make_net must take"),
        ("draw --class lion --canvas my.py:petals", "the canvas petals must take size, start"),
        ("draw --objective my.py:make_net", "the objective make_net must take activations"),
        ("draw --class lion --canvas oil", "'oil' is not one of 'fourier', 'pixels', 'phase'"),
        ("draw --class lion --tiles spirl", "'spirl' is not one of 'spiral'"),
        ("draw --class lion --on-disk --order my.py:columns", "on disk nothing of your own"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, message: str) -> None:
    result = run(f"{line} {SMALL} -o a.png")
    assert result.exit_code in (1, 2), result.output
    last = result.output.splitlines()[-1]
    assert message in last
    assert not Path("a.png").exists()


def test_an_error_while_painting_has_its_line() -> None:
    Path("bad.py").write_text("def bad(acts):\n    return acts['8'].mean() / acts['nine']\n")
    result = run(f"draw --objective bad.py:bad {SMALL} -o a.png")
    assert result.exit_code == 2
    assert "lucid64 has no layer nine" in result.output
    Path("worse.py").write_text("def worse(acts):\n    acts['8']\n    return [][0]\n")
    result = run(f"draw --objective worse.py:worse {SMALL} -o a.png")
    assert result.exit_code == 1
    assert "worse.py, line 3: IndexError: list index out of range" in result.output


def test_an_error_in_a_file_has_its_line() -> None:
    Path("bad.py").write_text("import lucid\n\n1 / 0\n")
    result = run(f"draw --net bad.py:net --class a {SMALL} -o a.png")
    assert result.exit_code == 1
    assert "bad.py, line 3: ZeroDivisionError" in result.output


def test_a_package_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (tmp_path / "my.py").read_text()
    (tmp_path / "my_package.py").write_text(code)
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    page = PAGE.read_text(encoding="utf-8")
    groups = re.search(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert groups
    points = re.sub(r'project\.entry-points\."(.*)"', r"\1", groups[1]).replace('"', "")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    assert run(f"draw --net temperature --class warm {SMALL} -o warm.png").exit_code == 0
    assert run(f"draw --objective peaks {SMALL} -o peaks.png").exit_code == 0
    film = run(f"film --class jellyfish --warp fade:.1 --frames 2 {SMALL} -o film.gif")
    assert film.exit_code == 0, film.output
    assert "temperature" in run("draw --net temperatur --class warm").output
    (tmp_path / "my_package.py").write_text("import nothing_of_that_name\n")
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    broken = run(f"draw --net temperature --class warm {SMALL} -o no.png")
    assert broken.exit_code == 1
    assert "cannot be imported: ModuleNotFoundError" in broken.output
