from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lucid.errors import LucidError, UsageError
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import download, load, load_meta, local_weights, random_init
from lucid.nets.torchvision import model_names


@pytest.fixture(scope="module")
def squeezenet11() -> Net:
    return random_init("squeezenet1_1")


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "convnext_tiny",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "inception_v3",
        "mnasnet0_5",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "shufflenet_v2_x0_5",
        "squeezenet1_0",
        "swin_t",
        "vgg11_bn",
        "vit_b_32",
    ],
)
def test_every_family_shows_its_layers_and_scores(name: str) -> None:
    net = load_meta(name)
    images = torch.zeros(1, 3, *net.input_size, device="meta")
    pictures = [layer for layer, _, shape in net.describe() if shape]
    middle = pictures[len(pictures) // 2]
    seen = net.activations(images, [middle, LOGITS])
    assert seen[LOGITS].shape == (1, 1000)
    assert len(net.classes) == 1000
    assert middle in seen
    assert net.describe()[-1][2] == (1000,)


def test_a_pass_stops_at_the_deepest_layer(squeezenet11: Net) -> None:
    ran = []
    for name, module in squeezenet11.model.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    squeezenet11.activations(torch.rand(1, 3, 64, 64), [squeezenet11.resolve_layer("features.4")])
    assert "features.3.squeeze" in ran
    assert "features.5" not in ran
    assert "features.6.squeeze" not in ran


def test_scores_come_before_the_last_relu(squeezenet11: Net) -> None:
    images = torch.rand(2, 3, 64, 64)
    seen = squeezenet11.activations(images, [LOGITS, "classifier.1", squeezenet11.layers[-1]])
    assert (seen[LOGITS] < 0).any()
    # Asked for beside what comes later, they are not what a ReLU in place made of them.
    assert (seen["classifier.1"] < 0).any()
    torch.testing.assert_close(seen[LOGITS], seen["classifier.1"].mean((2, 3)))
    assert torch.equal(seen[LOGITS], squeezenet11.logits(images))
    answer = squeezenet11.model(images)
    assert (answer >= 0).all()
    torch.testing.assert_close(
        squeezenet11.probabilities(images / 1), _answer(squeezenet11, images)
    )


def _answer(net: Net, images: torch.Tensor) -> torch.Tensor:
    return net.model((images - net.mean) / net.std).softmax(1)


def test_both_forms_of_the_real_net_answer_alike(assets: Path, squeezenet: Net) -> None:
    other = load("squeezenet1_1", assets / "models" / "squeezenet1_1.pth")
    # At 224 torchvision's ceil_mode pools, which Darknet's cfg lacks, round nothing.
    images = torch.rand(2, 3, 224, 224)
    torch.testing.assert_close(
        other.logits(images), squeezenet.logits(images), atol=1e-3, rtol=1e-3
    )
    assert other.class_index("goldfish") == squeezenet.class_index("goldfish") == 1


def test_a_module_stands_for_its_last_node() -> None:
    net = load_meta("googlenet")
    assert net.resolve_layer("inception4c") == "inception4c.cat"
    assert net.resolve_layer("conv1.conv") == "conv1.conv"
    with pytest.raises(UsageError, match=r"the nearest are .*inception4c"):
        net.resolve_layer("inception4cc")


@pytest.mark.parametrize(
    ("caffe", "ours", "channels"),
    [
        ("conv2/3x3_reduce", "conv2", 64),
        ("inception_3a/1x1", "inception3a.branch1", 64),
        ("inception_3b/5x5_reduce", "inception3b.branch3.0", 32),
        ("inception_4c/output", "inception4c", 512),
        ("inception_4e/pool_proj", "inception4e.branch4.1", 128),
        ("inception_5b/3x3", "inception5b.branch2.1", 384),
        ("loss3/classifier", "fc", 1000),
    ],
)
def test_caffes_names_for_googlenet(caffe: str, ours: str, channels: int) -> None:
    net = load_meta("googlenet")
    assert net.resolve_layer(caffe) == net.resolve_layer(ours)
    layer = net.resolve_layer(caffe)
    seen = net.activations(torch.zeros(1, 3, 224, 224, device="meta"), [layer])
    assert seen[layer].shape[1] == channels


def test_googlenet_sees_what_google_trained_it_on() -> None:
    # Its published weights expect images from -1 to 1: torchvision turns its
    # usual normalisation back into that, if it is told to.
    net = random_init("googlenet")
    assert net.model.transform_input
    assert not net.model.aux_logits


@pytest.mark.parametrize("kind", ["pth", "safetensors", "checkpoint"])
def test_state_dicts_are_read(tmp_path: Path, squeezenet11: Net, kind: str) -> None:
    state = {key: value.contiguous() for key, value in squeezenet11.model.state_dict().items()}
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if kind == "checkpoint" else state, path)
    images = torch.rand(1, 3, 64, 64)
    read = load("squeezenet1_1", path)
    torch.testing.assert_close(read.logits(images), squeezenet11.logits(images))
    assert not any(parameter.requires_grad for parameter in read.parameters())


