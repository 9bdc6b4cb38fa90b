"""Every example in the documentation runs, and every command line in it is one."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner
from conftest import RECORDED
from PIL import Image
from torch import nn

import lucid
from lucid.cli import main
from lucid.cli.album_plan import Plan
from lucid.cli.recipe_args import to_argv
from lucid.imaging import recipes
from lucid.reading import parse_table
from lucid.tiling import tiles

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])

FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n+)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
"""A block of code, and why it is not run where a comment directly above says so."""


class Block(NamedTuple):
    """A block of code, and its first line in the page."""

    text: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, in order, except those that are not to be run."""
    page_text = page.read_text()
    return [
        Block(found["text"], page_text.count("\n", 0, found.start("text")))
        for found in FENCE.finditer(page_text)
        if found["language"] in languages and not found["reason"]
    ]


def pages(*languages: str) -> pytest.MarkDecorator:
    """Runs a test for each page that has blocks in these languages."""
    return pytest.mark.parametrize(
        "page",
        [
            pytest.param(
                page,
                id=str(page.relative_to(ROOT)),
                marks=pytest.mark.slow if "import timm" in page.read_text() else (),
            )
            for page in PAGES
            if blocks(page, *languages)
        ],
    )


class _Shorten(ast.NodeTransformer):
    """Has loops over a range run twice."""

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        if isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range":
            node.iter = ast.copy_location(ast.parse("range(2)", mode="eval").body, node.iter)
            ast.fix_missing_locations(node)
        return node


TINY: dict[str, Any] = {
    "iterations": 1,
    "octave_count": 1,
    "size": (48, 64),
    "rounds": 2,
    "frames": 2,
}
"""Settings that take the place of an example's."""


