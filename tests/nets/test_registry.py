"""One way to name a net, its weights and its classes."""

from __future__ import annotations

import functools
import math
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, CLASSIFIER, HEADER, write_net

from lucid.errors import LucidError, UsageError
from lucid.nets import registry
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.net import Net
from lucid.nets.registry import download, load, load_meta, local_weights
from lucid.nets.torchvision import TorchvisionNet
from lucid.resources import cache_folder


def test_weights_and_names_lie_beside_the_cfg(tmp_path: Path) -> None:
    net = load(str(write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)))
    assert net.classes == CLASS_NAMES
    assert net.name == "tiny"
    assert net.input_size == (32, 32)


def test_weights_come_from_the_cache_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("LUCID_CACHE", str(cache))
    path = write_net(tmp_path, CLASSIFIER)
    beside = path.with_suffix(".weights")
    shutil.copy(beside, cache / beside.name)
    assert local_weights(str(path)) == beside
    beside.unlink()
    assert local_weights(str(path)) == cache / beside.name
    assert load(str(path)).layers
    (cache / beside.name).unlink()
    with pytest.raises(LucidError, match=r"no weights for tiny\.cfg: --weights FILE"):
        load(str(path))


def test_a_given_file_is_used_or_refused(tmp_path: Path) -> None:
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


def test_a_bundled_cfg_is_found_by_name_and_as_darknet_users_type_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("vgg-conv", "vgg-conv.cfg", "cfg/vgg-conv.cfg"):
        assert isinstance(load_meta(name), DarknetNet)
    with pytest.raises(UsageError, match=r"cfg/vgg-comv\.cfg: there is no such cfg; .*vgg-conv"):
        load_meta("cfg/vgg-comv.cfg")


def test_the_weights_file_decides_between_two_nets_of_a_name() -> None:
    assert isinstance(load_meta("squeezenet1_1"), TorchvisionNet)
    assert isinstance(load_meta("squeezenet1_1", Path("a.pth")), TorchvisionNet)
    assert isinstance(load_meta("squeezenet1_1", Path("a.weights")), DarknetNet)
    assert isinstance(load_meta("squeezenet1_1.cfg"), DarknetNet)


def test_darknet_weights_are_no_torchvision_weights(tmp_path: Path) -> None:
    path = write_net(tmp_path, CLASSIFIER).with_suffix(".weights")
    with pytest.raises(LucidError, match="takes a state dict"):
        load("resnet18", path)


def test_an_unknown_net_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="no net 'gogglenet'; the nearest are googlenet"):
        load_meta("gogglenet")


def test_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    with pytest.raises(LucidError, match=r"tiny\.names: 2 names, but tiny has 5 classes"):
        load(str(write_net(tmp_path, CLASSIFIER, names=["cat", "dog"])))


def test_classes_are_numbers_where_nobody_names_them(tmp_path: Path) -> None:
    net = load(str(write_net(tmp_path, CLASSIFIER)))
    assert net.classes == ["0", "1", "2", "3", "4"]
    assert net.class_index("3") == 3
    with pytest.raises(UsageError, match="classes have only numbers here: give --names FILE"):
        net.class_index("goldfish")


@pytest.mark.parametrize(
    ("asked", "number"),
    [("goldfish", 0), ("GOLDFISH", 0), ("gold", 0), ("tiger-cat", 4), ("great", 2), ("4", 4)],
)
def test_classes_are_found(classifier: Net, asked: str, number: int) -> None:
    assert classifier.class_index(asked) == number


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("shark", "fits several of tiny: great white shark .2., tiger shark .3.$"),
        ("tiger", "fits several"),
        ("golfish", "no class 'golfish'; the nearest are goldfish"),
        ("5", "its classes are 0 to 4"),
        ("", "no class ''"),
    ],
)
def test_classes_that_are_not_found(classifier: Net, asked: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        classifier.class_index(asked)


def test_names_without_classes_to_name_are_left_alone(tmp_path: Path) -> None:
    text = CLASSIFIER[: CLASSIFIER.index("[avgpool]")]
    net = load(str(write_net(tmp_path, text, names=CLASS_NAMES)))
    assert net.classes == []


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served as if it were Darknet's, and a cache to fetch into."""
    folder = tmp_path / "published"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(registry, "PUBLISHED_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
        yield folder
        server.shutdown()


def test_published_weights_are_fetched_and_found(published: Path) -> None:
    outline = load_meta("vgg-conv")
    count = sum(math.prod(shape) for layer in outline.darknet_layers for _, shape in layer.stored())
    (published / "vgg-conv.weights").write_bytes(HEADER + bytes(4 * count))
    assert download("vgg-conv", progress=False) == cache_folder() / "vgg-conv.weights"
    assert len(load("vgg-conv").layers) == 18


def test_what_is_not_the_published_file_is_not_kept(published: Path) -> None:
    (published / "vgg-conv.weights").write_text("<html>gone</html>")
    with pytest.raises(LucidError, match=r"/vgg-conv\.weights: truncated, .* 17 found"):
        download("vgg-conv", progress=False)
    with pytest.raises(LucidError, match=r"jnet-conv\.weights: .*the server says 404"):
        download("jnet-conv", progress=False)
    assert list(cache_folder().iterdir()) == []


def test_names_files_may_end_in_blank_lines_and_begin_with_a_mark(tmp_path: Path) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    names = path.with_suffix(".names")
    names.write_text("\ufeff" + "\n".join(CLASS_NAMES) + "\n\n")
    assert load(str(path)).classes == CLASS_NAMES
    names.write_text("\n")
    with pytest.raises(LucidError, match=r"tiny\.names: holds no class names"):
        load(str(path))
