"""What a user installs: the wheel, alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import lucid

# Wheels are built and environments made: slow, and by one process for all tests.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]

ROOT = Path(__file__).parent.parent

ELSEWHERE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""Nothing of the checkout is on the path of what runs so."""


def run(*command: str | Path, folder: Path) -> str:
    """What a command that must succeed says."""
    done = subprocess.run(
        command, cwd=folder, env=ELSEWHERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def pip(*arguments: str | Path) -> None:
    run(sys.executable, "-m", "pip", *arguments, "--no-index", "--no-deps", folder=ROOT)


def hatch(target: str, folder: Path, built: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", built, folder=folder)
    (path,) = built.iterdir()
    return path


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout as its reader would build it."""
    built = tmp_path_factory.mktemp("wheel")
    pip("wheel", ".", "--no-build-isolation", "--wheel-dir", built)
    (path,) = built.iterdir()
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own, which borrows what lucid needs from this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    pip("--python", folder / "bin" / "python", "install", "--no-compile", wheel)
    # Only now, lest pip find lucid installed; and behind what is installed here.
    (site,) = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "borrowed.pth").write_text("\n".join(borrowed))
    return folder


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = hatch("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as opened:
        # Python 3.11.3 and older have no filters.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        opened.extractall(tmp_path, **safely)  # type: ignore[arg-type]
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert not (unpacked / ".git").exists()
    again, first = contents(hatch("wheel", unpacked, tmp_path / "wheel")), contents(wheel)
    assert sorted(again) == sorted(first)
    assert [name for name in first if again[name] != first[name]] == []


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    held = contents(wheel)
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "lucid").rglob("*.py")}
    cfgs = {f"lucid/cfg/{path.name}" for path in (ROOT / "cfg").iterdir()}
    presets = {
        f"lucid/drawing/presets/{name}.toml" for name in ("deepdraw", "deepdream", "dreampy")
    }
    page = {
        f"lucid/{room}/page/{path.name}"
        for room in ("studio", "albums")
        for path in (ROOT / "lucid" / room / "page").iterdir()
    }
    assert {"lucid/studio/page/index.html", "lucid/albums/page/grid.js"} <= page
    assert {name for name in held if name.startswith("lucid/")} == {
        *package,
        *page,
        *cfgs,
        *presets,
        "lucid/nets/imagenet_words.txt",
        "lucid/py.typed",
    }
    assert "lucid/cfg/lucid64.weights" in held
    rest = {name.partition("/")[2] for name in held if not name.startswith("lucid/")}
    assert rest == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_a_wheel_works_alone(environment: Path, tmp_path: Path) -> None:
    code = (
        "import lucid; from lucid.nets.registry import load_meta; from lucid import resources; "
        "print(lucid.__file__, resources.bundled()['vgg-conv'], "
        "len(load_meta('vgg-conv').layers), lucid.load('lucid64').classes[0], "
        "*resources.presets())"
    )
    (package,) = environment.glob("lib/python*/site-packages/lucid")
    assert run(environment / "bin" / "python", "-c", code, folder=tmp_path).split() == [
        str(package / "__init__.py"),
        str(package / "cfg" / "vgg-conv.cfg"),
        "18",
        "goldfish",
        "deepdraw",
        "deepdream",
        "dreampy",
    ]


def test_the_command_works_alone(environment: Path, tmp_path: Path) -> None:
    command = environment / "bin" / "lucid"
    assert run(command, "--version", folder=tmp_path) == f"lucid, version {lucid.__version__}"
    assert "goldfish" in run(command, "classes", "lucid64", "goldfish", folder=tmp_path)
    painting = "draw --class goldfish --size 48x48 --iters 1 --octaves 1 --device cpu -o x.png"
    run(command, *painting.split(), folder=tmp_path)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (48, 48)


def test_another_package_called_lucid_is_said_to_be_one(tmp_path: Path) -> None:
    """tensorflow/lucid, installed later, leaves its own lucid/__init__.py."""
    shutil.copytree(ROOT / "lucid", tmp_path / "lucid")
    (tmp_path / "lucid" / "__init__.py").write_text("")
    here = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", "from lucid.cli import main; main()", "models"],
        env=here,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert "tensorflow/lucid" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_python_m_lucid_is_the_command() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "lucid", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("lucid, version ")
