"""From the description of an album to its tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from lucid.albums import axes as album_axes
from lucid.albums.axes import Axis, Value
from lucid.albums.scenes import check_dissolve
from lucid.albums.task import SUFFIX, Task, task_key
from lucid.cli.recipe_args import (
    EXCLUDED,
    files_in,
    parameters_by_name,
    recipe_names,
    rename_files,
)
from lucid.drawing.specs import CLASS_NUMBERS, ClassSpec, expand_numbers, parse_class
from lucid.drawing.targets import resolve_class
from lucid.errors import LucidError, UsageError, nearest
from lucid.imaging.files import FORMATS
from lucid.imaging.recipes import sha256_file
from lucid.imaging.video import WRITABLE_SUFFIXES
from lucid.nets.net import Net
from lucid.nets.registry import keep_nets, load, load_meta
from lucid.nets.saved_programs import is_program
from lucid.plugins import is_code

COMMANDS = ("draw", "film", "nightmare", "sheet")
"""Commands whose pictures an album may have."""

OWN = ("command", "suffix", "axes", "scenes", "dissolve")
"""Keys of a description that are no options of the command."""

ONE_A_TASK = ("count", "each", "diverse", "own_warps", "list_warps", "source", "reverse")
"""Parameters that make several pictures of one, run code, or change a film that is there."""

CODE = ("net", "net_name", "words", "objective", "canvas", "tiles", "warps")
"""Options that may name Python of somebody's own."""

SUBJECTS = (
    *("class", "mix", "random-classes", "layer", "objective", "guide", "direction", "caricature"),
    "channels",
)
"""Options that say what to paint."""

FREE = ("device", "batch")
"""Parameters that decide how fast a picture is made, and not which."""

WORDS = {"nightmare": ("net", "base", "layer"), "sheet": ("net", "layer")}
"""What an album calls the words behind these commands, in their order."""

KNOWN_FILES = ("base", "guide", "mask", "audio")
"""Options whose values in an axis are patterns of files."""


