"""Devices, precisions and memory: where and how a net runs."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

from lucid.errors import LucidError, UsageError, is_out_of_memory
from lucid.imaging import Size


@dataclass(frozen=True)
class Runtime:
    """Where and how a net runs.

    Attributes:
        device: ``auto`` (CUDA, else MPS, else the CPU), ``cpu``, ``cuda``, ``cuda:N`` or
            ``mps``; or several with commas between, which share the images of each batch
            (``cpu,cpu`` is two workers on one processor).
        precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``: bf16 where the device multiplies it
            in hardware, else fp32.
        batch: the most images that a device gets at once, each view of an image counted; None
            for as many as pay and fit. The same batch size gives the same bytes.
        deterministic: whether to use only operations that give the same bytes each time, from
            then on in the whole process. A CPU's always do.
        pooling: ``max``, as nets have it, or ``avg``: averages in place of maxima, for smoother
            pictures.
    """

    device: str = "auto"
    precision: str = "auto"
    batch: int | None = None
    deterministic: bool = False
    pooling: str = "max"


class RuntimeOptions(TypedDict, total=False):
    """The fields of ``Runtime`` as keywords of their own, as version 0.1 took them."""

    device: str
    precision: str
    batch: int | None
    deterministic: bool


def resolve_runtime(runtime: Runtime | None, options: RuntimeOptions) -> Runtime:
    """Take a runtime, or make one of version 0.1's keywords.

    Raises:
        UsageError: a value makes no sense.
        TypeError: both are given, or a keyword is unknown.
    """
    if runtime is None:
        return Runtime(**options)
    if options:
        raise TypeError(f"give {', '.join(options)} inside runtime=Runtime(...)")
    return runtime


def find_devices(names: str) -> list[torch.device]:
    """Turn the names of devices, with commas between, into devices.

    Raises:
        UsageError: there is no such device here.
    """
    has_mps = int(torch.backends.mps.is_available())
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": has_mps}
    devices = []
    for name in map(str.strip, names.split(",")):
        best = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
        try:
            device = torch.device(best if name == "auto" else name)
        except RuntimeError:
            raise UsageError(f"device {name!r} is not auto, cpu, cuda, cuda:N or mps") from None
        if (device.index or 0) >= counts.get(device.type, 0):
            raise UsageError(f"there is no device {name} here: try --device auto or --device cpu")
        devices.append(device)
    return devices


def device_name(device: torch.device) -> str:
    """The name of a device: a GPU's model, else its type."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Number formats by their short names."""


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn ``auto`` or a key of ``PRECISIONS`` into a dtype; a UsageError if there is none."""
    if name == "auto":
        return torch.bfloat16 if multiplies_bf16(device) else torch.float32
    if name not in PRECISIONS:
        raise UsageError(f"precision {name!r} is not auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise UsageError("fp16 needs a GPU: on the CPU use bf16 or fp32")
    return PRECISIONS[name]


def precision_name(dtype: torch.dtype) -> str:
    """The short name of a number format."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bf16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and any(cpu_bf16_units().values())


def cpu_bf16_units() -> dict[str, bool]:
    """Which units of this processor multiply bf16: AMX and AVX512-bf16."""
    if hasattr(torch.cpu, "get_capabilities"):  # newer than the oldest torch supported
        found = torch.cpu.get_capabilities()
        return {"AMX": bool(found.get("amx_bf16")), "AVX512-bf16": bool(found.get("avx512_bf16"))}
    units = {"AMX": "_is_amx_tile_supported", "AVX512-bf16": "_is_avx512_bf16_supported"}
    return {unit: bool(getattr(torch.cpu, name, bool)()) for unit, name in units.items()}


@contextlib.contextmanager
def reraise_oom(device: torch.device) -> Iterator[None]:
    """Turn torch's error for too little memory into a ``LucidError`` of one line."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise LucidError(
                f"not enough memory on {device}: try a smaller picture, tile or batch"
            ) from error
        raise


def saved_activation_bytes(run: Callable[[], object]) -> int:
    """Measure how many bytes a computation saves for its backward pass."""
    sizes: dict[int, int] = {}

    def record(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor)
    with torch.enable_grad(), hooks:
        result = run()  # held, or its memory would be given out twice
    del result
    return sum(sizes.values())


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device, to a GPU without waiting until it is there."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def free_memory(device: torch.device) -> float:
    """Bytes free on a GPU; on the CPU all of them, so that runs do not depend on other programs."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return total_memory(device)


def total_memory(device: torch.device) -> float:
    """A device's memory in bytes; infinite where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return math.inf


BYTES_PER_PIXEL = 300
"""Memory at the last octave, as measured at 2048x2048: coefficients, their gradient, Adam's two
moments, the picture, its tiles and their gradients."""


def fits_memory(size: Size, tile: Size) -> bool:
    """Whether this machine can hold a picture of (height, width) that ``draw`` paints."""
    try:
        check_memory(size, tile)
    except UsageError:
        return False
    return True


def check_memory(size: Size, tile: Size) -> None:
    """Raise a UsageError if this machine cannot hold a picture of (height, width) in tiles."""
    available = total_memory(torch.device("cpu"))
    # A picture smaller than a tile is padded to one.
    needed = BYTES_PER_PIXEL * max(size[0], tile[0]) * max(size[1], tile[1])
    if needed > available:
        side = math.isqrt(int(available / BYTES_PER_PIXEL)) // 64 * 64
        raise UsageError(
            f"size {size[1]}x{size[0]} in tiles of {tile[0]} needs about "
            f"{needed / 2**30:,.0f} GiB of memory, and this machine has "
            f"{available / 2**30:,.0f}: pictures in memory go up to about {side}x{side} here; "
            "larger ones `lucid draw` paints on disk, as pixels, and without masks"
        )
