"""From the name of a net to the net: finding its cfg, weights and class names.

A name is a bundled one, one of torchvision's, or a path to a ``.cfg``; others, such as timm's, are
those of modules that ``lucid.nets.wrapped`` finds. The weights come from a
file that is given, else from the file of the same stem beside the cfg, else from the cache. The
class names of a Darknet net come from a file that is given, else from the ``.names`` file of the
same stem beside the cfg or the weights.
"""

from __future__ import annotations

import contextlib
import urllib.error
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, nearest, printable
from lucid.nets.class_names import matching_classes
from lucid.nets.darknet import weights as darknet_weights
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.module import wrap
from lucid.nets.net import ONE_AT_A_TIME, Net, read_names
from lucid.nets.state_dicts import count_classes, fill_model, read_state_dict
from lucid.nets.torchvision import (
    TorchvisionNet,
    build_model,
    categories,
    model_names,
    weights_enum,
)
from lucid.nets.wrapped import ENTRY_POINTS, wrapped_net
from lucid.plugins import entry_points
from lucid.resources import bundled, cache_folder

PUBLISHED_URL = "https://pjreddie.com/media/files/"
"""Where Darknet's author publishes his weights."""

LARGEST_NET = "lucid1000"
"""The bundled net that knows the most classes."""

MOST_KEPT = 2
"""Nets that ``keep_nets`` keeps."""

PUBLISHED_NAMES = ("vgg-conv", "jnet-conv", "vgg-16", "darknet19", "extraction")


@dataclass(frozen=True)
class _Source:
    """What a net is built from: a cfg file or, without one, the torchvision model of a name."""

    name: str
    cfg: Path | None

    def local_weights(self) -> Path | None:
        """The weights file on this machine, if there is one."""
        if self.cfg:
            paths = [self.cfg.with_suffix(".weights"), cache_folder() / f"{self.name}.weights"]
        else:
            paths = [_torchvision_cache(self.name)]
        return next((path for path in paths if path.exists()), None)

    def other_weights(self) -> str:
        """Say where else to get the weights of a cfg, for the end of a message."""
        name = self.name
        hints = [
            (name in PUBLISHED_NAMES, f"; `lucid weights {name}` downloads Darknet's"),
            (name == "vgg-conv", "; `lucid convert vgg16 FILE` makes them of torchvision's"),
            (name in model_names(), f"; the net {name} (without .cfg) has torchvision's"),
        ]
        return "".join(hint for applies, hint in hints if self.cfg and applies)

    def read_state(self, weights: Path | None) -> Mapping[str, Tensor] | None:
        """Read a file of weights that was given for a torchvision model."""
        if self.cfg or weights is None:
            return None
        if not weights.is_file():
            raise LucidError(f"{weights}: there is no such weights file{self.other_weights()}")
        if weights.suffix == ".weights":
            raise LucidError(
                f"{weights}: torchvision's {self.name} takes a state dict (.pth, .safetensors); "
                "Darknet weights need a .cfg as the net"
            )
        return read_state_dict(weights)

    def build(
        self, weights: Path | None, names: Path | None, state: Mapping[str, Tensor] | None
    ) -> Net:
        """Build the net, with memory for its weights only on the meta device.

        Args:
            weights: a file that was given.
            names: a file that was given.
            state: what ``weights`` holds, for a torchvision model.
        """
        if self.cfg is None:
            class_names = read_names(names) if names else None
            # torchvision's own file has auxiliary classifiers, but they were never trained.
            heads = bool(state) and any(key.startswith("aux1.") for key in state or ())
            heads = heads and weights != _torchvision_cache(self.name)
            model = _build_meta(self.name, None, heads)
            count = count_classes(model, state, len(categories(self.name))) if state else None
            if count and class_names and len(class_names) != count:
                raise LucidError(
                    f"{names}: {len(class_names)} names, but {weights} has {count} classes"
                )
            if count:
                class_names = class_names or list(map(str, range(count)))
            if class_names:
                model = _build_meta(self.name, len(class_names), heads)
            return TorchvisionNet(self.name, model, class_names)
        net = DarknetNet(self.cfg)
        # A .names file beside a cfg may belong to another net: only one with classes reads it.
        if names is None and net.classes:
            beside = [path.with_suffix(".names") for path in (self.cfg, weights) if path]
            names = next((path for path in beside if path.exists()), None)
        if names:
            own, count = read_names(names), len(net.classes)
            if len(own) != count:
                raise LucidError(f"{names}: {len(own)} names, but {net.name} has {count} classes")
            net.classes = own
        return net


def _build_meta(name: str, count: int | None, heads: bool) -> nn.Module:
    """Build a torchvision model without memory for its weights, where torchvision can."""
    try:
        with torch.device("meta"):
            return build_model(name, count, heads=heads)
    except NotImplementedError:  # a RegNet computes its widths with tensors
        return build_model(name, count)


