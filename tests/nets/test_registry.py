"""Nets by name: where cfgs, weights and class names are found, and downloads."""

from __future__ import annotations

import functools
import math
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from conftest import CLASS_NAMES, CLASSIFIER, HEADER, write_net

from lucid.errors import LucidError, UsageError
from lucid.nets import registry
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.registry import download, load, load_meta, local_weights
from lucid.nets.torchvision import TorchvisionNet, build_model
from lucid.resources import cache_folder


def test_weights_and_names_beside_the_cfg_are_read(tmp_path: Path) -> None:
    net = load(str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)))
    assert net.classes == CLASS_NAMES
    assert net.name == "tiny"
    assert net.input_size == (32, 32)


def test_weights_in_the_cache_are_read_if_none_lie_beside_the_cfg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("LUCID_CACHE", str(cache))
    path = write_net(tmp_path, CLASSIFIER)
    beside = path.with_suffix(".weights")
    shutil.copy(beside, cache / beside.name)
    assert local_weights(str(path)) == beside
    beside.unlink()
    assert local_weights(str(path)) == cache / beside.name
    assert load(str(path)).name == "tiny"
    (cache / beside.name).unlink()
    with pytest.raises(LucidError, match=r"no weights for tiny\.cfg: --weights FILE"):
        load(str(path))


def test_given_weights_are_read_or_refused(tmp_path: Path) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    other = tmp_path / "elsewhere" / "other.weights"
    other.parent.mkdir()
    shutil.copy(path.with_suffix(".weights"), other)
    other.with_suffix(".names").write_text("\n".join(CLASS_NAMES))
    assert load(str(path), other).classes == CLASS_NAMES
    with pytest.raises(LucidError, match=r"missing\.weights: there is no such weights file"):
        load(str(path), tmp_path / "missing.weights")
    with pytest.raises(LucidError, match=r"takes Darknet's \.weights files"):
        load(str(path), shutil.copy(other, tmp_path / "x.pth"))


def test_a_bundled_cfg_is_found_by_its_name_and_by_its_path_in_darknet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("vgg-conv", "vgg-conv.cfg", "cfg/vgg-conv.cfg"):
        assert isinstance(load_meta(name), DarknetNet)
    with pytest.raises(UsageError, match=r"cfg/vgg-comv\.cfg: there is no such cfg; .*vgg-conv"):
        load_meta("cfg/vgg-comv.cfg")


@pytest.mark.slow
def test_the_ending_of_the_weights_decides_between_two_nets_of_a_name(tmp_path: Path) -> None:
    assert isinstance(load_meta("squeezenet1_1"), TorchvisionNet)
    torch.save(build_model("squeezenet1_1").state_dict(), tmp_path / "a.pth")
    assert isinstance(load_meta("squeezenet1_1", tmp_path / "a.pth"), TorchvisionNet)
    assert isinstance(load_meta("squeezenet1_1", Path("a.weights")), DarknetNet)
    assert isinstance(load_meta("squeezenet1_1.cfg"), DarknetNet)


@pytest.mark.slow
def test_darknet_weights_are_refused_for_a_torchvision_net(tmp_path: Path) -> None:
    path = write_net(tmp_path, CLASSIFIER).with_suffix(".weights")
    with pytest.raises(LucidError, match="takes a state dict"):
        load("resnet18", path)


def test_an_unknown_net_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="no net 'gogglenet'; the nearest are googlenet"):
        load_meta("gogglenet")


def test_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    with pytest.raises(LucidError, match=r"tiny\.names: 2 names, but tiny has 5 classes"):
        load(str(write_net(tmp_path, CLASSIFIER, names=["cat", "dog"])))


def test_classes_without_a_file_of_names_are_named_by_their_numbers(tmp_path: Path) -> None:
    net = load(str(write_net(tmp_path, CLASSIFIER)))
    assert net.classes == ["0", "1", "2", "3", "4"]
    assert net.class_index("3") == 3
    with pytest.raises(UsageError, match="classes have only numbers here: give --names FILE"):
        net.class_index("goldfish")


def test_a_net_without_classes_ignores_the_names_beside_it(tmp_path: Path) -> None:
    text = CLASSIFIER[: CLASSIFIER.index("[avgpool]")]
    net = load(str(write_net(tmp_path, text, names=CLASS_NAMES)))
    assert net.classes == []


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a local server serves in place of Darknet's, and an empty cache."""
    folder = tmp_path / "published"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(registry, "PUBLISHED_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
        yield folder
        server.shutdown()


@pytest.mark.slow
def test_published_weights_are_downloaded_into_the_cache(published: Path) -> None:
    net = load_meta("vgg-conv")
    assert isinstance(net, DarknetNet)
    count = sum(math.prod(shape) for layer in net.darknet_layers for _, shape in layer.stored())
    (published / "vgg-conv.weights").write_bytes(HEADER + bytes(4 * count))
    assert download("vgg-conv", progress=False) == cache_folder() / "vgg-conv.weights"
    assert len(load("vgg-conv").layers) == 18


def test_a_wrong_download_is_refused_and_deleted(published: Path) -> None:
    (published / "vgg-conv.weights").write_text("<html>gone</html>")
    with pytest.raises(LucidError, match=r"/vgg-conv\.weights: truncated, .* 17 found"):
        download("vgg-conv", progress=False)
    with pytest.raises(LucidError, match=r"jnet-conv\.weights: .*the server says 404"):
        download("jnet-conv", progress=False)
    assert list(cache_folder().iterdir()) == []


def test_a_file_of_names_may_have_a_byte_order_mark_and_blank_lines_at_its_end(
    tmp_path: Path,
) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    names = path.with_suffix(".names")
    names.write_text("\ufeff" + "\n".join(CLASS_NAMES) + "\n\n")
    assert load(str(path)).classes == CLASS_NAMES
    names.write_text("\n")
    with pytest.raises(LucidError, match=r"tiny\.names: holds no class names"):
        load(str(path))