@dataclass
class Plan:
    """An album before it is written down.

    Attributes:
        description: as it is kept in ``album.toml``.
        source: the file of the description; files are looked for beside it.
    """

    description: dict[str, Any]
    source: Path
    group: click.Group  # whose commands paint

    def __post_init__(self) -> None:
        """Check the description.

        Raises:
            UsageError: it has an option or a value that there is not.
        """
        self._digests: dict[str, str | None] = {}
        self._nets: dict[tuple[Any, ...], Net] = {}
        self._prints: dict[tuple[Any, ...], tuple[str, str]] = {}
        self._refuse_code(self.description)  # before any net is looked at
        self.command = str(self.description.get("command", "draw"))
        if self.command not in COMMANDS:
            near = nearest(self.command, COMMANDS)
            raise UsageError(
                f"an album is made by {', '.join(COMMANDS)}, not {self.command!r}{near}"
            )
        self.click_command = self.group.commands[self.command]
        self.parameters = parameters_by_name(self.click_command)
        self.fixed = {k: each for k, each in self.description.items() if k not in OWN}
        self._check_names(self.fixed)
        if "seed" in self.parameters and "seed" not in self.fixed:
            self.fixed["seed"] = 0
        self.suffix = self._suffix()
        self.axes = [
            self._axis(name, typed) for name, typed in self._table("axes").items()
        ] + self._scenes()
        self.fixed = self._checked(self.fixed)
        for picture in self.fixed.get("base", ()):
            self._check_picture(str(picture))
        self._check_subject()
        for text in self.fixed.get("class", ()):
            for each in expand_numbers([parse_class(str(text))]):
                resolve_class(self._meta(), each.name)

    @property
    def count(self) -> int:
        """The number of tasks."""
        return album_axes.count(self.axes)

    def tasks(self) -> Iterator[Task]:
        """The tasks, in their order.

        Raises:
            LucidError: a file or a net's weights are missing.
        """
        for chosen in album_axes.combinations(self.axes):
            yield self._task(chosen)

    def _refuse_code(self, value: Any, name: str = "") -> None:
        """Refuse whatever would run Python of somebody's own, in any place of a description."""
        if isinstance(value, Mapping):
            for key, each in value.items():
                self._refuse_code(each, str(key))
        elif isinstance(value, list):
            for each in value:
                self._refuse_code(each, name)
        elif isinstance(value, str):
            for word in (*album_axes.split(value), value):
                saved = name in ("net", "net_name", "words") and is_program(word)
                if saved or (name in CODE and is_code(word)):
                    raise UsageError(f"{name} = {word}: an album runs no Python of your own")

    def _table(self, name: str) -> dict[str, Any]:
        found = self.description.get(name, {})
        if not isinstance(found, dict):
            raise UsageError(f"{self.source}: {name} is no table: write [{name}]")
        return found

    def _suffix(self) -> str:
        film = self.command == "film"
        usual = (".mp4" if find_spec("av") else ".gif") if film else ".png"
        suffix = str(self.description.get("suffix", usual))
        suffix = suffix if suffix.startswith(".") else f".{suffix}"
        known = WRITABLE_SUFFIXES if film else tuple(FORMATS)
        if suffix not in known or not SUFFIX.fullmatch(suffix):
            raise UsageError(f"suffix {suffix} is none of {', '.join(known)}")
        return suffix

    def _check_names(self, names: Mapping[str, Any], what: str = "") -> None:
        """Refuse names that are no options, or that an album cannot have."""
        words = WORDS.get(self.command, ())
        for name in names:
            parameter = self.parameters.get(name)
            if parameter is None and name not in words:
                near = nearest(name, [*self.parameters, *words])
                raise UsageError(f"{what}{name} is no option of lucid {self.command}{near}")
            if parameter is not None and parameter.name in EXCLUDED:
                raise UsageError(f"{what}{name} says where to write or what to print: leave it out")
            if parameter is not None and parameter.name in ONE_A_TASK:
                raise UsageError(
                    f"{what}{name}: each task of an album is one picture or film: give axes, such "
                    "as --seeds 0-8"
                )

    def _scenes(self) -> list[Axis]:
        """Scenes as an axis; there is no other then."""
        scenes = self.description.get("scenes", [])
        if not scenes:
            return []
        if not isinstance(scenes, list) or not all(isinstance(each, dict) for each in scenes):
            raise UsageError(f"{self.source}: scenes are written as [[scenes]]")
        if self.command != "film" or self._table("axes"):
            raise UsageError('scenes are those of one film: give command = "film", and no axes')
        values = []
        dissolve = check_dissolve(self.description)
        for number, scene in enumerate(scenes, start=1):
            frames = scene.get("frames", self.fixed.get("frames"))
            if str(frames).isdigit() and int(frames) < 2 * dissolve:
                raise UsageError(
                    f"scene {number}: {frames} frames are too few for dissolves of {dissolve}: "
                    "give more frames, or another dissolve"
                )
            self._check_names(scene, f"scene {number}: ")
            values.append(Value(f"scene {number}", self._checked(scene, f"scene {number}: ")))
        return [Axis("scene", values)]

    def _axis(self, name: str, typed: Any) -> Axis:
        """Build an axis from what was typed for it."""
        self._check_names({name: typed}, "the axis ")
        values: Sequence[Value]
        parameter = self.parameters.get(name)
        if isinstance(typed, str) and parameter and isinstance(parameter.type, click.IntRange):
            values = album_axes.numbers(name, typed)
            for end in values.ends():
                self._checked({name: end}, "the axis ")
        elif name == "class":
            values = [*self._classes(typed)]
        elif name in KNOWN_FILES:
            patterns = self._pictures_in(self._file_names(typed))
            found = album_axes.files(name, patterns, self.source.parent)
            for each in found if name == "base" else ():
                self._check_picture(self._locate(each))
            stems = [Path(each).stem for each in found]
            labels = stems if len({*stems}) == len(stems) else found
            values = [Value(text, {name: each}) for text, each in zip(labels, found, strict=True)]
        else:
            values = [Value(_label(each), {name: each}) for each in album_axes.split(typed)]
        if not values:
            raise UsageError(f"the axis {name} has no values")
        if not isinstance(values, album_axes.Numbers):
            values = [
                Value(each.label, self._checked(each.options, "the axis ")) for each in values
            ]
        return Axis(name, values)

    def _check_picture(self, name: str) -> None:
        """Refuse what is no file to paint on, before anything is written."""
        path = Path(name)
        if path.suffix.lower() == ".toml":
            raise UsageError(f"{name}: a description comes first: lucid album {name} …")
        if path.is_dir():
            raise UsageError(f"{name}: is a folder: give a video, or pictures")
        if not path.is_file():
            raise LucidError(f"{name}: there is no such picture")

    def _check_subject(self) -> None:
        """Refuse a drawing or a film of nothing."""
        scenes = self.description.get("scenes") or [{}]
        for scene in scenes:
            named = {*self.fixed, *(axis.name for axis in self.axes), *scene}
            if self.command in ("draw", "film") and not named & {*SUBJECTS}:
                raise UsageError("there is nothing to paint: give --classes, --class or --layer")

    @staticmethod
    def _file_names(typed: Any) -> list[str]:
        """The names of files in what was typed: commas part those that are no files themselves."""
        found: list[str] = []
        for each in typed if isinstance(typed, list) else [typed]:
            whole = Path(str(each)).exists() or not isinstance(each, str)
            found += [str(each)] if whole else map(str, album_axes.split(each))
        return found

    def _pictures_in(self, patterns: Sequence[str]) -> list[str]:
        """Patterns, with all pictures in place of a folder; that of a film would be its frames."""
        found: list[str] = []
        for pattern in patterns:
            places = (self.source.parent / pattern, Path(pattern))
            folder = next((place for place in places if place.is_dir()), None)
            if folder is None or self.command == "film":
                found.append(pattern)
            else:
                pictures = sorted(folder.iterdir())
                found += [str(each) for each in pictures if each.suffix.lower() in FORMATS]
        return found

    def _classes(self, typed: Any) -> Iterator[Value]:
        """Classes one by one: names, numbers, groups, ``all``, and mixes with a plus sign."""
        meta = self._meta()
        for text in _names(typed, meta.classes):
            mix = text.split("+")
            specs = [parse_class(each) for each in mix]
            name = specs[0].name
            if len(mix) == 1 and name.strip().lower() == "all":
                numbered = [*range(len(meta.classes))]
            elif len(mix) == 1 and CLASS_NUMBERS.fullmatch(name):
                numbered = [int(each.name) for each in expand_numbers([ClassSpec(name)])]
            else:
                found = [resolve_class(meta, each.name) for each in specs]
                if len(mix) > 1 or isinstance(found[0], int):
                    yield Value(text, {"class": mix})
                    continue
                numbered = [*found[0]]
            for number in numbered:
                if number >= len(meta.classes):
                    raise UsageError(f"{number}: {meta.name} has {len(meta.classes)} classes")
                label = meta.classes[number]
                unique = meta.classes.count(label) == 1
                # With the weight and the region of the group.
                one = replace(specs[0], name=label if unique else str(number))
                yield Value(label, {"class": [one.text]})

    def _meta(self) -> Net:
        """The net whose classes are meant."""
        several = album_axes.split(self._table("axes").get("net", ""))
        name = self.fixed.get("net") or (several or ["lucid64"])[0]
        return load_meta(
            self._locate(str(name)),
            *(
                Path(self._locate(str(self.fixed[each]))) if each in self.fixed else None
                for each in ("weights", "names")
            ),
        )

    def _locate(self, name: str) -> str:
        """The path of a file that lies beside the description, or the name as it is."""
        beside = self.source.parent / name
        return str(beside) if Path(name).suffix and beside.is_file() else name

    def _checked(self, options: Mapping[str, Any], what: str = "") -> dict[str, Any]:
        """Options whose values their types accept, with the paths of files."""
        checked = {}
        with click.Context(self.click_command, resilient_parsing=True) as context:
            for name, value in options.items():
                parameter = self.parameters.get(name)
                if parameter is None:
                    checked[name] = self._locate(str(value))
                    continue
                several = getattr(parameter, "multiple", False) or parameter.nargs != 1
                if isinstance(value, list) and not several:
                    raise UsageError(f"{what}{name} takes one value: several stand under [axes]")
                value = [value] if several and not isinstance(value, list) else value  # noqa: PLW2901
                try:
                    parameter.type_cast_value(context, _as_typed(parameter, value))
                except click.BadParameter as error:
                    raise UsageError(f"{what}{name} = {value}: {error.message}") from error
                except (TypeError, ValueError) as error:
                    raise UsageError(f"{what}{name} = {value}: is not as it is typed") from error
                checked[name] = rename_files(parameter, value, self._locate)
        return checked

    def _task(self, chosen: Sequence[Value]) -> Task:
        """The task of one value of each axis."""
        options = dict(self.fixed)
        for value in chosen:
            options |= value.options
        options = self._with_words(options)
        files: dict[str, str] = {}
        canonical = {}
        with click.Context(self.click_command, resilient_parsing=True) as context:
            for name, value in options.items():
                parameter = self.parameters[name]
                for file in files_in(parameter, value):
                    if (digest := self._digest(file)) is not None:
                        files[file] = digest
                if parameter.name in FREE:
                    continue
                cast = parameter.type_cast_value(context, _as_typed(parameter, value))
                if cast == parameter.get_default(context) or cast is False:
                    continue
                # Numbers are equal however they were typed.
                plain = cast if isinstance(cast, int | float) else value
                canonical[recipe_names(parameter)[0]] = rename_files(
                    parameter, plain, lambda file: files.get(file, file)
                )
        net, classes = self._fingerprint(options)
        key = task_key(self.command, canonical, net + classes, {}, self.suffix)
        axes = {axis.name: value.label for axis, value in zip(self.axes, chosen, strict=True)}
        plain_axes = ("class", "base", "scene")
        words = [label if name in plain_axes else f"{name} {label}" for name, label in axes.items()]
        return Task(key, self.command, options, axes, ", ".join(words), self.suffix, files, net)

    def _with_words(self, options: dict[str, Any]) -> dict[str, Any]:
        """The words behind a command in their place."""
        names = WORDS.get(self.command, ())
        words = {name: options.pop(name) for name in names if name in options}
        if self.command == "nightmare" and "words" not in options:
            missing = [name for name in names if name not in words]
            if missing:
                raise UsageError(f"a nightmare needs {', '.join(missing)}")
            options["words"] = [str(words[name]) for name in names]
        elif self.command == "sheet":
            options |= {"net_name": str(words.get("net", "lucid64"))}
            options |= {"layer": str(words["layer"])} if "layer" in words else {}
        return options

    def _digest(self, file: str) -> str | None:
        """The SHA-256 of an input file; None if the word names no file."""
        if file not in self._digests:
            path = Path(file)
            named = bool(path.suffix) and path.is_file()  # a net's name is no file's
            if not named and path.suffix.lower() in FORMATS:
                raise LucidError(f"{file}: there is no such picture")
            self._digests[file] = sha256_file(path) if named else None
        return self._digests[file]

    def _fingerprint(self, options: Mapping[str, Any]) -> tuple[str, str]:
        """The fingerprint of the net's weights, and a hash of the names of its classes."""
        words = options.get("words") or []
        name = words[0] if words else options.get("net", options.get("net_name", "lucid64"))
        weights = options.get("weights")
        weights = words[1] if weights is None and len(words) == 4 else weights
        key = (name, weights, options.get("names"))
        if key not in self._prints:
            with keep_nets(self._nets):
                net = load(str(name), weights, options.get("names"))
            names = hashlib.sha256("\n".join(net.classes).encode()).hexdigest()[:16]
            self._prints[key] = net.fingerprint, names
        return self._prints[key]


def _as_typed(parameter: click.Parameter, value: Any) -> Any:
    """A recipe's value as click takes it."""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return value
    if isinstance(value, list):
        return [[*map(str, each)] if isinstance(each, list) else str(each) for each in value]
    return str(value)


def _label(value: Any) -> str:
    """How a value of an axis is called."""
    if isinstance(value, list):
        return " ".join(map(_label, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _names(typed: Any, known: Sequence[str]) -> list[str]:
    """The names of classes in what was typed: a name may have a comma."""
    if isinstance(typed, list):
        return [name for each in typed for name in _names(str(each), known)]
    text = str(typed)
    if text in known or CLASS_NUMBERS.fullmatch(text):
        return [text]
    return album_axes.split(f"{text};" if "@" in text else text)  # a region has commas of its own