def _find(name: str, weights: Path | None = None) -> _Source:
    """Find the cfg file or torchvision model of a name; ``weights`` decides if both exist."""
    cfgs = bundled()
    if name.endswith(".cfg"):
        path = Path(name)
        # Darknet's users type cfg/vgg-conv.cfg in any folder.
        short = name.removeprefix("cfg/").removesuffix(".cfg")
        if not path.exists() and short in cfgs:
            path = cfgs[short]
        if not path.exists():
            raise UsageError(f"{name}: there is no such cfg{nearest(path.stem, [*cfgs])}")
        return _Source(path.stem, path)
    # In this order, torchvision is not imported for the bundled lucid64.
    if name in cfgs and (
        (weights is not None and weights.suffix == ".weights")
        or cfgs[name].with_suffix(".weights").exists()
        or name not in model_names()
    ):
        return _Source(name, cfgs[name])
    if name in model_names():
        return _Source(name, None)
    near = nearest(name, [*cfgs, *model_names(), *entry_points(ENTRY_POINTS)])
    raise UsageError(
        f"there is no net {name!r}{near}: give a path to a .cfg, or a name from `lucid models`"
    )


def local_weights(name: str) -> Path | None:
    """Find a net's weights file on this machine; None if it has to be downloaded or given."""
    return _find(name).local_weights()


def load_meta(name: str, weights: Path | None = None, names: Path | None = None) -> Net:
    """Build a net without its weights, on the meta device: layers, classes and sizes only.

    Takes what ``load`` takes; of the weights only names and shapes are used. Raises what ``load``
    raises.
    """
    if (own := wrapped_net(name, weights, names, meta=True)) is not None:
        return own
    source = _find(name, weights)
    state = source.read_state(weights)
    with ONE_AT_A_TIME:
        return source.build(weights, names, state).to("meta")


def nets_with_class(name: str) -> list[str]:
    """List the bundled nets with a class that matches a name.

    torchvision's have the classes of lucid1000, and importing torchvision takes long.
    """
    return [
        net
        for net, cfg in bundled().items()
        if (names := cfg.with_suffix(".names")).exists()
        and matching_classes(name, read_names(names))
    ]


def random_init(name: str, seed: int = 0) -> Net:
    """Build a net with random weights on the CPU, to measure speed or compare with trained ones."""
    source = _find(name)
    if source.cfg:
        net = DarknetNet(source.cfg)
        net.randomize(seed)
        return net
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TorchvisionNet(name, build_model(name, None, init_weights=True))


@torch.inference_mode(False)
def load(
    name: str,
    weights: str | Path | None = None,
    names: str | Path | None = None,
    *,
    progress: bool = True,
) -> Net:
    """Load a net with its weights.

    Args:
        name: a bundled or torchvision name, or a path to a ``.cfg``; ``timm/NAME`` or
            ``hf-hub:OWNER/NAME``; a program that is run and makes a net: a file of TorchScript or
            ``torch.export``, ``FILE.py:NAME``, ``package.module:NAME``, or a name that an
            installed package offers as one of ``lucid.nets``.
        weights: a Darknet ``.weights`` file, or a state dict of a torchvision or timm model, with
            any number of classes, as ``.pth`` or ``.safetensors``. Default: the file of the same
            stem beside the cfg, else the one in the cache; torchvision's and timm's are
            downloaded.
        names: a file of class names, one a line. Default: ImageNet's for a thousand classes, the
            ``.names`` file beside cfg or weights for Darknet's; else the classes' numbers.
        progress: whether a download shows its progress.

    Returns:
        The net, on the CPU.

    Raises:
        UsageError: there is no such net.
        LucidError: a file is missing or damaged or belongs to another net, or a download failed.
    """
    if not isinstance(name, str):
        raise UsageError(f"a net's name is a text, not a {type(name).__name__}")
    kept = _kept.get()
    if kept is None:
        return _load(name, weights, names, progress)
    ends = (".weights", ".names") if name.endswith(".cfg") else ()
    beside = [Path(name).with_suffix(end) for end in ends]
    key = (name, *map(_state_of, (name, weights, names, *beside)))
    if key not in kept:
        while len(kept) >= MOST_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = _load(name, weights, names, progress)
    return kept[key]


_kept: ContextVar[dict[tuple[object, ...], Net] | None] = ContextVar("kept_nets", default=None)


@contextlib.contextmanager
def keep_nets(kept: dict[tuple[object, ...], Net]) -> Iterator[None]:
    """Let ``load`` take nets from a dictionary, and put them there, inside a ``with`` statement.

    For programs that paint many pictures by commands, each of which loads its net. The dictionary
    holds the last ``MOST_KEPT`` nets; a file that has changed is read again.
    """
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)


