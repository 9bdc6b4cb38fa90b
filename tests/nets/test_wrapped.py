"""Nets of one's own by their names: other heads, timm's, saved programs, and Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torchvision.models import get_model

import lucid
from lucid.cli import main
from lucid.errors import LucidError, UsageError
from lucid.nets.registry import load, load_meta

pytestmark = pytest.mark.slow

FAST: dict[str, Any] = {"size": (64, 64), "iterations": 1, "octave_count": 1}


class Small(nn.Module):
    """Seven classes, of images of three channels or of one."""

    def __init__(self, channels: int = 3, wrap: Callable[[Tensor], object] = lambda x: x) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 5, stride=2)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, 7)
        self.wrap = wrap

    def forward(self, images: Tensor) -> Any:
        return self.wrap(self.head(self.pool(self.relu(self.conv(images))).flatten(1)))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict of SqueezeNet with seven classes, and a file of their names."""
    folder = tmp_path_factory.mktemp("places")
    torch.manual_seed(0)
    torch.save(get_model("squeezenet1_1", num_classes=7).state_dict(), folder / "places.pth")
    (folder / "names.txt").write_text("\n".join(f"place {number}" for number in range(7)))
    return folder


def test_a_state_dict_decides_how_many_classes_there_are(places: Path) -> None:
    for found in (load_meta, load):
        net = found("squeezenet1_1", places / "places.pth", places / "names.txt")
        assert net.classes == [f"place {number}" for number in range(7)]
        assert len(found("squeezenet1_1", places / "places.pth").classes) == 7
    assert lucid.draw(net, "place 3", **FAST).size == (64, 64)


def test_names_of_another_count_are_refused(places: Path, tmp_path: Path) -> None:
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    with pytest.raises(LucidError, match=r"three.txt: 3 names, but .*places.pth has 7 classes"):
        load_meta("squeezenet1_1", places / "places.pth", tmp_path / "three.txt")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_checkpoints_of_training_loops(
    places: Path, tmp_path: Path, prefix: str, key: str | None
) -> None:
    state = torch.load(places / "places.pth", weights_only=True)
    named: Any = {f"{prefix}{name}": value for name, value in state.items()}
    torch.save({"epoch": 7, key: named} if key else named, tmp_path / "checkpoint.pth")
    net = load("squeezenet1_1", tmp_path / "checkpoint.pth")
    image = torch.rand(1, 3, 64, 64)
    expected = load("squeezenet1_1", places / "places.pth").logits(image)
    torch.testing.assert_close(net.logits(image), expected)


def test_timm_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=5)
    torch.save(model.state_dict(), tmp_path / "cars.pth")
    (tmp_path / "cars.txt").write_text("coupé\nvan\ntruck\nbus\ntram\n")
    files = (tmp_path / "cars.pth", tmp_path / "cars.txt")
    assert load_meta("timm/test_resnet", *files).classes[2] == "truck"
    net = load("timm/test_resnet", *files)
    image = torch.rand(2, 3, 160, 160)
    expected = model.eval()((image - net.get_buffer("mean")) / net.get_buffer("std"))
    torch.testing.assert_close(net.logits(image), expected, atol=1e-5, rtol=1e-4)
    assert "goldfish" in load_meta("timm/test_resnet").classes
    with pytest.raises(UsageError, match="timm has no model 'test_resent'; the nearest"):
        load_meta("timm/test_resent")
    with pytest.raises(LucidError, match="the weights of another net"):
        load("timm/test_vit", tmp_path / "cars.pth")


@pytest.mark.parametrize("name", ["timm/test_resnet", "hf-hub:timm/test_resnet.r160_in1k"])
def test_downloads_without_a_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(LucidError, match=rf"{name}: cannot be fetched \(.+ --weights FILE"):
        load(name)


