from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, LUCID, write_net
from PIL import Image
from torch import Tensor

from lucid.cli import main
from lucid.core.device import Runtime
from lucid.core.objectives import Guide
from lucid.drawing import disk_tensors
from lucid.drawing.config import SMALL_FROM_NOISE, default_config, on_canvas
from lucid.drawing.loop import draw
from lucid.drawing.on_disk import draw_on_disk
from lucid.errors import LucidError, UsageError
from lucid.imaging.io import to_pil, write_image, write_png_rows
from lucid.nets.net import Net

SIZE = (160, 208)
SMALL: dict[str, Any] = {
    "size": SIZE,
    "tile_size": 32,
    "octave_count": 2,
    "iterations": 2,
    "runtime": Runtime(device="cpu", precision="fp32"),
    "seed": 5,
}


@pytest.fixture
def _many_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_tensors, "BLOCK", 64)
    monkeypatch.setattr(disk_tensors, "BAND", 64 * 208)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


@pytest.mark.slow
@pytest.mark.usefixtures("_many_bands")
@pytest.mark.parametrize(
    ("order", "padding"),
    [("grid", "reflect"), ("spiral", "reflect"), ("random", "reflect"), ("spiral", "wrap")],
)
@pytest.mark.parametrize("on_photo", [False, True])
def test_it_paints_what_memory_would(
    classifier: Net, photo: Tensor, tmp_path: Path, order: str, padding: str, on_photo: bool
) -> None:
    base = photo if on_photo else None
    # More passes would make differences of rounding visible.
    settings: dict[str, Any] = SMALL | {"iterations": 1, "order": order, "padding": padding}
    path = tmp_path / "large.png"
    draw_on_disk(classifier, ["goldfish"], path, base, **settings)
    config = on_canvas(default_config(classifier, on_base=on_photo), "pixels")
    whole = draw(classifier, ["goldfish"], base, config=config, **settings)
    assert abs(pixels(path) - np.asarray(whole).astype(int)).max() <= 1
    assert list(tmp_path.glob("large.png*")) == [path]


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_picture(
    tmp_path: Path,
    photo: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    cfg = write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    write_image(to_pil(photo), tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    words = ("draw photo.png --class goldfish --size 208x160 --tile-size 64 --octaves 2 --iters 8 "
             f"--net {cfg} --on-disk --device cpu --seed 3 -q -o").split()  # fmt: skip

    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as this process has
    running = start([*LUCID, *words, "cut.png"], env=one_thread)
    state = Path("cut.png.part/state.json")
    while running.poll() is None and not (state.exists() and '"octave": 1' in state.read_text()):
        time.sleep(0.01)
    running.kill()
    assert running.wait() < 0, "the run was over before it could be killed"
    assert not Path("cut.png").exists()

    again = CliRunner().invoke(main, [*words, "cut.png"])
    assert again.exit_code == 2
    assert "--resume" in again.stderr
    assert CliRunner().invoke(main, [*words, "cut.png", "--resume"]).exit_code == 0
    assert CliRunner().invoke(main, [*words, "whole.png"]).exit_code == 0
    assert Path("cut.png").read_bytes() == Path("whole.png").read_bytes()
    assert not state.parent.exists()


@pytest.mark.slow
def test_what_it_resumes_is_the_same_drawing(classifier: Net, tmp_path: Path) -> None:
    path = tmp_path / "large.png"

    def cut_short(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(UsageError, match="nothing to resume"):
        draw_on_disk(classifier, ["goldfish"], path, resume=True, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        draw_on_disk(classifier, ["goldfish"], path, watch=cut_short, **SMALL)
    with pytest.raises(UsageError, match="seed 5"):
        draw_on_disk(classifier, ["goldfish"], path, resume=True, **(SMALL | {"seed": 6}))
    with pytest.raises(UsageError, match="other settings"):
        draw_on_disk(classifier, ["tench"], path, resume=True, **SMALL)
    seedless: dict[str, Any] = {**SMALL}
    del seedless["seed"]
    draw_on_disk(classifier, ["goldfish"], path, resume=True, **seedless)
    again = tmp_path / "again.png"
    draw_on_disk(classifier, ["goldfish"], again, **SMALL)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_another_guide_is_another_drawing(classifier: Net, tmp_path: Path) -> None:
    """Guides that differ in one number far inside, which a repr leaves out."""
    path = tmp_path / "large.png"
    features = torch.rand(8, 400)
    other = features.clone()
    other[3, 200] += 1

    def cut_short(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    assert repr(Guide("0", features)) == repr(Guide("0", other))
    with pytest.raises(KeyboardInterrupt):
        draw_on_disk(classifier, Guide("0", features), path, watch=cut_short, **SMALL)
    with pytest.raises(UsageError, match="other settings"):
        draw_on_disk(classifier, Guide("0", other), path, resume=True, **SMALL)


def test_a_full_disk_is_found_before_the_work(classifier: Net, tmp_path: Path) -> None:
    settings: dict[str, Any] = SMALL | {"size": (1_000_000, 1_000_000)}
    with pytest.raises(LucidError, match="GiB of disk"):
        draw_on_disk(classifier, ["goldfish"], tmp_path / "large.png", **settings)
    assert not list(tmp_path.glob("large*"))


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ({}, "large.jpg", ".png"),
        ({"order": "none"}, "large.png", "spiral, grid or random"),
        ({"config": SMALL_FROM_NOISE}, "large.png", "--canvas pixels"),
        ({"mask": torch.ones(160, 208)}, "large.png", "no regions"),
    ],
)
def test_what_needs_the_whole_picture_is_refused(
    classifier: Net, tmp_path: Path, settings: dict[str, Any], name: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        draw_on_disk(classifier, ["goldfish"], tmp_path / name, **(SMALL | settings))


def test_a_png_written_by_rows_is_the_picture(photo: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "rows.png"
    write_png_rows(photo.split(7, dim=1), (40, 56), path)
    assert np.array_equal(pixels(path), np.asarray(to_pil(photo)))


@pytest.mark.slow
@pytest.mark.usefixtures("_many_bands")
def test_memory_does_not_grow_with_the_picture(classifier: Net, tmp_path: Path) -> None:
    """Sixteen times the pixels: what a pass holds beside its files stays what it was."""

    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells how much memory is no file's")

    def held() -> int:
        line = next(line for line in status.read_text().split("\n") if "RssAnon" in line)
        return int(line.split()[1]) // 1024

    def peak(side: int) -> int:
        once: dict[str, Any] = {
            "size": (side, side),
            "octave_count": 1,
            "iterations": 1,
            "order": "grid",
        }
        path = tmp_path / f"{side}.png"
        over, seen = threading.Event(), [0]

        def look() -> None:
            while not over.wait(0.002):
                seen.append(held())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            draw_on_disk(classifier, ["goldfish"], path, **(SMALL | once))
        finally:
            over.set()
            looking.join()
        return max(seen)

    small, large = peak(512), peak(2048)
    canvas = 3 * 4 * 2048**2 / 2**20
    assert large - small < canvas / 2
