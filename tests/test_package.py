"""What a user installs: the wheel, alone."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_holds_the_cfgs_and_finds_them(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("lucid_nightmare-*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    assert (site / "lucid" / "py.typed").exists()
    code = (
        "import lucid; from lucid import manners, nets; "
        "print(lucid.__file__, nets.bundled()['vgg-conv'], len(nets.outline('vgg-conv').layers), "
        "nets.load('lucid64').classes[0], *manners.presets())"
    )
    # -P keeps the checkout off the path; PYTHONPATH goes before what is installed.
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert answer == [
        str(site / "lucid" / "__init__.py"),
        str(site / "lucid" / "cfg" / "vgg-conv.cfg"),
        "18",
        "goldfish",
        "deepdraw",
        "deepdream",
    ]
