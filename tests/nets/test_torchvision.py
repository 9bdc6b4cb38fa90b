"""torchvision's classifiers: layers, logits, fused graphs, and state dicts."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import DenseNet, GoogLeNet

from lucid.errors import LucidError, UsageError
from lucid.nets.googlenet import CAFFE_NAMES, LUCID_NAMES, NEURAL_DREAM_NAMES
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import download, load, load_meta, local_weights, random_init
from lucid.nets.state_dicts import fill_model, read_state_dict
from lucid.nets.torchvision import TorchvisionNet, build_model, model_names

meta_net = functools.cache(load_meta)
"""Building a net traces its graph twice, which takes seconds: the tests here share them."""


def small_densenet() -> nn.Module:
    """The blocks of densenet121, but fewer and narrower."""
    return DenseNet(8, (2, 2), 16)


def torch_module(net: Net) -> nn.Module:
    """torchvision's own model."""
    return net.get_submodule("model")


@pytest.fixture(scope="module")
def squeezenet11() -> Net:
    return random_init("squeezenet1_1")


@pytest.mark.slow
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
def test_every_family_has_activations_and_logits(name: str) -> None:
    net = TorchvisionNet(name, small_densenet()) if name == "densenet121" else meta_net(name)
    net = net.to("meta")
    images = torch.zeros(1, 3, *net.input_size, device="meta")
    middle = net.layers[len(net.layers) // 2]
    activations = net.activations(images, [middle, LOGITS])
    assert activations.keys() == {middle, LOGITS}
    assert activations[LOGITS].shape == (1, 1000)
    assert len(net.classes) == 1000
    assert net.describe()[-1].shape == (1000,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("shufflenet_v2_x0_5", "stage2.1.chunk"),
        ("vit_b_32", "class_token"),
        ("swin_t", "features.1.0.attn.features_1_0_attn_relative_position_bias_table"),
    ],
)
def test_nodes_that_are_no_function_of_an_image_are_no_layers(name: str, node: str) -> None:
    with pytest.raises(UsageError, match="has no layer"):
        meta_net(name).resolve_layer(node)


@pytest.mark.slow
def test_squeezenets_logits_are_taken_before_its_last_relu(squeezenet11: Net) -> None:
    images = torch.rand(2, 3, 64, 64)
    output = squeezenet11.layers[-1]
    activations = squeezenet11.activations(images, [LOGITS, "classifier.1", output])
    logits = activations[LOGITS]
    assert (logits < 0).any()
    torch.testing.assert_close(logits, activations["classifier.1"].mean((2, 3)))
    assert torch.equal(logits, squeezenet11.logits(images))
    mean, std = squeezenet11.get_buffer("mean"), squeezenet11.get_buffer("std")
    expected = torch_module(squeezenet11)((images - mean) / std)
    assert (expected >= 0).all()
    torch.testing.assert_close(squeezenet11.probabilities(images), expected.softmax(1))


@pytest.mark.slow
def test_both_forms_of_the_real_squeezenet_have_the_same_logits(
    assets: Path, squeezenet: Net
) -> None:
    other = load("squeezenet1_1", assets / "models" / "squeezenet1_1.pth")
    # At 224 pixels torchvision's ceil_mode, which Darknet's pools lack, makes no difference.
    images = torch.rand(2, 3, 224, 224)
    torch.testing.assert_close(
        other.logits(images), squeezenet.logits(images), atol=1e-3, rtol=1e-3
    )
    assert other.classes == squeezenet.classes


@pytest.mark.slow
def test_the_name_of_a_module_resolves_to_its_last_node() -> None:
    net = meta_net("googlenet")
    assert net.resolve_layer("inception4c") == "inception4c.cat"
    assert net.resolve_layer("conv1") == "conv1.relu"
    assert net.resolve_layer("conv1.conv") == "conv1.conv"
    with pytest.raises(UsageError, match=r"the nearest are .*inception4c"):
        net.resolve_layer("inception4cc")


