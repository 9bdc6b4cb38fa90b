"""Darknet's layers, against its C code written again in Python, and against its own output."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSIFIER, HEADER, RECORDED, random_weights, write_net
from hypothesis import given
from hypothesis import strategies as st

from lucid.errors import LucidError
from lucid.nets.darknet import cfg
from lucid.nets.darknet.layers import ACTIVATIONS, build
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import load, load_meta
from lucid.resources import bundled

MakeNet = Callable[..., Net]
NET = "[net]\nwidth=12\nheight=8\nchannels=3\n"


@pytest.mark.parametrize("name", ["sequential", "graph", "classifier", "acts"])
def test_every_layer_has_the_output_recorded_from_darknet(name: str) -> None:
    net = load(str(RECORDED / f"{name}.cfg"))
    recorded = np.load(RECORDED / f"{name}.npz")
    images = torch.from_numpy(recorded["input"])[None]
    seen = net.activations(images, net.layers)
    compared = 0
    for layer in net.layers:
        if f"layer{int(layer):02d}" in recorded:
            expected = recorded[f"layer{int(layer):02d}"]
            np.testing.assert_allclose(seen[layer][0].numpy().ravel(), expected.ravel(), atol=1e-4)
            compared += 1
    assert compared >= len(net.layers) - 1  # a softmax at the end is not recorded


def layer(text: str, shape: tuple[int, int, int] = (3, 8, 12), before: int = 1) -> torch.nn.Module:
    return build(cfg.parse(NET + text)[1], shape, [shape] * before)


@pytest.mark.slow
@given(
    length=st.integers(1, 20),
    size=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
)
def test_maxpool_pads_as_darknet_does(length: int, size: int, stride: int, padding: int) -> None:
    if length + padding < size or padding >= 2 * size:
        return
    pool = layer(
        f"[maxpool]\nsize={size}\nstride={stride}\npadding={padding}\n", (1, length, length)
    )
    x = torch.rand(1, 1, length, length)
    out = (length + padding - size) // stride + 1
    starts = [i * stride - padding // 2 for i in range(out)]
    seen = [[p for p in range(first, first + size) if 0 <= p < length] for first in starts]
    assert pool(x).shape[2:] == (out, out)
    for i, rows in enumerate(seen):
        for j, columns in enumerate(seen):
            if rows and columns:
                assert pool(x)[0, 0, i, j] == x[0, 0][rows][:, columns].max()


def test_every_activation_function_is_darknets() -> None:
    def stair(x: float) -> float:
        n = math.floor(x)
        return math.floor(x / 2) if n % 2 == 0 else (x - n) + math.floor(x / 2)

    def plse(x: float) -> float:
        if x < -4:
            return 0.01 * (x + 4)
        return 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5

    restated: dict[str, Callable[[float], float]] = {
        "linear": lambda x: x,
        "logistic": lambda x: 1 / (1 + math.exp(-x)),
        "loggy": lambda x: 2 / (1 + math.exp(-x)) - 1,
        "relu": lambda x: x * (x > 0),
        "elu": lambda x: (x >= 0) * x + (x < 0) * (math.exp(x) - 1),
        "selu": lambda x: (x >= 0) * 1.0507 * x + (x < 0) * 1.0507 * 1.6732 * (math.exp(x) - 1),
        "relie": lambda x: x if x > 0 else 0.01 * x,
        "ramp": lambda x: x * (x > 0) + 0.1 * x,
        "leaky": lambda x: x if x > 0 else 0.1 * x,
        "tanh": math.tanh,
        "plse": plse,
        "stair": stair,
        "hardtan": lambda x: min(max(x, -1), 1),
        "lhtan": lambda x: 0.001 * x if x < 0 else (0.001 * (x - 1) + 1 if x > 1 else x),
        "swish": lambda x: x / (1 + math.exp(-x)),
    }
    assert restated.keys() == ACTIVATIONS.keys()
    points = [-7.3, -4.0, -3.5, -2.0, -1.2, -0.3, 0.0, 0.4, 1.0, 1.7, 2.5, 3.0, 5.5]
    for name, plain in restated.items():
        found = ACTIVATIONS[name](torch.tensor(points))
        torch.testing.assert_close(found, torch.tensor([float(plain(x)) for x in points]))


def test_reorg_has_darknets_order_in_memory() -> None:
    channels, height, width, stride = 8, 4, 6, 2
    x = torch.rand(1, channels, height, width)
    flat, out = x.flatten().tolist(), [0.0] * x.numel()
    out_channels = channels // stride**2
    for k in range(channels):  # Darknet's reorg_cpu, line by line
        for j in range(height):
            for i in range(width):
                c2, offset = k % out_channels, k // out_channels
                w2, h2 = i * stride + offset % stride, j * stride + offset // stride
                out[i + width * (j + height * k)] = flat[
                    w2 + width * stride * (h2 + height * stride * c2)
                ]
    reorg = layer("[reorg]\nstride=2\n", (channels, height, width))
    assert reorg.out == (32, 2, 3)
    assert reorg(x).flatten().tolist() == out


@pytest.mark.slow
@given(
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    small=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    times=st.integers(1, 3),
    from_larger=st.booleans(),
)
def test_shortcut_adds_layers_of_different_sizes_as_darknet_does(
    channels: tuple[int, int], small: tuple[int, int], times: int, from_larger: bool
) -> None:
    large = (small[0] * times, small[1] * times)
    sizes = (large, small) if from_larger else (small, large)
    added, x = (torch.rand(1, c, *size) for c, size in zip(channels, sizes, strict=True))
    expected = x.clone()
    skip, spread = (times, 1) if from_larger else (1, times)
    for k in range(min(channels)):  # Darknet's shortcut_cpu
        for j in range(min(small[0], large[0])):
            for i in range(min(small[1], large[1])):
                expected[0, k, j * spread, i * spread] = (
                    0.5 * x[0, k, j * spread, i * spread] + 2 * added[0, k, j * skip, i * skip]
                )
    shape = (channels[1], *sizes[1])
    shortcut = layer("[shortcut]\nfrom=-1\nalpha=.5\nbeta=2\n", shape)
    torch.testing.assert_close(shortcut(x, [added]), expected)


def test_crop_takes_the_centre_and_maps_it_to_plus_minus_1() -> None:
    images = torch.rand(1, 3, 8, 12)
    crop = layer("[crop]\ncrop_height=4\ncrop_width=6\n")
    torch.testing.assert_close(crop(images), 2 * images[:, :, 2:6, 3:9] - 1)
    plain = layer("[crop]\ncrop_height=4\ncrop_width=6\nnoadjust=1\n")
    assert torch.equal(plain(images), images[:, :, 2:6, 3:9])


def test_upsample_repeats_pixels_or_sums_them() -> None:
    x = torch.rand(1, 3, 8, 12)
    up = layer("[upsample]\nstride=2\nscale=3\n")(x)
    torch.testing.assert_close(up, 3 * x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    down = layer("[upsample]\nstride=-2\n")(up)
    torch.testing.assert_close(down, 12 * x)


def test_softmax_sums_to_1_in_each_group() -> None:
    answer = layer("[softmax]\ngroups=2\n", (6, 1, 1))(torch.rand(1, 6, 1, 1))
    torch.testing.assert_close(answer.view(2, 3).sum(1), torch.ones(2))


@pytest.mark.parametrize("kind", ["convolutional", "connected"])
def test_batch_normalisation_is_fused(tmp_path: Path, kind: str) -> None:
    text = f"{NET}[{kind}]\nbatch_normalize=1\nfilters=4\noutput=4\nsize=3\nactivation=linear\n"
    path = write_net(tmp_path, text)
    floats = np.frombuffer(random_weights(path), "<f4")
    if kind == "convolutional":
        bias, scale, mean, variance = floats[:16].reshape(4, 4)
        weight = floats[16:].reshape(4, 3, 3, 3)
    else:
        bias, weight = floats[:4], floats[4 : 4 + 4 * 288].reshape(4, 3, 8, 12)
        scale, mean, variance = floats[-12:].reshape(3, 4)
    x = torch.rand(1, 3, 8, 12)
    raw = torch.nn.functional.conv2d(x, torch.tensor(weight))
    normal = (raw - torch.tensor(mean)[:, None, None]) / (
        torch.tensor(variance).sqrt()[:, None, None] + 1e-6
    )
    expected = normal * torch.tensor(scale)[:, None, None] + torch.tensor(bias)[:, None, None]
    found = load(str(path)).activations(x, ["0"])["0"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_route_joins_the_common_part_of_branches_that_differ_by_a_row(make_net: MakeNet) -> None:
    net = make_net(
        NET + "[convolutional]\nfilters=4\n[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n"
        "[route]\nlayers=-1,0\n[reorg]\nstride=2\n"
    )
    assert net.activations(torch.rand(1, 3, 8, 12), ["4"])["4"].shape == (1, 32, 4, 6)
    odd = net.activations(torch.rand(1, 3, 9, 13), ["3", "4"])
    assert odd["3"].shape == (1, 8, 9, 13)
    assert odd["4"].shape == (1, 32, 4, 6)


def test_normalization_runs_in_fp32_under_autocast() -> None:
    net = load(str(RECORDED / "classifier.cfg"))
    images = torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net.logits(images)
    torch.testing.assert_close(net.logits(images), rough.float(), atol=0.1, rtol=0.1)


def test_of_two_options_of_a_name_the_first_counts_as_in_darknet(tmp_path: Path) -> None:
    path = tmp_path / "twice.cfg"
    path.write_text(NET + "[convolutional]\nfilters=4\nfilters=9\n")
    assert load_meta(str(path)).describe()[0][2] == (4, 8, 12)


@pytest.mark.parametrize(
    "text",
    [
        "[convolutional]\nfilters=1000000\nsize=1000000\npad=1\n",
        "[upsample]\nstride=64\n" * 9 + "[connected]\noutput=9\n",
        "[connected]\noutput=1000000\n" * 2,
        "[convolutional]\nfilters=5000\n[normalization]\n",
    ],
)
def test_too_large_layers_are_refused_by_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "absurd.cfg"
    path.write_text(NET + text)
    with pytest.raises(LucidError, match=r"absurd\.cfg, line"):
        load_meta(str(path))


def test_logits_are_taken_before_the_last_relu(classifier: Net) -> None:
    images = torch.rand(3, 3, 32, 32)
    before = classifier.activations(images, ["2"])["2"]
    convolution = classifier.get_submodule("stack.3.module")
    linear = convolution(before).mean((2, 3))
    torch.testing.assert_close(classifier.logits(images), linear)
    assert (linear < 0).any(), "the ReLU would change nothing"
    rectified = convolution(before).relu().mean((2, 3)).softmax(1)
    torch.testing.assert_close(classifier.probabilities(images), rectified)
    both = classifier.activations(images, [LOGITS, "4"])
    assert both.keys() == {LOGITS, "4"}


def test_a_net_that_ends_in_a_detection_head_has_layers_but_no_classes(make_net: MakeNet) -> None:
    net = make_net(NET + "[convolutional]\nfilters=4\nactivation=linear\n[yolo]\nclasses=2\n")
    seen = net.activations(torch.rand(1, 3, 8, 12), ["0", "1"])
    assert torch.equal(seen["0"], seen["1"])
    assert net.classes == []
    with pytest.raises(LucidError, match="has no classes"):
        net.logits(torch.rand(1, 3, 8, 12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lstm]\noutput=4\n", "line 5: [lstm] is recurrent"),
        ("[wizardry]\n", "line 5: [wizardry] is not a kind of layer"),
        ("[convolutional]\nactivation=magic\n", "activation=magic is not one of"),
        ("[convolutional]\nsize=30\n", "a window of 30 does not fit"),
        ("[convolutional]\ngroups=2\nfilters=4\n", "groups=2 does not divide 3 channels"),
        ("[route]\nlayers=-1\n", "reads layer -1: there are 0 layers before it"),
        ("[route]\n", "needs layers="),
        ("[reorg]\nstride=2\n", "stride=2 does not divide 3 channels"),
        ("[crop]\ncrop_height=9\ncrop_width=4\n", "4x9 is more than its 12x8"),
        ("[upsample]\nstride=0\n", "stride=0 cannot work"),
        ("[softmax]\ntree=a.tree\n", "tree of classes is not supported"),
    ],
)
def test_invalid_sections_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.cfg"
    path.write_text(NET + text)
    with pytest.raises(LucidError) as error:
        load_meta(str(path))
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_layer_of_too_many_weights_is_refused(tmp_path: Path) -> None:
    path = write_net(tmp_path, NET + "[convolutional]\nfilters=1\n")
    path.write_text(NET + "[convolutional]\nfilters=900000\nsize=999\npadding=999\n" * 2)
    with pytest.raises(LucidError, match=r"asks for [\d,]+ weights"):
        load(str(path))


@pytest.mark.parametrize(("version", "seen"), [((0, 1), 4), ((0, 2), 8), ((1, 0), 8), ((0, 0), 4)])
def test_both_headers_are_read(tmp_path: Path, version: tuple[int, int], seen: int) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    expected = load(str(path)).logits(torch.ones(1, 3, 32, 32))
    header = np.array([*version, 0], "<i4").tobytes() + bytes(seen)
    path.with_suffix(".weights").write_bytes(header + random_weights(path))
    assert torch.equal(load(str(path)).logits(torch.ones(1, 3, 32, 32)), expected)


def test_old_files_with_transposed_connected_layers_are_read(tmp_path: Path) -> None:
    path = write_net(tmp_path, NET + "[connected]\noutput=4\nactivation=linear\n")
    floats = np.frombuffer(random_weights(path), "<f4")
    turned = np.concatenate([floats[:4], floats[4:].reshape(4, 288).T.ravel()])
    old = tmp_path / "old.weights"
    old.write_bytes(np.array([1001, 0, 0, 0], "<i4").tobytes() + turned.tobytes())
    images = torch.rand(1, 3, 8, 12)
    expected = load(str(path)).activations(images, ["0"])["0"]
    assert torch.equal(load(str(path), old).activations(images, ["0"])["0"], expected)


@pytest.mark.parametrize(
    ("change", "word"), [(-1, "truncated"), (-4, "truncated"), (4, "too long")]
)
def test_weights_of_a_wrong_length_are_refused_with_both_lengths(
    tmp_path: Path, change: int, word: str
) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    whole = HEADER + random_weights(path)
    path.with_suffix(".weights").write_bytes((whole + bytes(4))[: len(whole) + change])
    with pytest.raises(LucidError) as error:
        load(str(path))
    message = str(error.value)
    assert word in message
    assert f"{len(whole):,} bytes expected, {len(whole) + change:,} found" in message


@pytest.mark.parametrize("content", [b"", b"short"])
def test_an_empty_or_short_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write_net(tmp_path, CLASSIFIER)
    path.with_suffix(".weights").write_bytes(content)
    with pytest.raises(LucidError, match=r"tiny\.weights"):
        load(str(path))


def test_the_bundled_cfgs_have_the_layers_of_darknets() -> None:
    shapes = {name: load_meta(f"{name}.cfg").describe() for name in bundled()}
    assert set(shapes) >= {
        "vgg-conv",
        "jnet-conv",
        "vgg-16",
        "darknet19",
        "extraction",
        "squeezenet1_1",
    }
    assert shapes["vgg-conv"][10] == ("10", "convolutional", (512, 28, 28))  # conv4_1
    assert [s[2] for s in shapes["vgg-conv"] if s[1] == "maxpool"][-1] == (512, 7, 7)
    assert shapes["jnet-conv"][-1] == ("17", "maxpool", (1024, 4, 4))
    assert shapes["vgg-16"][-2][2] == (1000, 1, 1)
    assert shapes["darknet19"][-3][2] == (1000, 8, 8)
    assert shapes["extraction"][-3][2] == (1000, 7, 7)
    assert shapes["squeezenet1_1"][-2][2] == (1000, 1, 1)
    for name in ("vgg-16", "darknet19", "extraction", "squeezenet1_1"):
        assert len(load_meta(f"{name}.cfg").classes) == 1000
    assert load_meta("vgg-conv").classes == []
    assert load_meta("jnet-conv").classes == []