def tiny(function: Any, accepted: set[str]) -> Any:
    """One of lucid's functions, with so little to do that a test can wait for it."""
    settings = {name: value for name, value in TINY.items() if name in accepted}

    @wraps(function)
    def smaller(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **{**options, **settings})

    return smaller


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures that examples speak of, where drawing is quick."""
    for name in ("draw", "grow", "film", "nightmare", "reconstruct", "dream_over"):
        function = getattr(lucid, name)
        accepted = set(inspect.signature(function).parameters)
        if name in ("draw", "grow", "film"):
            accepted |= {"iterations", "octave_count", "size"}
        monkeypatch.setattr(lucid, name, tiny(function, accepted))
    monkeypatch.setattr(Image.Image, "show", lambda image: None)
    monkeypatch.setattr(tiles, "ORDERS", tiles.ORDERS.copy())  # a page may add one
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "cat.jpg", "guide.jpg"):
        Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(name)
    shutil.copy(RECORDED / "recipes_v0.1" / "goldfish.png", "goldfish.png")
    return tmp_path


@pytest.mark.slow
@pages("python")
def test_examples_run(page: Path, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after the other, as a reader types them."""
    if any("timm" in block.text for block in blocks(page, "python")):
        timm = pytest.importorskip("timm")
        create_model = timm.create_model
        # The real weights would have to be downloaded.
        monkeypatch.setattr(timm, "create_model", lambda name, pretrained: create_model(name))
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page, "python"):
        # What examples leave to the reader: a picture's path, and a net of his own.
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        namespace.update(path=desk / "goldfish.png", module=net.append(nn.Linear(8, 2)))
        # Empty lines in front, so that a traceback names the line in the page.
        tree = _Shorten().visit(ast.parse("\n" * block.line + block.text))
        exec(compile(tree, page, "exec", dont_inherit=True), namespace)


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each call of lucid in a shell block, behind ``lucid``."""
    for line in text.replace("\\\n", " ").splitlines():
        # [BASE] and … stand for what a reader fills in.
        if "…" not in line:
            words = shlex.split(line, comments=True)
            while "lucid" in words:
                words = words[words.index("lucid") + 1 :]
                ends = [words.index(mark) for mark in ("|", "&&", ";", ">") if mark in words]
                yield words[: min(ends, default=len(words))]


def understand(words: list[str]) -> None:
    """Parse a command line, and run nothing."""
    with main.make_context("lucid", list(words)) as context:
        typed = [*context._protected_args, *context.args]
        name, command, rest = main.resolve_command(context, typed)
        assert command is not None
        with command.make_context(name, rest, parent=context):
            pass


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not exist to be named on a command line."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))


@pages("sh", "bash", "console")
def test_command_lines_are_understood(page: Path, desk: Path, no_files: None) -> None:
    for block in blocks(page, "sh", "bash", "console"):
        for words in command_lines(block.text):
            try:
                understand(words)
            except click.ClickException as error:
                pytest.fail(f"{page}: lucid {shlex.join(words)}: {error.format_message()}")


@pages("toml")
def test_recipes_are_understood(page: Path, desk: Path, no_files: None) -> None:
    for block in blocks(page, "toml"):
        if "[axes]" in block.text or "[[scenes]]" in block.text:
            with contextlib.chdir(ROOT):
                plan = Plan(parse_table(block.text, page), page, main)
                assert plan.count == len({task.key for task in plan.tasks()}) > 1
        elif "command = " in block.text and "…" not in block.text:
            # The pictures that it needs have not been made.
            recipe = replace(recipes.parse(block.text, str(page)), made={})
            command = main.commands[recipe.command]
            words = to_argv(recipe, command, page.with_suffix(".toml"), set())
            try:
                understand([recipe.command, *words])
            except click.ClickException as error:
                pytest.fail(f"{page}, line {block.line}: {error.format_message()}")


def test_what_is_wrong_is_found(desk: Path, no_files: None) -> None:
    text = "lucid draw a.jpg --class x # lucid\nfoo | lucid draw - \\\n  --clas x | display"
    right, wrong = command_lines(text)
    assert (right, wrong) == (["draw", "a.jpg", "--class", "x"], ["draw", "-", "--clas", "x"])
    understand(right)
    with pytest.raises(click.NoSuchOption):
        understand(wrong)


def test_every_promise_about_security_names_its_test() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    defined = set(re.findall(r"def (test_\w+)", tests))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named <= defined, named - defined
    promises = page.split("## What lucid does not promise")[0]
    for promise in re.findall(r"^- (.*?)(?=^- |^\n|\Z)", promises, re.MULTILINE | re.DOTALL):
        assert "`test_" in promise, promise


NOT_AS_TYPED = {
    "benchmarks.md": "every task of `lucid bench` runs in tests/test_bench.py",
    "studio.md": "the studio runs in tests/studio",
    "extending.md": "it is typed in tests/cli/test_plugins.py, beside the file that it needs",
}
"""Pages whose commands are typed in other tests, or take minutes, and where."""

SMALLER = {
    "draw": "--size 48x40 --octaves 1 --iters 1 --tile-size 40 --device cpu",
    "film": "--size 48x40 --octaves 1 --iters 1 --frames 2 --tile-size 40 --device cpu --no-flow",
    "nightmare": "-iters 1 -rounds 1 -octaves 1 --device cpu",
    "redo": "--size 48x40 --iters 1 --octaves 1",
    "run": "--size 48x40 --iters 1 --octaves 1",
    "layers": "--device cpu",
    "sheet": "--size 32 --iters 1 --device cpu",
    "explain": "-n 1 --size 32 --device cpu",
}
"""What makes a command quick."""


def as_typed() -> list[Path]:
    """The pages with commands, but for those of ``NOT_AS_TYPED``."""
    left_out = [ROOT / "docs" / name for name in NOT_AS_TYPED]
    typed = [page for page in PAGES if page not in left_out]
    return [page for page in typed if any(map(_commands, blocks(page, "sh")))]


def _commands(block: Block) -> list[list[str]]:
    return list(command_lines(block.text))


@pytest.mark.slow
@pytest.mark.parametrize("page", as_typed(), ids=lambda page: page.name)
def test_commands_run_as_they_are_typed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All commands of a page run in a new clone, one after the other."""
    clone = tmp_path / "clone"
    for folder in ("docs/gallery", "cfg"):
        shutil.copytree(ROOT / folder, clone / folder)
    samples = clone / "examples" / "bases"
    samples.mkdir(parents=True)
    for picture in (ROOT / "examples" / "bases").glob("*.jpg"):
        with Image.open(picture) as image:
            image.resize((48, 40)).save(samples / picture.name)
    monkeypatch.chdir(clone)
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for block in blocks(page, "toml"):
        if named := re.match(r"# (\w+\.toml)\n", block.text):
            Path(named[1]).write_text(block.text, encoding="utf-8")
    for block in blocks(page, "sh"):
        for folder in re.findall(r"^mkdir -p (\w+)$", block.text, re.MULTILINE):
            Path(folder).mkdir()
        for words in command_lines(block.text):
            more = SMALLER.get(words[0], "").split()
            if words[0] == "album" and "-o" in words:
                painter = words[words.index("--command") + 1] if "--command" in words else "draw"
                more = re.sub(r"(^| )-(?=\w)", r"\1--", SMALLER[painter]).split()
                more = [word for word in more if word != "--no-flow"]  # which is for videos
            if "-reconstruct" in words:
                more = ["-iters", "1"]
            if words[0] == "film" and not words[1].endswith((".gif", ".mp4")):
                more.remove("--no-flow")
            piped = Path("examples/bases/hills.jpg").read_bytes() if "-" in words else None
            result = CliRunner().invoke(main, [*words, *more], input=piped)
            offline = "cannot be fetched" in result.output  # torchvision's nets
            line = f"{page.name}: lucid {shlex.join(words)}: {result.output}"
            assert result.exit_code == 0 or offline, line