@pytest.mark.parametrize("name", ["mnasnet0_5", "densenet121", "swin_t", "inception_v3"])
def test_families_with_their_own_ways_are_read(tmp_path: Path, name: str) -> None:
    """Versions in the file, names of old, buffers that no parameter follows, aux heads."""
    net = random_init(name)
    state = net.model.state_dict()
    for key in [key for key in state if "denselayer" in key]:
        state[re.sub(r"(norm|conv)(\d)", r"\1.\2", key)] = state.pop(key)
    if name == "inception_v3":
        state["AuxLogits.fc.bias"] = torch.zeros(1000)
    torch.save(state, tmp_path / "w.pth")
    images = torch.rand(1, 3, 224, 224)
    torch.testing.assert_close(load(name, tmp_path / "w.pth").logits(images), net.logits(images))


def test_names_say_how_many_classes(tmp_path: Path) -> None:
    names = tmp_path / "mine.names"
    names.write_text("cat\ndog\n")
    net = load_meta("resnet18", names=names)
    assert net.classes == ["cat", "dog"]
    assert net.logits(torch.zeros(1, 3, 64, 64, device="meta")).shape == (1, 2)


def test_weights_of_another_net_say_which_part(tmp_path: Path, squeezenet11: Net) -> None:
    path = tmp_path / "w.pth"
    torch.save(squeezenet11.model.state_dict(), path)
    with pytest.raises(LucidError, match=r"another net: conv1\.weight is missing"):
        load("resnet18", path)
    with pytest.raises(
        LucidError, match=r"another net: features.0.weight should be \(96, 3, 7, 7\)"
    ):
        load("squeezenet1_0", path)
    torch.save({**squeezenet11.model.state_dict(), "more": torch.zeros(1)}, path)
    with pytest.raises(LucidError, match="it has no more"):
        load("squeezenet1_1", path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_broken_files_say_so(tmp_path: Path, squeezenet11: Net, suffix: str) -> None:
    path = tmp_path / f"w.{suffix}"
    torch.save(squeezenet11.model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LucidError, match=rf"w\.{suffix}"):
        load("squeezenet1_1", path)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "w.pth"
    torch.save({"features.0.weight": Trap()}, path)
    with pytest.raises(LucidError, match="cannot be read as a state dict"):
        load("squeezenet1_1", path)
    assert not (tmp_path / "sprung").exists()


def test_without_a_network_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens on the discard port: the real download fails at once.
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LucidError, match=r"resnet18-\w+\.pth: cannot be fetched .*--weights FILE"):
        load("resnet18", progress=False)
    with pytest.raises(LucidError, match=r"vgg-conv\.weights: cannot be fetched .*put it at"):
        download("vgg-conv", progress=False)
    assert not list((tmp_path / "cache").iterdir())


def test_fixed_nets_refuse_other_sizes() -> None:
    net = load_meta("vit_b_32")
    with pytest.raises(LucidError, match="vit_b_32 accepts only 224x224 images, not 100x90"):
        net.logits(torch.zeros(1, 3, 90, 100, device="meta"))


def test_too_small_an_image_is_refused(squeezenet11: Net) -> None:
    with pytest.raises(
        LucidError, match="squeezenet1_1 cannot process an image of 9x8: it is too small"
    ):
        squeezenet11.logits(torch.rand(1, 3, 8, 9))


def test_all_of_torchvisions_classifiers_are_known() -> None:
    assert {"googlenet", "vgg16", "vit_b_16"} <= set(model_names())
    assert not any(name.startswith(("fcn", "raft", "quantized")) for name in model_names())


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("shufflenet_v2_x0_5", "stage2.1.chunk"),
        ("vit_b_32", "class_token"),
        ("swin_t", "features.1.0.attn.features_1_0_attn_relative_position_bias_table"),
    ],
)
def test_what_shows_nothing_of_an_image_is_no_layer(name: str, node: str) -> None:
    with pytest.raises(UsageError, match="has no layer"):
        load_meta(name).resolve_layer(node)


def test_a_residual_sum_leaves_what_it_sums_alone() -> None:
    net = random_init("resnet18")
    images = torch.rand(1, 3, 64, 64)
    alone = net.activations(images, ["layer1.0.bn2"])["layer1.0.bn2"]
    beside = net.activations(images, ["layer1.0.bn2", "layer2.0.add"])["layer1.0.bn2"]
    assert torch.equal(alone, beside)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v3_small", "densenet121"])
def test_folding_changes_no_layer(name: str) -> None:
    """Each layer asked for alone, with all before it folded and overwritten, shows what it
    shows when none may be, because every one is asked for; and its slope is the same."""
    # In double precision: in single, a ReLU or a maximum may fall on the other side.
    net = random_init(name).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    images = torch.rand(1, 3, 64, 64, dtype=torch.double, requires_grad=True)
    beside = net.activations(images, net.layers)
    for layer in [*net.layers[3:60:11], net.layers[-1]]:
        alone = net.activations(images, [layer])[layer]
        scale = beside[layer].std()
        torch.testing.assert_close(alone / scale, beside[layer] / scale, atol=1e-6, rtol=1e-6)
        slopes = [
            torch.autograd.grad(seen.square().sum(), images, retain_graph=True)[0]
            for seen in (alone, beside[layer])
        ]
        scale = slopes[0].std()
        torch.testing.assert_close(*(slope / scale for slope in slopes), atol=1e-6, rtol=1e-6)


def test_a_damaged_file_in_the_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    cached.parent.mkdir(parents=True)
    for content in (b"", b"<html>", b"PK\x03\x04 half a zip"):
        cached.write_bytes(content)
        with pytest.raises(LucidError, match=r"squeezenet1_1-b8a52dc0\.pth: is damaged .*delete"):
            load("squeezenet1_1")
    assert local_weights("squeezenet1_1") == cached
