"""Real files and real nets, small enough for a test."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from lucid.films import warp
from lucid.imaging.io import to_pil, write_image
from lucid.nets.darknet import cfg
from lucid.nets.darknet.layers import Shape, build
from lucid.nets.net import Net
from lucid.nets.registry import load

if TYPE_CHECKING:
    from studio_client import Client

    from lucid.studio.server import Studio

RECORDED = Path(__file__).parent / "recorded"
"""What the original Darknet put out: small random nets layer by layer, and its nightmares
step by step."""

LUCID = [sys.executable, "-c", "from lucid.cli import main; main()"]
"""The command, as a process of its own."""

HEADER = np.array([0, 2, 0, 0, 0], "<i4").tobytes()
"""Version 0.2, with a 64-bit count of the images seen."""

CLASSIFIER = """
[net]
width=32
height=32
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=12
size=3
stride=1
pad=1
activation=relu

[convolutional]
filters=5
size=1
stride=1
pad=1
activation=relu

[avgpool]

[softmax]
groups=1
"""
CLASS_NAMES = ["goldfish", "tench", "great white shark", "tiger shark", "tiger cat"]


collect_ignore = ["recorded"]
settings.register_profile("lucid", deadline=None)  # a busy machine is no fault of a test
settings.load_profile("lucid")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_warps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warps that a test loads from a file end with the test."""
    monkeypatch.setattr(warp, "WARPS", warp.WARPS.copy())


@pytest.fixture(autouse=True)
def _own_log() -> None:
    """What a command set with -q or -v ends with the test."""
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that SIGINT stops even under `nohup`, and that ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def popen(command: list[str], **settings: Any) -> subprocess.Popen[str]:
        # A process inherits that a signal is ignored, but not that it is handled.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        started.append(subprocess.Popen(command, text=True, **settings))
        signal.signal(signal.SIGINT, before)
        return started[-1]

    yield popen
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real nets and recordings; see CONTRIBUTING.md."""
    folder = os.environ.get("LUCID_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LUCID_ASSETS names no folder of real nets")
    return Path(folder)


@pytest.fixture(scope="session")
def squeezenet(assets: Path) -> Net:
    """The real ImageNet SqueezeNet, as a Darknet net."""
    return load(str(assets / "models" / "squeezenet1_1.cfg"))


def write_net(folder: Path, text: str, stem: str = "tiny", names: list[str] | None = None) -> Path:
    """A cfg with weights beside it, drawn at random from a fixed seed; returns the cfg."""
    path = folder / f"{stem}.cfg"
    path.write_text(text)
    path.with_suffix(".weights").write_bytes(HEADER + random_weights(path))
    if names:
        path.with_suffix(".names").write_text("\n".join(names) + "\n")
    return path


def random_weights(path: Path) -> bytes:
    random = np.random.default_rng(0)
    header, *sections = cfg.read(path)
    shape = (3, header.integer("height", 0), header.integer("width", 0))
    shapes: list[Shape] = []
    parts = []
    for section in sections:
        layer = build(section, shape, shapes)
        shape = layer.out
        shapes.append(shape)
        for name, stored in layer.stored():
            values = random.normal(0, 1, stored)
            if name == "weight":
                values *= (2 / np.prod(stored[1:])) ** 0.5
            elif name == "variance":
                values = np.abs(values) + 0.5
            parts.append(values.astype("<f4").tobytes())
    return b"".join(parts)


@pytest.fixture
def make_net(tmp_path: Path) -> Callable[..., Net]:
    """Builds a Darknet net from cfg text, with random weights read from a real file."""

    def make(text: str, **options: Any) -> Net:
        return load(str(write_net(tmp_path, text, **options)))

    return make


@pytest.fixture
def classifier(make_net: Callable[..., Net]) -> Net:
    """Two convolutions and five classes."""
    return make_net(CLASSIFIER, names=CLASS_NAMES)


@pytest.fixture
def photo() -> torch.Tensor:
    """A smooth picture that is no two rows or columns alike, (3, 40, 56)."""
    down, across = torch.linspace(0, 3, 40)[:, None], torch.linspace(0, 5, 56)
    channels = [torch.sin(down * k + across) * torch.cos(across * k) for k in (1, 2, 3)]
    return torch.stack(channels) * 0.4 + 0.5


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: torch.Tensor) -> Path:
    """A working folder with a net, tiny.cfg, and a picture, photo.png, in it."""
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    write_image(to_pil(photo), tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of a size, such as 64k, where the tests may do that."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(words, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio that serves in the background."""
    from lucid.studio.server import Studio

    with Studio(port=0, folder=tmp_path / "autosave") as opened:
        yield opened


@pytest.fixture
def client(studio: Studio) -> Iterator[Client]:
    """A page that is connected."""
    from studio_client import Client
    from websockets.exceptions import ConnectionClosed

    page = Client(studio)
    try:
        page.wait_for("hello")
        yield page
    finally:
        with contextlib.suppress(ConnectionClosed):
            page.close()
