"""The picture that is painted in the studio: its settings, its drawing and its history."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image

from lucid.drawing.climb import Climb
from lucid.drawing.edits import moment_text
from lucid.drawing.specs import parse_moment
from lucid.errors import UsageError
from lucid.imaging import recipes
from lucid.imaging.alpha import put_alpha
from lucid.imaging.fit import fit_image
from lucid.imaging.io import read_alpha, to_pil
from lucid.imaging.recipes import Recipe
from lucid.nets.net import Net
from lucid.studio.assets import Assets
from lucid.studio.checks import MAX_SEED
from lucid.studio.frames import thumbnail
from lucid.studio.history import History, Moment
from lucid.studio.recall import TypedEdit, recalled, settings_after
from lucid.studio.rows import Row
from lucid.studio.settings import Settings
from lucid.tiling.octaves import resize

GREY = (128, 128, 128)
"""The colour of an empty canvas."""

LEAST_MORE = 8
"""Passes that a finished drawing is given at least when it goes on."""


class Document:
    """What is chosen, what is painted, and what was done before.

    Attributes:
        net: the net that paints.
        settings: what is chosen.
        assets: photographs and masks.
        begun: what the drawing under way began with.
        climb: the drawing under way; None before one begins.
        history: what was done.
    """

    def __init__(self, net: Net, settings: Settings, assets: Assets) -> None:
        self.net, self.settings, self.assets = net, settings, assets
        self.climb: Climb | None = None
        self.history = History()
        self.begun = settings
        self._words: list[TypedEdit] = []  # the edits of the climb
        self._recalled: list[TypedEdit] = []  # the edits of a recipe that is to be followed
        self._gesture: object = None  # whose changes are one step of undo
        self._photo: tuple[object, Image.Image] | None = None  # as it was last fitted

    def picture(self) -> Image.Image:
        """The picture as it is now: what is painted, or the photograph, or an empty canvas."""
        if self.climb:
            return self.climb.progress().picture()
        settings = self.settings
        if not settings.photo:
            return Image.new("RGB", settings.size, GREY)
        key = (settings.photo, settings.size)
        if self._photo is None or self._photo[0] != key:
            size = settings.size[1], settings.size[0]
            photo = fit_image(self.assets.picture(settings.photo), size, "crop")
            self._photo = key, to_pil(resize(photo, size).clamp(0, 1))
        return self._photo[1]

    # Painting

    def begin(self) -> None:
        """Begin a drawing by the settings, with the edits of a recipe if one was recalled.

        Raises:
            LucidError: nothing is to be painted, or an option makes no sense.
        """
        typed = [(parse_moment(moment), words) for moment, words in self._recalled]
        self.climb = Climb(self.settings.plan(self.net, self.assets, typed))
        self.begun, self._words, self._recalled = self.settings, self._recalled, []

    def step(self) -> bool:
        """Paint one ring; return whether anything is left."""
        assert self.climb
        made = len(self.climb.edits)
        self.climb.step()
        for _, words in self._words[made : len(self.climb.edits)]:  # those of a recipe
            self.settings = settings_after(self.settings, words, self.assets)
        return not self.climb.finished

    def go_on(self) -> None:
        """Begin, go on, or paint more of what is finished."""
        if self.climb is None:
            self.begin()
            return
        if not self.settings.target_words() and not self.settings.guide:
            raise UsageError("there is nothing to paint: choose a class")
        if not self.climb.finished:
            return
        _, octave = self.climb.plan.octaves[-1]
        with self._recorded("more"):
            if octave.detail and self.settings.target_words():
                self._edit(self.settings.target_words())  # which begins another octave
            else:
                self._edit(f"iters={octave.iterations + max(LEAST_MORE, octave.iterations)}")

    def _edit(self, words: str) -> None:
        """Change the drawing under way; what a recipe had planned for later is dropped."""
        assert self.climb
        edit = self.settings.reader(self.net, self.assets).parse(words)
        moment = self.climb.moment
        self.climb.edit(**edit)
        self.climb.planned = ()
        *before, _ = self.climb.edits
        self.climb.edits = (*before, (moment, {}))  # kept as words, which need no memory
        self._words = [*self._words[: len(before)], (moment_text(moment), words)]

    def fork(self) -> None:
        """Go on from here with other random numbers."""
        if self.climb is None:
            raise UsageError("there is nothing to go on from: paint first")
        with self._recorded("another seed"):
            self._edit(f"seed={secrets.randbelow(MAX_SEED)}")

    def erase(self, mask: object) -> None:
        """Bring back the photograph, or grey, where a mask is bright."""
        if not isinstance(mask, str) or mask not in self.assets.masks:
            raise UsageError("erase needs a mask that was sent")
        if self.climb is None:
            raise UsageError("there is no paint to erase yet")
        with self._recorded("erase"):
            self._edit(f"erase={mask}")

    # Choosing

    def change(self, changes: Mapping[str, Any], gesture: object = None) -> bool:
        """Change settings, and the drawing under way with them.

        Args:
            changes: settings from outside.
            gesture: tells the parts of one movement, which are one step of undo; None for none.

        Returns:
            Whether a drawing under way was left, and another is to begin.

        Raises:
            LucidError: a change makes no sense; then nothing has changed.
        """
        before, after = self.settings, self.settings.changed(changes, self.assets)
        if after == before:
            return False
        anew = after.begins_anew(before)
        left = anew and self.climb is not None
        same = bool(gesture) and gesture == self._gesture
        with contextlib.nullcontext() if same else self._recorded(_label(before, after)):
            if anew:
                self.climb, self._words = None, []
            elif self.climb and (words := after.edit_words(before)):
                self._edit(words)
        self.settings, self._gesture, self._recalled = after, gesture, []
        return left

    def recall(self, recipe: Recipe) -> int:
        """Take the settings of a recipe; return how many edits will be made when it is played.

        Raises:
            LucidError: the recipe has what the studio has not.
        """
        settings, edits = recalled(recipe, self.assets, self.settings)
        with self._recorded("recall"):
            self.settings, self._recalled, self.climb, self._words = settings, edits, None, []
        return len(edits)

    def leave(self) -> None:
        """Go back to the photograph, or to an empty canvas."""
        if self.climb:
            with self._recorded("stop"):
                self.climb, self._words, self._recalled = None, [], []

    def take(self, climb: Climb, settings: Settings) -> None:
        """Go on with another drawing."""
        with self._recorded(f"seed {settings.seed}"):
            self.climb, self.settings, self.begun = climb, settings, settings
            self._words, self._recalled = [], []

    # Going back and forth

    @contextlib.contextmanager
    def _recorded(self, label: str) -> Iterator[None]:
        """Keep the present in the history, once what is done next has gone well."""
        thumb, moment = self._thumbnail(), self._moment()
        yield
        self._gesture = None
        self.history.record(label, thumb, moment)

    def _thumbnail(self) -> str:
        """A small picture of the present, from what is painted at its own size."""
        if self.climb is None:
            return thumbnail(self.picture())
        return thumbnail(to_pil(self.climb.canvas.image().detach()))

    def _moment(self) -> Moment:
        snapshot = self.climb.snapshot() if self.climb else None
        edits = tuple(self._words), tuple(self._recalled)
        return Moment(self.settings, self.climb, snapshot, self.begun, *edits)

    def undo(self) -> None:
        """Go back by one step."""
        self._go(self.history.at - 1)

    def redo(self) -> None:
        """Go forward by one step."""
        self._go(self.history.at + 1)

    def go(self, identity: object) -> None:
        """Go to an entry of the history."""
        self._go(self.history.index_of(identity))

    def _go(self, index: int) -> None:
        index = self.history.keep_present(index, self._thumbnail(), self._moment())
        moment = self.history.go(index)
        self.settings, self.climb = moment.settings, moment.climb
        self.begun, self._words = moment.begun, list(moment.words)
        self._gesture, self._recalled = None, list(moment.recalled)
        if self.climb and moment.snapshot:
            self.climb.restore(moment.snapshot)

    # Keeping

    def stem(self) -> str:
        """What the picture's file is called: what is painted, and the seed."""
        names = [row.name for row in self.settings.active][:3] or ["picture"]
        plain = ["".join(c if c.isalnum() else "-" for c in name).strip("-") for name in names]
        passes = f"_pass{self.climb.passes}" if self.climb and not self.climb.finished else ""
        return f"{'+'.join(plain)}_{self.settings.seed}{passes}"

    def recipe(self) -> Recipe:
        """The recipe by which ``lucid redo`` makes the picture as it is now.

        Raises:
            UsageError: nothing is painted yet.
        """
        if self.climb is None:
            raise UsageError("there is no picture yet: paint first")
        edits = self._words[: len(self.climb.edits)]
        if not self.climb.finished:
            edits = [*edits, (moment_text(self.climb.moment), "stop")]
        return self.begun.recipe(self.climb.plan, self.assets, edits)

    def png(self) -> bytes:
        """The picture as it is now, with its recipe, as the bytes of a PNG file."""
        path, picture = self.assets.folder / "saving.png", self.picture()
        alpha = read_alpha(self.assets.path(self.begun.photo)) if self.begun.photo else None
        if alpha is not None:
            put_alpha(picture, alpha, "crop")  # as `lucid draw` does
        recipes.write_picture(picture, path, self.recipe())
        content = path.read_bytes()
        path.unlink()
        return content

    def command_line(self) -> tuple[str, bool]:
        """How a terminal makes the picture again, and whether that needs the picture's file."""
        recipe = self.recipe()
        if not recipe.masks:
            return recipe.command_line(), False
        again = {"base": recipe.options["base"]} if "base" in recipe.options else {}
        redo = Recipe("redo", {"file": f"{self.stem()}.png", **again})
        return redo.command_line(("file", "base")), True


def _label(before: Settings, after: Settings) -> str:
    """Say in a few words what is about to change."""
    old, new = {row.id: row for row in before.rows}, {row.id: row for row in after.rows}
    for key in {**new, **old}:
        was, row = old.get(key), new.get(key)
        if was != row:
            return _row_label(was, row)
    for name in ("photo", "net", "size", "seed", "strength", "padding", "tiles", "preset"):
        if getattr(before, name) != getattr(after, name):
            return name
    return "settings"


def _row_label(was: Row | None, row: Row | None) -> str:
    """Say what is about to change in a row: it comes, goes or becomes another."""
    if row is None or was is None:
        return f"remove {was.name}" if was else f"add {row.name if row else ''}"
    if row.mask != was.mask:
        return f"paint {row.name}" if row.mask else f"{row.name} everywhere"
    if row.weight != was.weight:
        return f"{row.name} × {row.weight:g}"
    return f"{row.name} {'on' if row.on else 'off'}"