@pytest.fixture(params=["script.pt", "exported.pt2"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, nn.Module]:
    module, path = Small().eval(), tmp_path / request.param
    dynamic = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    if path.suffix == ".pt2":
        example = (torch.zeros(2, 3, 64, 64),)
        exported = torch.export.export(module, example, dynamic_shapes=(dynamic,))
        torch.export.save(exported, path)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(module, torch.zeros(1, 3, 64, 64)).save(path)
    return path, module


def test_saved_programs(program: tuple[Path, nn.Module]) -> None:
    path, module = program
    path.with_suffix(".names").write_text("a\nb\nc\nd\ne\nf\ng\n")
    net = load(str(path))
    assert net.classes == list("abcdefg")
    assert net.layers == (["conv", "relu", "pool", "head"] if path.suffix == ".pt2" else [])
    image = torch.rand(3, 3, 80, 96)
    expected = module(
        (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / net.get_buffer("std")
    )
    torch.testing.assert_close(net.logits(image), expected)
    assert lucid.draw(net, "c", **FAST).size == (64, 64)
    with pytest.raises(UsageError, match="is a whole program"):
        load(str(path), path)


def test_files_that_are_no_programs(places: Path, tmp_path: Path) -> None:
    with pytest.raises(LucidError, match=r"places.pth: is neither .* --net resnet18 --weights"):
        load(str(places / "places.pth"))
    (tmp_path / "text.pt").write_text("no program")
    with pytest.raises(LucidError, match=r"text.pt: is neither TorchScript .* or is damaged"):
        load(str(tmp_path / "text.pt"))
    with pytest.raises(LucidError, match=r"nosuch.pt2: cannot be read"):
        load(str(tmp_path / "nosuch.pt2"))
    exported = torch.export.export(Small().eval(), (torch.zeros(1, 3, 64, 64),))
    torch.export.save(exported, tmp_path / "one.pt2")
    with pytest.raises(
        UsageError, match=r"one.pt2: was exported for a batch of 1 .*dynamic_shapes"
    ):
        load(str(tmp_path / "one.pt2"))


def test_python_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ownnets"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "small.py").write_text(
        "import torch\n"
        "def make():\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5), torch.nn.AdaptiveAvgPool2d(1),\n"
        "                               torch.nn.Flatten())\n"
    )
    (package / "broken.py").write_text("import nosuchmodule")
    (tmp_path / "four.txt").write_text("a\nb\nc\nd\n")
    monkeypatch.chdir(tmp_path)
    assert load("ownnets.small:make", names="four.txt").classes == list("abcd")
    with pytest.raises(UsageError, match=r"ownnets.small has no 'mak'; the nearest is make"):
        load("ownnets.small:mak")
    with pytest.raises(UsageError, match=r"there is no module 'ownnets.smal'"):
        load("ownnets.smal:make")
    with pytest.raises(LucidError, match=r"ownnets.broken cannot be imported: No module named"):
        load("ownnets.broken:make")


def test_one_channel_sees_brightness() -> None:
    module = Small(channels=1)
    net = lucid.wrap(module, input_size=(32, 32), mean=0.5, std=[0.25])
    image = torch.rand(2, 3, 32, 32)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    grey = (image * weights).sum(1, keepdim=True)
    torch.testing.assert_close(net.logits(image), module((grey - 0.5) / 0.25))
    assert lucid.draw(net, 3, **FAST).size == (64, 64)
    with pytest.raises(UsageError, match="must be one number"):
        lucid.wrap(module, mean=(0.5, 0.5), input_size=(32, 32))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: (logits, logits.sum()),
        lambda logits: [logits[:, :, None], logits],
        lambda logits: {"loss": logits.sum(), "out": logits},
        lambda logits: {"features": logits + 1, "logits": logits},
    ],
)
def test_logits_in_tuples_and_mappings(wrap: Callable[[Tensor], object]) -> None:
    module = Small(wrap=wrap)
    net = lucid.wrap(module, input_size=(32, 32))
    image = torch.rand(2, 3, 32, 32)
    module.wrap = lambda logits: logits
    expected = module(image)
    module.wrap = wrap
    torch.testing.assert_close(net.logits(image), expected)


def test_a_recipe_opens_no_saved_program_that_is_not_typed(
    program: tuple[Path, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = program
    monkeypatch.chdir(path.parent)
    Path("own.toml").write_text(
        f'command = "draw"\nclass = ["3"]\nnet = "{path.name}"\nsize = "64x64"\niters = 1\n'
        'octaves = 1\ndevice = "cpu"\n'
    )
    refused = CliRunner().invoke(main, ["run", "own.toml", "-o", "a.png"])
    assert refused.exit_code == 1
    assert f"was made with a saved program in {path.name}: if you trust it" in refused.stderr
    typed = CliRunner().invoke(main, ["run", "own.toml", "--net", path.name, "-o", "a.png"])
    assert typed.exit_code == 0, typed.output
    assert CliRunner().invoke(main, ["redo", "a.png", "-o", "b.png"]).exit_code == 1
    Path("night.toml").write_text(
        f'command = "nightmare"\nwords = ["{path.name}", "a.png", "conv"]\n'
    )
    refused = CliRunner().invoke(main, ["run", "night.toml"])
    assert "was made with a saved program" in refused.stderr


def test_a_recipe_imports_no_module_that_is_not_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit(3)")
    (tmp_path / "own.toml").write_text('command = "draw"\nclass = ["3"]\nnet = "evil:make"\n')
    refused = CliRunner().invoke(main, ["run", "own.toml", "-o", "a.png"])
    assert refused.exit_code == 1
    assert "was made with Python code in evil:make" in refused.stderr