def _state_of(file: str | Path | None) -> tuple[object, ...]:
    """What tells whether a file has changed."""
    try:
        found = Path(file or "").stat()
    except (OSError, ValueError):
        return (file,)
    return file, found.st_mtime_ns, found.st_size


def _load(name: str, weights: str | Path | None, names: str | Path | None, progress: bool) -> Net:
    """Load a net; arguments as of ``load``."""
    given, own_names = Path(weights) if weights else None, Path(names) if names else None
    if (own := wrapped_net(name, given, own_names)) is not None:
        return own
    source = _find(name, given)
    state = source.read_state(given)
    with ONE_AT_A_TIME:
        net = source.build(given, own_names, state)
    file = given or (source.local_weights() if source.cfg else None)
    if file is not None and not file.is_file():
        raise LucidError(f"{file}: there is no such weights file{source.other_weights()}")
    if isinstance(net, DarknetNet):
        if file is None:
            beside = net.path.with_suffix(".weights")
            raise LucidError(
                f"there are no weights for {net.path.name}: --weights FILE or {beside} gives them"
                f"{source.other_weights()}"
            )
        if file.suffix in (".pth", ".pt", ".safetensors"):
            raise LucidError(f"{file}: {source.name}.cfg takes Darknet's .weights files")
        darknet_weights.load(file, net.darknet_layers)
    elif isinstance(net, TorchvisionNet):
        state = state or _download_state_dict(source.name, progress)
        fill_model(net.model, state, str(file or source.name))
    check_weights(net, str(file or source.name))
    return net


NetLike = Net | str | Path | nn.Module
"""What may be given for a net: one that is loaded, a name or a cfg file, or any module."""


def to_net(net: NetLike) -> Net:
    """Load a net by its name, wrap a module, or return a net as it is.

    Raises:
        UsageError: there is no such net, or this is something else.
        LucidError: a file is missing or damaged, or a download failed.
    """
    if isinstance(net, Net):
        return net
    if isinstance(net, nn.Module):
        return wrap(net)
    if isinstance(net, str | Path):
        return load(str(net))
    raise UsageError(f"a net is one that lucid.load returns, or a name, not a {type(net).__name__}")


def check_weights(net: Net, source: str) -> None:
    """Refuse weights that are infinite or NaN: whatever they paint is black.

    Raises:
        LucidError: there are such weights; the message names ``source``.
    """
    for name, value in net.state_dict().items():
        if value.is_floating_point() and value.numel():
            least, most = value.aminmax()
            if not bool((most - least).isfinite()):
                raise LucidError(f"{source}: holds weights that are no numbers (NaN), in {name}")


def download(name: str, *, progress: bool = True) -> Path | None:
    """Download a net's published weights into the cache.

    Args:
        name: a bundled or torchvision name.
        progress: whether the download shows its progress.

    Returns:
        The weights file; None for a torchvision net, whose cache torchvision manages.

    Raises:
        UsageError: there is no such net.
        LucidError: nobody publishes such weights, there is no network, or the server's answer is
            not the weights of the cfg.
    """
    source = _find(name)
    if not source.cfg:
        _download_state_dict(source.name, progress)
        return None
    beside = source.cfg.with_suffix(".weights")
    if source.cfg in bundled().values() and beside.exists():
        return beside
    if source.name not in PUBLISHED_NAMES:
        raise LucidError(
            f"nobody publishes weights for {source.name} that lucid knows of: "
            "give yours with --weights FILE"
        )
    target = cache_folder() / f"{source.name}.weights"
    url = f"{PUBLISHED_URL}{target.name}"
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(part), progress=progress)
        # A server may answer with a page of apology: only a file of the cfg's length will do.
        try:
            darknet_weights.load(part, DarknetNet(source.cfg).darknet_layers)
        except LucidError as error:
            raise LucidError(f"{url}: {str(error).removeprefix(printable(f'{part}: '))}") from error
        part.replace(target)
    except OSError as error:
        raise LucidError(
            f"{url}: cannot be fetched ({_reason(error)}). On another machine, download it "
            f"and put it at {target}, or give it with --weights FILE"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _torchvision_cache(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights_enum(name).url).name


def _download_state_dict(name: str, progress: bool) -> Mapping[str, Tensor]:
    """Get torchvision's weights from its cache or server; torchvision checks their hash."""
    weights = weights_enum(name)
    cached = _torchvision_cache(name)
    try:
        return weights.get_state_dict(progress=progress, check_hash=True)
    except Exception as error:
        if cached.exists():
            raise LucidError(f"{cached}: is damaged ({_reason(error)}): delete it") from error
        raise LucidError(
            f"{weights.url}: cannot be fetched ({_reason(error)}). On another machine, download it "
            f"and put it into {cached.parent}, or give it with --weights FILE"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server says {error.code}, {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no network: {error.reason}"
    return (str(getattr(error, "strerror", None) or error) or type(error).__name__).splitlines()[0]
