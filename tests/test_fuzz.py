"""Whatever a cfg or a weights file holds: a net or one clear error, soon, and in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSIFIER, RECORDED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lucid.errors import LucidError
from lucid.nets.darknet.layers import ACTIVATIONS
from lucid.nets.darknet.net import DarknetNet
from lucid.nets.registry import load, load_meta, random_init

KINDS = [
    "convolutional", "conv", "maxpool", "avgpool", "connected", "dropout", "softmax", "route",
    "shortcut", "reorg", "upsample", "normalization", "batchnorm", "activation", "crop", "cost",
    "yolo", "region", "detection", "local", "gru", "deconvolutional", "nonsense", "net",
]  # fmt: skip
KEYS = [
    "filters", "size", "stride", "pad", "padding", "groups", "activation", "batch_normalize",
    "output", "layers", "from", "reverse", "scale", "alpha", "beta", "kappa", "crop_height",
    "crop_width", "noadjust", "probability", "classes", "tree", "width", "height", "channels",
]  # fmt: skip
VALUES = st.one_of(
    st.integers(-2, 9).map(str),
    st.sampled_from(["1000000000", "1000000", "999", "-1,-2", "1,", "nan", "1e308", "", "half"]),
    st.sampled_from(sorted(ACTIVATIONS)),
)
SECTIONS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
    ),
    max_size=7,
)
anywhere = settings(
    max_examples=150,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check_message(message: str, path: Path) -> None:
    assert len(message.splitlines()) == 1
    assert path.name in message


def try_net(path: Path) -> None:
    """Build it, give it weights, show it a picture; or hear in one line why not."""
    try:
        meta = load_meta(str(path))
        assert isinstance(meta, DarknetNet)
        stored = 4 * sum(
            int(np.prod(shape)) for layer in meta.darknet_layers for _, shape in layer.stored()
        )
        shapes = [(3, *meta.input_size), *(layer.out for layer in meta.darknet_layers)]
        if stored < 2**20 and max(int(np.prod(shape)) for shape in shapes) < 2**20:
            net = random_init(str(path))
            seen = net.activations(torch.zeros(1, 3, *net.input_size), net.layers)
            assert {key: tuple(value.shape[1:]) for key, value in seen.items()} == {
                key: shape for key, _, shape in net.describe()
            }
    except LucidError as error:
        check_message(str(error), path)


@given(sections=SECTIONS, side=st.sampled_from(["0", "1", "8", "33", "1000000"]))
@anywhere
def test_any_layers_make_a_net_or_an_error(
    tmp_path: Path, sections: list[tuple[str, dict[str, str]]], side: str
) -> None:
    text = f"[net]\nwidth={side}\nheight={side}\nchannels=3\n" + "".join(
        f"[{kind}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())
        for kind, options in sections
    )
    path = tmp_path / "any.cfg"
    path.write_text(text)
    try_net(path)


@given(
    start=st.integers(0, len(CLASSIFIER)),
    length=st.integers(0, 40),
    noise=st.binary(max_size=30),
)
@anywhere
def test_a_damaged_cfg_makes_a_net_or_an_error(
    tmp_path: Path, start: int, length: int, noise: bytes
) -> None:
    text = CLASSIFIER.encode()
    path = tmp_path / "damaged.cfg"
    path.write_bytes(text[:start] + noise + text[start + length :])
    try_net(path)


@given(
    header=st.binary(min_size=0, max_size=24),
    cut=st.integers(-40, 40),
    noise=st.binary(max_size=30),
)
@anywhere
def test_damaged_weights_load_or_say_why(
    tmp_path: Path, header: bytes, cut: int, noise: bytes
) -> None:
    whole = (RECORDED / "acts.weights").read_bytes()
    body = whole[20:] if cut >= 0 else whole[20:cut]
    path = tmp_path / "damaged.weights"
    path.write_bytes(header + body + noise[: max(0, cut)])
    try:
        net = load(str(RECORDED / "acts.cfg"), path)
    except LucidError as error:
        check_message(str(error), path)
    else:
        assert net.activations(torch.zeros(1, 3, 24, 24), ["4"])["4"].shape == (1, 8, 24, 24)


IMPOSSIBLE = [
    "[convolutional]\nfilters=1000000000\n",
    "[convolutional]\nfilters=1000000\nsize=1000000\npadding=1000000\n",
    "[connected]\noutput=1000000\n[connected]\noutput=1000000\n",
    "[upsample]\nstride=1000000\n[upsample]\nstride=1000000\n",
]
LOAD_ALL = """
import resource, sys
from lucid.nets.registry import load, load_meta, random_init
from lucid.errors import LucidError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        load(path)
    except LucidError as error:
        print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_the_impossible_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    paths = []
    for number, layers in enumerate(IMPOSSIBLE):
        paths.append(tmp_path / f"impossible{number}.cfg")
        paths[-1].write_text(f"[net]\nwidth=64\nheight=64\nchannels=3\n{layers}")
        paths[-1].with_suffix(".weights").write_bytes(bytes(1000))
    command = [sys.executable, "-c", LOAD_ALL, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    *refusals, grown = ran.stdout.splitlines()
    assert len(refusals) == len(IMPOSSIBLE)
    for path, refusal in zip(paths, refusals, strict=True):
        assert refusal.startswith(f"{path}, line ")
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 64 * 2**20