@pytest.mark.slow
def test_every_caffe_name_of_googlenet_resolves_to_a_layer_with_activations() -> None:
    net = meta_net("googlenet")
    known = [name for name in CAFFE_NAMES if not name.startswith(("loss1", "loss2"))]
    resolved = {caffe: net.resolve_layer(caffe) for caffe in known}
    assert len(set(resolved.values())) == 9 + 9 * 8
    images = torch.zeros(1, 3, *net.input_size, device="meta")
    activations = net.activations(images, list(resolved.values()))
    # The numbers of channels are those of Szegedy et al. (2014), table 1.
    for caffe, channels in {
        "conv2/3x3_reduce": 64,
        "inception_3a/1x1": 64,
        "inception_3b/5x5_reduce": 32,
        "inception_4c/output": 512,
        "inception_4e/pool_proj": 128,
        "inception_5b/3x3": 384,
        "loss3/classifier": 1000,
    }.items():
        assert activations[resolved[caffe]].shape[1] == channels
    with pytest.raises(UsageError, match=r"the nearest are .*inception_4c/output"):
        net.resolve_layer("inception_4c/outptu")
    for typed, layer in {
        "inception_4c/relu_5x5": "inception4c.branch3.1.relu",
        "pool1/norm1": "maxpool1",
        "conv2/relu_3x3_reduce": "conv2.relu",
        "inception_4d_3x3_reduce": "inception4d.branch2.0.relu",
        "mixed4c": "inception4c.cat",
        "mixed4d_3x3_bottleneck_pre_relu": "inception4d.branch2.0.bn",
        "conv2d0_pre_relu": "conv1.bn",
    }.items():
        assert net.resolve_layer(typed) == layer
    for name in [*NEURAL_DREAM_NAMES, *LUCID_NAMES]:
        assert name.startswith(("loss1", "loss2")) or net.resolve_layer(name) in net.layers


def test_googlenet_is_built_for_googles_weights() -> None:
    """They expect images of -1..1: transform_input makes these of torchvision's own."""
    model = build_model("googlenet")
    assert model.transform_input
    assert not model.aux_logits


@pytest.fixture(scope="module")
def googlenet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict with trained auxiliary classifiers, as far as a test can tell."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("googlenet") / "trained.pth"
    torch.save(build_model("googlenet", 9, heads=True).state_dict(), path)
    return path


@pytest.mark.slow
def test_auxiliary_classifiers_of_googlenet(googlenet_weights: Path) -> None:
    net = load("googlenet", googlenet_weights)
    assert isinstance(net, TorchvisionNet)
    images = torch.rand(2, 3, 224, 224)
    layers = [net.resolve_layer(f"loss{number}/classifier") for number in (1, 2, 3)]
    found = net.activations(images, layers)
    reference = build_model("googlenet", 9, heads=True).train()
    reference.load_state_dict(net.model.state_dict())
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.Dropout):
            module.eval()
    # torchvision's own forward pass computes them in training only.
    transformed: torch.Tensor = reference._transform_input(  # type: ignore[operator]
        (images - net.mean) / net.std
    )
    x, aux2, aux1 = GoogLeNet._forward(reference, transformed)
    for layer, expected in zip(layers, (aux1, aux2, x), strict=True):
        torch.testing.assert_close(found[layer], expected, atol=1e-4, rtol=1e-3)


def test_a_file_of_names_sets_the_number_of_classes(tmp_path: Path) -> None:
    names = tmp_path / "mine.names"
    names.write_text("cat\ndog\n")
    net = load_meta("alexnet", names=names)
    assert net.classes == ["cat", "dog"]
    assert net.logits(torch.zeros(1, 3, 64, 64, device="meta")).shape == (1, 2)


def test_nets_of_a_fixed_size_refuse_other_sizes() -> None:
    with pytest.raises(LucidError, match="vit_b_32 accepts only 224x224 images, not 100x90"):
        meta_net("vit_b_32").logits(torch.zeros(1, 3, 90, 100, device="meta"))


def test_too_small_an_image_is_refused(squeezenet11: Net) -> None:
    with pytest.raises(
        LucidError, match="squeezenet1_1 cannot process an image of 9x8: it is too small"
    ):
        squeezenet11.logits(torch.rand(1, 3, 8, 9))


def test_model_names_are_those_of_classifiers() -> None:
    assert {"googlenet", "vgg16", "vit_b_16"} <= set(model_names())
    assert not any(name.startswith(("fcn", "raft", "quantized")) for name in model_names())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v3_small", "densenet121"])
