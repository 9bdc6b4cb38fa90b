"""``lucid doctor``: what lucid finds on a machine, for a bug report."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lucid import __version__, resources
from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand

if TYPE_CHECKING:
    import torch

PACKAGES = {
    "torch": (("torch",), "everything"),
    "torchvision": (("torchvision",), "its nets"),
    "numpy": (("numpy",), "everything"),
    "scipy": (("scipy",), "everything"),
    "Pillow": (("pillow",), "reading and writing pictures"),
    "click": (("click",), "the command line"),
    "PyAV": (("av",), "videos: pip install av"),
    "OpenCV": (
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
        "optical flow in videos: pip install opencv-python-headless",
    ),
    "safetensors": (("safetensors",), "weights in .safetensors: pip install safetensors"),
}
"""For each package: the names it may be installed under, and what it is needed for."""

VARIABLES = (
    *("LUCID_CACHE", "LUCID_PREVIEW", "TORCH_HOME", "XDG_CACHE_HOME"),
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"),
    "NO_COLOR",
)


class Bytes(int):
    """A number of bytes, printed as MB or GB."""

    def __str__(self) -> str:
        return f"{self / 1e9:.1f} GB" if self >= 1e9 else f"{self / 1e6:.1f} MB"


Fact = str | bool | int | list[str] | dict[str, "Fact"]


@click.command(cls=SectionedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, sizes in bytes.")
def doctor(as_json: bool) -> None:
    """Print what lucid finds here: versions, devices, memory, caches, weights.

    Add this to your bug report.
    """
    facts = _facts()
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    width = max(map(len, facts))
    for name, fact in facts.items():
        echo(f"{name:<{width}}  {_in_words(fact)}")


def _in_words(fact: Fact) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_in_words(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return " ".join(fact) or "none"
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return str(fact)


def _facts() -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "lucid": __version__,
        "Python": platform.python_version(),
        "platform": _known(platform.platform),
    }
    for name, (packages, purpose) in PACKAGES.items():
        facts[name] = _version(packages) or f"not installed (for {purpose})"
    devices = _known(_devices)
    facts |= devices if isinstance(devices, dict) else {"devices": devices}
    facts["memory"] = {
        "total": _known(lambda: _pages("SC_PHYS_PAGES")),
        "free": _known(lambda: _pages("SC_AVPHYS_PAGES")),
    }
    facts["cache"] = _known(lambda: _folder(resources.cache_folder()))
    facts["torch's cache"] = _known(lambda: _folder(_checkpoints()))
    facts["weights at hand"] = _known(_nets_at_hand)
    facts["disk here"] = {"free": _known(lambda: Bytes(shutil.disk_usage(Path.cwd()).free))}
    return facts | {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _known(find: Callable[[], Fact]) -> Fact:
    """Return a fact, or that it is unknown and why, so that an error hides no other fact."""
    try:
        return find()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        return f"unknown ({type(error).__name__}: {reason})" if reason else "unknown"


def _version(packages: tuple[str, ...]) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            return version(package)
    return None


def _devices() -> dict[str, Fact]:
    import torch

    from lucid.core.device import cpu_bf16_units

    count = torch.cuda.device_count()
    found: dict[str, Fact] = {
        "cpu": {
            "threads": torch.get_num_threads(),
            **_precisions(torch.device("cpu")),
            **cpu_bf16_units(),
        },
        "CUDA": {"version": torch.version.cuda or "none", "GPUs": count},
    }
    found |= {f"cuda:{number}": _known(partial(_gpu, number)) for number in range(count)}
    if torch.backends.mps.is_available():
        found["mps"] = _precisions(torch.device("mps"))
    return found


def _gpu(number: int) -> Fact:
    import torch

    free, total = torch.cuda.mem_get_info(number)  # before anything is computed there
    return {
        "name": torch.cuda.get_device_name(number),
        "total": Bytes(total),
        "free": Bytes(free),
        **_precisions(torch.device("cuda", number)),
    }


def _precisions(device: torch.device) -> dict[str, Fact]:
    """Name the precision that auto is on a device, and those that the device supports."""
    from lucid.core.device import PRECISIONS, find_precision, precision_name

    return {
        "auto": _known(lambda: precision_name(find_precision("auto", device))),
        "precisions": [name for name in PRECISIONS if _multiplies(name, device)],
    }


def _multiplies(precision: str, device: torch.device) -> bool:
    import torch

    from lucid.core.device import find_precision

    try:
        ones = torch.ones(2, 2, dtype=find_precision(precision, device), device=device)
        return (ones @ ones).sum().item() == 8
    except Exception:  # drivers raise what they like
        return False


def _pages(name: str) -> Fact:
    return Bytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf(name))


def _checkpoints() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _folder(folder: Path) -> Fact:
    """Return a folder's path, number of files and size."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"folder": str(folder), "files": len(sizes), "size": Bytes(sum(sizes))}


def _nets_at_hand() -> Fact:
    """List the nets, as they are typed, whose weights need not be downloaded."""
    from lucid.nets.registry import local_weights
    from lucid.nets.torchvision import model_names
    from lucid.resources import bundled

    others = model_names()
    own = {name: f"{name}.cfg" for name in bundled()}
    at_hand = [cfg if name in others else name for name, cfg in own.items() if local_weights(cfg)]
    return at_hand + [name for name in others if local_weights(name)]
