"""From the name of a net to the net: where cfgs, weights and class names are found.

NET is a bundled or torchvision name, or a path to a ``.cfg``. Its weights come
from a file that is named, else from the file of the same stem beside the cfg,
else from the cache. Class names of a Darknet net come from a file that is
named, else from ``.names`` of the same stem beside the cfg or the weights.
"""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lucid.errors import LucidError, UsageError, nearest
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import Net, matching_classes, read_names
from lucid.nets.torchvision import (
    TorchvisionNet,
    build_model,
    categories,
    model_names,
    size_megabytes,
    weights_enum,
)
from lucid.resources import bundled, cache_folder

PUBLISHED = "https://pjreddie.com/media/files/"
"""Where Darknet's author keeps his weights."""

PUBLISHED_NAMES = ("vgg-conv", "jnet-conv", "vgg-16", "darknet19", "extraction")


@dataclass(frozen=True)
class _Found:
    """What a name stands for: a cfg file, or, without one, a torchvision model."""

    name: str
    cfg: Path | None

    def weights(self) -> Path | None:
        """The weights file on this machine, if there is one."""
        if self.cfg:
            places = [self.cfg.with_suffix(".weights"), cache_folder() / f"{self.name}.weights"]
        else:
            places = [_torchvision_cache(self.name)]
        return next((path for path in places if path.exists()), None)

    def build(self, weights: Path | None, names: Path | None) -> Net:
        """The net, with memory for its weights only on the meta device."""
        if self.cfg:
            net = DarknetNet(self.cfg)
            # A net of layers alone may share its weights' folder with anyone's names.
            if names is None and net.classes:
                beside = [path.with_suffix(".names") for path in (self.cfg, weights) if path]
                names = next((path for path in beside if path.exists()), None)
            if names:
                net.name_classes(names)
            return net
        class_names = read_names(names) if names else None
        try:
            with torch.device("meta"):
                model = build_model(self.name, class_names)
        except NotImplementedError:  # a RegNet computes its widths with tensors
            model = build_model(self.name, class_names)
        return TorchvisionNet(self.name, model, class_names)


def _find(name: str, weights: Path | None) -> _Found:
    bundled_cfgs = bundled()
    if name.endswith(".cfg"):
        path = Path(name)
        # A Darknet user types cfg/vgg-conv.cfg, whatever folder he stands in.
        short = name.removeprefix("cfg/").removesuffix(".cfg")
        if not path.exists() and short in bundled_cfgs:
            path = bundled_cfgs[short]
        if not path.exists():
            raise UsageError(f"{name}: there is no such cfg{nearest(path.stem, [*bundled_cfgs])}")
        return _Found(path.stem, path)
    darknet_file = weights is not None and weights.suffix == ".weights"
    # Asked in this order, torchvision is not imported for the net in the box.
    if name in bundled_cfgs and (
        darknet_file
        or bundled_cfgs[name].with_suffix(".weights").exists()
        or name not in model_names()
    ):
        return _Found(name, bundled_cfgs[name])
    if name in model_names():
        return _Found(name, None)
    near = nearest(name, [*bundled_cfgs, *model_names()])
    raise UsageError(
        f"there is no net {name!r}{near}: give a path to a .cfg, or a name from `lucid models`"
    )


def local_weights(name: str) -> Path | None:
    """Where a net's weights lie on this machine, if they do."""
    return _find(name, None).weights()


def _torchvision_cache(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights_enum(name).url).name


def load_meta(name: str, weights: Path | None = None, names: Path | None = None) -> Net:
    """A net without its weights: layers, classes and sizes, but no memory.

    Takes what ``load`` takes; of the weights only the file's name matters.

    Raises:
        UsageError: there is no such net.
        LucidError: a file it is made of cannot be read.
    """
    return _find(name, weights).build(weights, names).to("meta")


def nets_with_class(word: str) -> list[str]:
    """The nets of torchvision's with a class that a word fits, smallest first."""
    known = [name for name in model_names() if matching_classes(word, categories(name))]
    return sorted(known, key=size_megabytes)


def random_init(name: str, seed: int = 0) -> Net:
    """A net with random weights: to measure speed, and to see what training adds."""
    found = _find(name, None)
    if found.cfg:
        net = DarknetNet(found.cfg)
        net.randomize(seed)
        return net
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TorchvisionNet(name, build_model(name, None, init_weights=True))


