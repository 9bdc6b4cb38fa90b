"""What there is to compute with: devices, precisions, memory."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lucid.errors import LucidError, UsageError, is_out_of_memory


def find_devices(names: str) -> list[torch.device]:
    """The devices that names with commas between stand for.

    ``cpu,cpu`` is two workers on one processor.

    Raises:
        UsageError: see ``find_device``.
    """
    return [find_device(name.strip()) for name in names.split(",")]


def find_device(name: str) -> torch.device:
    """The device that a name stands for; ``auto`` is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device {name!r} is not auto, cpu, cuda, cuda:N or mps") from None
    count = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(device.type)
    if count is None or (device.index or 0) >= count:
        raise UsageError(f"there is no device {name} here: try --device auto or --device cpu")
    return device


def device_name(device: torch.device) -> str:
    """A device by its own name: a GPU's model, else the kind."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format that a name stands for on a device.

    Raises:
        UsageError: there is no such precision, or not on this device.
    """
    if name == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    if name not in PRECISIONS:
        raise UsageError(f"precision {name!r} is not auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise UsageError("fp16 needs a GPU: on the CPU use bf16 or fp32")
    return PRECISIONS[name]


def precision_name(dtype: torch.dtype) -> str:
    return next(name for name, known in PRECISIONS.items() if known == dtype)


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # torch has no public word for what makes bf16 pay off on a CPU.
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, unit, lambda: False)() for unit in units)


def tune_malloc() -> None:
    """Let malloc keep what is freed, up to 2 GiB, for the next step of a climb.

    Every step needs the same large blocks as the one before. glibc gives them back to the
    system in between, which hands them out again page by page, filled with zeros: a fifth
    of a step on the CPU. Where a user has set malloc's own variables, or there is no
    glibc, nothing is done.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    # As malloc.h has them: M_MMAP_MAX, M_TRIM_THRESHOLD.
    mallopt(-4, 0)
    mallopt(-1, 2**31 - 1)


@contextlib.contextmanager
def reraise_oom(device: torch.device) -> Iterator[None]:
    """Say it in one line if there is not."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise LucidError(
                f"not enough memory on {device}: try a smaller picture, tile or batch"
            ) from error
        raise


def saved_activation_bytes(run: Callable[[], object]) -> int:
    """How much memory a computation keeps for the way back."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with torch.enable_grad(), hooks:
        kept = run()  # held, or its memory would be given out twice
    del kept
    return sum(sizes.values())


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; to a GPU, without waiting until it is there."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def free_memory(device: torch.device) -> float:
    """Of a GPU, what nobody has; of the CPU, all, so that what depends on it does not
    change from one run to the next."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return total_memory(device)


def total_memory(device: torch.device) -> float:
    """A device's memory in bytes; infinite where it cannot be asked."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return math.inf