def test_fusing_and_working_in_place_change_no_activation(name: str) -> None:
    """Each layer requested alone, with all before it fused and overwritten, has the activations
    and the gradient that it has beside all others, when nothing may be fused or overwritten."""
    model = small_densenet() if name == "densenet121" else build_model(name)
    # In double precision: in single, a ReLU or a maximum may fall on the other side.
    net = TorchvisionNet(name, model).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.get_buffer("running_mean"), -0.5, 0.5)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    images = torch.rand(1, 3, 64, 64, dtype=torch.double, requires_grad=True)
    together = net.activations(images, net.layers)
    for layer in [*net.layers[5:60:25], net.layers[-1]]:
        both = (net.activations(images, [layer])[layer], together[layer])
        grads = [
            torch.autograd.grad(activations.square().sum(), images, retain_graph=True)[0]
            for activations in both
        ]
        for alone, beside in (both, grads):
            scale = alone.std()
            torch.testing.assert_close(alone / scale, beside / scale, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pth", "safetensors", "checkpoint"])
def test_state_dicts_are_read(tmp_path: Path, squeezenet11: Net, kind: str) -> None:
    state = {
        key: value.contiguous() for key, value in torch_module(squeezenet11).state_dict().items()
    }
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if kind == "checkpoint" else state, path)
    images = torch.rand(1, 3, 64, 64)
    read = load("squeezenet1_1", path)
    torch.testing.assert_close(read.logits(images), squeezenet11.logits(images))
    assert not any(parameter.requires_grad for parameter in read.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnasnet0_5", "densenet121", "swin_t", "googlenet"])
def test_published_state_dicts_may_differ_from_the_models(tmp_path: Path, name: str) -> None:
    """In versions of modules, names of old, buffers beside parameters, auxiliary classifiers."""
    with torch.device("meta"):
        model = small_densenet() if name == "densenet121" else build_model(name)
    own = model.state_dict()
    values = {
        key: torch.full(value.shape, number, dtype=value.dtype)
        for number, (key, value) in enumerate(own.items())
    }
    published = type(own)(
        (re.sub(r"(norm|conv)(\d)", r"\1.\2", key) if "denselayer" in key else key, value)
        for key, value in values.items()
    )
    setattr(published, "_metadata", getattr(own, "_metadata"))  # noqa: B009, B010
    if name == "googlenet":
        published["aux1.fc2.bias"] = torch.zeros(1000)
    torch.save(published, tmp_path / "w.pth")
    fill_model(model, read_state_dict(tmp_path / "w.pth"), "w.pth")
    filled = model.state_dict()
    assert filled.keys() == values.keys()
    assert all(torch.equal(filled[key], value) for key, value in values.items())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", r"conv1\.weight is missing"),
        ("squeezenet1_0", r"features.0.weight should be \(96, 3, 7, 7\) and is \(64, 3, 3, 3\)"),
        ("squeezenet1_1", "it has no more"),
    ],
)
def test_the_weights_of_another_net_are_refused(squeezenet11: Net, name: str, message: str) -> None:
    state = {**torch_module(squeezenet11).state_dict(), "more": torch.zeros(1)}
    with torch.device("meta"):
        model = build_model(name)
    with pytest.raises(LucidError, match=f"w.pth: the weights of another net: {message}"):
        fill_model(model, state, "w.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file_is_named(tmp_path: Path, squeezenet11: Net, suffix: str) -> None:
    path = tmp_path / f"w.{suffix}"
    torch.save(torch_module(squeezenet11).state_dict(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LucidError, match=rf"w\.{suffix}"):
        read_state_dict(path)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "w.pth"
    torch.save({"features.0.weight": Trap()}, path)
    with pytest.raises(LucidError, match="cannot be read as a state dict"):
        load("squeezenet1_1", path)
    assert not (tmp_path / "sprung").exists()


def test_without_a_network_the_message_tells_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens on the discard port: the real download fails at once.
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LucidError, match=r"resnet18-\w+\.pth: cannot be fetched .*--weights FILE"):
        load("resnet18", progress=False)
    with pytest.raises(LucidError, match=r"vgg-conv\.weights: cannot be fetched .*put it at"):
        download("vgg-conv", progress=False)
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_file_in_the_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    cached.parent.mkdir(parents=True)
    for content in (b"", b"<html>", b"PK\x03\x04 half a zip"):
        cached.write_bytes(content)
        with pytest.raises(LucidError, match=r"squeezenet1_1-b8a52dc0\.pth: is damaged .*delete"):
            download("squeezenet1_1")
    assert local_weights("squeezenet1_1") == cached