def load(
    name: str,
    weights: str | Path | None = None,
    names: str | Path | None = None,
    *,
    progress: bool = True,
) -> Net:
    """A net with its weights.

    Args:
        name: a bundled or torchvision name, or a path to a ``.cfg``.
        weights: a Darknet ``.weights`` file, or a torchvision state dict as
            ``.pth`` or ``.safetensors``. Without it: the file of the same stem
            beside the cfg, else the cache; torchvision's are downloaded.
        names: a file of class names, one a line.
        progress: whether a download shows its progress.

    Raises:
        UsageError: there is no such net.
        LucidError: a file is missing or not what it should be, or there is no
            network to download it from.
    """
    given = Path(weights) if weights else None
    found = _find(name, given)
    net = found.build(given, Path(names) if names else None)
    file = given or (found.weights() if found.cfg else None)
    if file is not None and not file.is_file():
        raise LucidError(f"{file}: there is no such weights file{_ways_to(file.stem)}")
    if isinstance(net, DarknetNet):
        if file is None:
            raise LucidError(_without_weights(found))
        if file.suffix in (".pth", ".pt", ".safetensors"):
            raise LucidError(f"{file}: {found.name}.cfg takes Darknet's .weights files")
        net.load_weights(file)
    elif isinstance(net, TorchvisionNet):
        if file is not None and file.suffix == ".weights":
            raise LucidError(
                f"{file}: torchvision's {found.name} takes a state dict (.pth, .safetensors); "
                "Darknet weights need a .cfg as the net"
            )
        state = _read_state(file) if file else _download_state(found.name, progress)
        _fill(net.model, state, str(file or found.name))
    return net


def download(name: str, *, progress: bool = True) -> Path | None:
    """Bring a net's published weights into the cache.

    Returns:
        Where they lie; None for a torchvision net, which torchvision keeps.

    Raises:
        LucidError: nobody publishes weights of that name, there is no network,
            or what came is not the cfg's weights.
    """
    found = _find(name, None)
    if not found.cfg:
        _download_state(found.name, progress)
        return None
    boxed = found.cfg.with_suffix(".weights")
    if found.cfg in bundled().values() and boxed.exists():
        return boxed
    if found.name not in PUBLISHED_NAMES:
        raise LucidError(
            f"nobody publishes weights for {found.name} that lucid knows of: "
            "give yours with --weights FILE"
        )
    target = cache_folder() / f"{found.name}.weights"
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(f"{PUBLISHED}{target.name}", str(part), progress=progress)
        # What came may be a page that says sorry: only the cfg's own length will do.
        try:
            DarknetNet(found.cfg).load_weights(part)
        except LucidError as error:
            fault = str(error).removeprefix(f"{part}: ")
            raise LucidError(f"{PUBLISHED}{target.name}: {fault}") from error
        part.replace(target)
    except OSError as error:
        raise LucidError(
            f"{PUBLISHED}{target.name}: cannot be fetched ({_reason(error)}). On another machine, "
            f"download it and put it at {target}, or give it with --weights FILE"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _ways_to(name: str) -> str:
    """How to come by published weights, for the end of a message."""
    ways = f": `lucid weights {name}` fetches Darknet's" if name in PUBLISHED_NAMES else ""
    return ways + (", `lucid convert vgg16 FILE` makes them" if name == "vgg-conv" else "")


def _without_weights(found: _Found) -> str:
    assert found.cfg is not None
    ways = [f"--weights FILE, {found.cfg.with_suffix('.weights')}"]
    if found.name in PUBLISHED_NAMES:
        ways.append(f"`lucid weights {found.name}` fetches Darknet's")
    elif found.name in model_names():
        ways.append(f"the net {found.name} (without .cfg) is torchvision's, with its own")
    return f"there are no weights for {found.cfg.name}: {', or '.join(ways)}"


def _download_state(name: str, progress: bool) -> Mapping[str, Tensor]:
    """torchvision's weights, from its cache or its server, checked by their hash."""
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


def _read_state(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            from safetensors import SafetensorError
            from safetensors.torch import load_file
        except ImportError as error:
            raise LucidError(
                f"{path}: needs the safetensors library: pip install safetensors"
            ) from error
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise LucidError(f"{path}: is not a whole .safetensors file ({error})") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a broken pickle raises is anybody's guess
        raise LucidError(
            f"{path}: cannot be read as a state dict: truncated, or not one torch saved"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise LucidError(f"{path}: holds no state dict (a model's names and tensors)")
    return state


def _fill(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    # The second classifiers of GoogLeNet and Inception serve training alone,
    # and torchvision's DenseNet files carry the names of its first years.
    given = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", key): value
        for key, value in state.items()
        if not re.match(r"(aux\d|AuxLogits)\.", key)
    }
    filled: Any = model.state_dict()
    # What version of each module the file is from; MNASNet insists on knowing.
    filled._metadata = getattr(state, "_metadata", filled._metadata)
    for key, value in filled.items():
        if key.endswith("num_batches_tracked"):
            filled[key] = given.pop(key, torch.zeros((), dtype=torch.long))
        elif key not in given:
            raise LucidError(f"{source}: the weights of another net: {key} is missing")
        elif given[key].shape != value.shape:
            raise LucidError(
                f"{source}: the weights of another net: {key} should be "
                f"{tuple(value.shape)} and is {tuple(given[key].shape)}"
            )
        else:
            filled[key] = given.pop(key)
    if given:
        raise LucidError(f"{source}: the weights of another net: it has no {min(given)}")
    model.load_state_dict(filled, assign=True)
    model.float().eval().requires_grad_(False)


def _reason(error: Exception) -> str:
    """Why, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server says {error.code}, {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no network: {error.reason}"
    return (str(getattr(error, "strerror", None) or error) or type(error).__name__).splitlines()[0]
