from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import CLASS_NAMES, CLASSIFIER, write_net

from lucid.cli import main
from lucid.cli.completion import SHELLS, completion
from lucid.errors import UsageError
from lucid.films import warp
from lucid.nets.imagenet import GROUPS, group_members
from lucid.nets.registry import load_meta
from lucid.nets.torchvision import categories, model_names


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder, so that torchvision is asked once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def desk(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a net in it."""
    write_net(tmp_path, CLASSIFIER, names=CLASS_NAMES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCID_CACHE", str(kept))
    return tmp_path


def offers(*words: str) -> list[str]:
    """What is offered for the last word."""
    *typed, incomplete = words
    shell = SHELLS["zsh"](main, {}, "lucid", "_LUCID_COMPLETE")
    return [item.value for item in shell.get_completions(list(typed), incomplete)]


def test_nets(desk: Path) -> None:
    (desk / "models").mkdir()
    (desk / "models" / "other.cfg").touch()
    (desk / ".hidden.cfg").touch()
    found = offers("film", "--net", "")
    assert set(model_names()) <= set(found)
    # The bare name is torchvision's.
    assert {"lucid64", "vgg-conv", "squeezenet1_1.cfg", "tiny.cfg", "models/"} <= set(found)
    assert not {"tiny.weights", ".hidden.cfg"} & set(found)
    assert len(found) == len(set(found))
    assert offers("film", "--net", "models/o") == ["models/other.cfg"]
    assert offers("film", "--net", f"{desk}/t") == [f"{desk}/tiny.cfg"]
    assert offers("film", "--net", "VGG_c") == ["vgg-conv"]
    assert offers("film", "--net=lucid") == ["--net=lucid1000", "--net=lucid64"]


def test_classes_of_the_net_in_the_box(desk: Path) -> None:
    net = load_meta("lucid64")
    groups = [name for name in GROUPS if group_members(name, net.classes)]
    assert 0 < len(groups) < len(GROUPS)
    assert offers("film", "--class", "") == [*net.classes, *groups]
    assert offers("film", "--class", "brown") == ["brown bear"]
    assert offers("film", "--class", "BROWN_B") == ["brown bear"]
    assert offers("film", "--class", "brown ") == ["brown bear"]
    assert offers("film", "--class", "bir") == ["birds"]
    assert offers("film", "--class", "nothing is called that") == []


def test_what_stands_behind_a_name_stays(desk: Path) -> None:
    assert offers("film", "--class", "brown:.5") == ["brown bear:.5"]
    assert offers("film", "--class", "brown@.3,.5") == ["brown bear@.3,.5"]
    assert offers("film", "--class", "brown:-1@mask.png") == ["brown bear:-1@mask.png"]
    assert offers("film", "--class", "lion:") == []  # whole already
    assert offers("film", "--class", "lion:2", "--class", "brown") == ["brown bear"]
    assert offers("film", "--layer", "15:3@.5,.5") == []


def test_classes_of_torchvisions_nets(desk: Path) -> None:
    thousand = categories("vgg16")
    assert all(categories(name) == thousand for name in model_names())
    found = offers("film", "--net", "vgg16", "--class", "")
    assert found == [*dict.fromkeys(thousand), *GROUPS]
    assert offers("film", "--net", "no such net", "--class", "") == []


def test_classes_of_a_net_of_ones_own(desk: Path) -> None:
    named = ["film", "--net", "tiny.cfg", "--class"]
    assert offers(*named, "") == [*CLASS_NAMES, "sharks", "fish", "cats", "mammals"]
    (desk / "my.names").write_text("one\ntwo, three\n")
    assert offers("film", "--names", "my.names", "--class", "") == ["one", "two, three"]
    (desk / "tiny.names").unlink()
    assert offers(*named, "") == []


@pytest.mark.slow
def test_layers(desk: Path) -> None:
    assert offers("film", "--layer", "") == load_meta("lucid64").layers
    assert offers("film", "--net", "tiny.cfg", "--layer", "") == ["0", "1", "2", "3", "4", "5"]
    assert offers("film", "--net", "tiny.cfg", "--layer", "2:7") == []
    net = load_meta("squeezenet1_1")
    found = offers("film", "--net", "squeezenet1_1", "--layer", "")
    assert set(net.layers) < set(found)
    assert all(net.resolve_layer(name) for name in found)  # modules too
    assert offers("film", "--net", "squeezenet1_1", "--layer", "features.12.s") == [
        "features.12.squeeze",
        "features.12.squeeze_activation",
    ]


def test_warps(desk: Path) -> None:
    found = offers("film", "--warp", "")
    assert sorted(name.rstrip(":") for name in found) == sorted(warp.WARPS)
    for name in found:
        if name.endswith(":"):
            with pytest.raises(UsageError):
                warp.parse(name)
        else:
            warp.parse(name)


def test_a_users_own_warps_are_read_and_not_run(desk: Path) -> None:
    (desk / "mine.py").write_text(
        "from lucid import warps\n"
        "open('run', 'w')\n"
        "@warps.warp\n"
        "def upside_down(image, frame, generator): return image\n"
        "@warps.warp\n"
        "def up_by(image, frame, generator, share: float): return image\n"
        "def no_warp(image, frame, generator): return image\n"
    )
    typed = ["film", "--warps", "mine.py", "--warp"]
    assert offers(*typed, "up") == ["up-by:", "upside-down"]
    assert "zoom:" in offers(*typed, "")
    assert not (desk / "run").exists()


def test_presets(desk: Path) -> None:
    (desk / "dream.toml").touch()
    found = offers("draw", "--preset", "d")
    assert found == ["deepdraw", "deepdream", "dreampy", "dream.toml"]


def test_the_words_of_a_nightmare(desk: Path) -> None:
    assert offers("nightmare", "luc") == ["lucid1000", "lucid64"]
    shell = SHELLS["zsh"](main, {}, "lucid", "_LUCID_COMPLETE")
    for words in (["tiny.cfg"], ["tiny.cfg", "tiny.weights"]):
        items = shell.get_completions(["nightmare", *words], "pho")
        assert [(item.type, item.value) for item in items] == [("file", "pho")]
    assert offers("nightmare", "tiny.cfg", "photo.JPG", "") == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.slow
def test_torch_is_imported_only_where_nothing_is_kept(desk: Path) -> None:
    """A process of its own, so that pytest's imports do not count."""
    asked = (
        ["draw", "--class", "b"],
        ["draw", "--net", "vgg16", "--class", "b"],
        ["draw", "--net", "r"],
        ["draw", "--layer", "1"],
        ["draw", "--net", "alexnet", "--layer", "f"],
        ["draw", "--preset", "d"],
        ["film", "--warp", "z"],
        ["classes", "l"],
        ["classes", "lucid64", "lio"],
        ["convert", "vgg1"],
    )
    for words in asked:
        assert offers(*words)
    code = (
        "import sys\n"
        "from lucid.cli import main\n"
        "from lucid.cli.completion import SHELLS\n"
        "shell = SHELLS['zsh'](main, {}, 'lucid', '_LUCID_COMPLETE')\n"
        f"for words in {asked!r}:\n"
        "    assert shell.get_completions(words[:-1], words[-1]), words\n"
        "    assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), words\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"torchvision": "0.1", "nets": ["old"]}'])
def test_what_is_kept_is_made_anew(
    desk: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    folder = desk / "not" / "there"
    monkeypatch.setenv("LUCID_CACHE", str(folder))
    if content:
        folder.mkdir(parents=True)
        (folder / "completion.json").write_text(content)
    assert offers("film", "--net", "vgg16") == ["vgg16", "vgg16_bn"]
    assert [path.name for path in folder.iterdir()] == ["completion.json"]
    assert offers("film", "--net", "old") == []


def test_where_nothing_can_be_kept_the_nets_are_offered(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "file").touch()
    monkeypatch.setenv("LUCID_CACHE", str(desk / "file" / "cache"))
    assert offers("film", "--net", "vgg16") == ["vgg16", "vgg16_bn"]


def test_errors_are_no_offers(desk: Path) -> None:
    assert offers("film", "-mistyped", "--class", "gold") == []
    assert offers("film", "--net", "missing.cfg", "--class", "") == []
    assert offers("film", "--net", "missing.cfg", "--layer", "") == []
    assert offers("film", "--names", "missing.names", "--class", "") == []
    assert offers("film", "--net", "no/such/folder/") == []
    (desk / "broken.py").write_text("def (")
    assert offers("film", "--warps", "broken.py", "--warp", "") == []


@pytest.fixture
def shell_path(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH with these commands as a program `lucid`."""
    (desk / "bin").mkdir()
    program = desk / "bin" / "lucid"
    program.write_text(f"#!{sys.executable}\nfrom lucid.cli import main\nmain(prog_name='lucid')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{desk / 'bin'}:{os.environ['PATH']}")
    (desk / "odd.names").write_text("a [b] *\nbrown bear\njack-o'-lantern\ntench, Tinca\n")
    return desk / "bin"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_LUCID_COMPLETE={shell}_complete" in result.output
    assert "%" not in result.output.replace("%s", "")
    if shutil.which(shell):
        parse = [shell, "--no-execute" if shell == "fish" else "-n"]
        subprocess.run(parse, input=result.output, text=True, check=True)


def test_help_says_where_to_put_it() -> None:
    text = CliRunner().invoke(completion, ["--help"]).output
    assert "bash-completion/completions/lucid" in text
    assert "compinit" in text
    assert "~/.config/fish/completions/lucid.fish" in text


BASH = r"""
eval "$(lucid completion bash)"
compopt() { echo "compopt $*"; }
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE}
    _lucid_completion lucid
    printf '%s\n' "${COMPREPLY[@]}" --
done
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_gets_words_that_it_can_take(shell_path: Path) -> None:
    """What bash puts in place of the word, or of what follows its last cut in it."""
    odd = "lucid film --names odd.names --class"
    expected = {
        "lucid film --class brown": ["brown\\ bear"],
        'lucid film --class "brown': ["brown bear"],
        "lucid film --class brown\\ ": ["brown\\ bear"],
        "lucid film --class lion:2 --class brown": ["brown\\ bear"],
        "lucid film --class brown:2": [],  # bash has cut the name off
        "lucid film --net=lucid": ["lucid1000", "lucid64"],
        "lucid film --warp zo": ["compopt -o nospace", "zoom:"],
        "lucid film photo": ["compopt -o default"],
        "lucid fil": ["film"],
        "lucid film -mistyped --class gold": [],
        f"{odd} a": ["a\\ \\[b\\]\\ \\*"],
        f"{odd} jack": ["jack-o\\'-lantern"],
        f"{odd} 'jack": ["jack-o'\\''-lantern"],
        f"{odd} tench": ["tench,\\ Tinca"],
    }
    answer = subprocess.run(
        ["bash", "--norc", "-c", BASH], input="\n".join(expected) + "\n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stderr == ""
    parts = [part.split("\n") for part in answer.stdout.split("--\n")[:-1]]
    assert [[line for line in part if line] for part in parts] == [*expected.values()]


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
def test_fish_gets_whole_names(shell_path: Path) -> None:
    lines = {
        "lucid film --class brown": "brown bear",
        "lucid film --names odd.names --class ten": "tench, Tinca",
        "lucid film --net=lucid6": "--net=lucid64",
    }
    asked = [f"complete -C {line!r}" for line in lines]
    script = "; ".join(["lucid completion fish | source", *asked])
    answer = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines() == [*lines.values()]
