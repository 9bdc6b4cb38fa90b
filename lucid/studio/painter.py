"""The thread that owns the net and the picture: nothing else in the studio paints."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from lucid.drawing.climb import Climb
from lucid.errors import LucidError, UsageError, is_out_of_memory
from lucid.imaging import recipes
from lucid.nets.registry import load
from lucid.studio import autosave
from lucid.studio.document import Document
from lucid.studio.film import FilmRoom
from lucid.studio.frames import FILM, PICTURE, PREVIEW, SHEET, Frame, encode
from lucid.studio.messages import Message, net_message, progress_message, state_message
from lucid.studio.sheet import SeedSheet

log = logging.getLogger("lucid")

RATE = 5
"""Frames a second, besides one after each command: more slow the painter down, which shares its
processors with the browser."""

AUTOSAVE = 30
"""Seconds from one autosave to the next, while a picture grows."""

Publish = Callable[[Message | Frame], None]
"""Sends a message or a picture to every page."""


class Painter(threading.Thread):
    """Paints what the pages ask for; they share one picture.

    Attributes:
        document: the picture, its settings and its history.
        nets: names of the nets that may be loaded.
        folder: of the autosave; None for none.
        running: whether anything moves on.
        wants_frame: set while a page waits for a picture.
    """

    def __init__(
        self,
        publish: Publish,
        document: Document,
        loaded: str,
        nets: list[str],
        folder: Path | None,
    ) -> None:
        super().__init__(name="lucid painter", daemon=True)
        self.publish, self.document, self.nets, self.folder = publish, document, nets, folder
        self.running = False
        self.wants_frame = threading.Event()
        self._loaded = loaded  # the name by which the net was asked for
        self._commands: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._sheet: SeedSheet | None = None
        self._film: FilmRoom | None = None
        self._frame = 0
        self._shown = False  # whether the pages have the picture as it is
        self._last_frame = self._last_saved = self._seconds = 0.0
        self._loading = self._quit = False

    # What other threads call

    def tell(self, command: Message) -> None:
        """Give the painter a command, which is carried out before the next ring."""
        self._commands.put(command)

    def close(self) -> None:
        """Save the picture and end the thread."""
        if self.ident is not None:  # it was started
            self.tell({"do": "quit"})
            self.join(30)

    # The loop

    def run(self) -> None:
        """Carry out commands, and paint in between."""
        # The first step of a process takes a second longer, in which torch imports what it needs.
        with contextlib.suppress(Exception):
            Climb(self.document.settings.plan(self.document.net, self.document.assets)).step()
        while not self._quit:
            try:
                self._turn()
            except LucidError as error:
                self.running = False
                self._say("error", str(error))
                self.publish(self.state())
            except Exception as error:  # the page is told, and the studio goes on
                self._recover(error)
        self._save()

    def _turn(self) -> None:
        """Carry out what was asked for; then paint one ring."""
        self._load_net()
        idle = not self.running and (self._shown or not self.wants_frame.is_set())
        for command in self._asked(wait=idle):
            self._obey(command)
            self._load_net()
        if self.running:
            began = time.monotonic()
            self._paint()
            self._seconds += time.monotonic() - began
        self._show()

    def _load_net(self) -> None:
        """Load the net of the settings, unless that is loaded."""
        document, name = self.document, self.document.settings.net
        if name == self._loaded:
            return
        self._loading = True
        self.publish(self.state())
        try:
            document.net = load(name, progress=False)
            self._loaded = name
            self.publish(net_message(document.net))
        finally:
            document.settings = replace(document.settings, net=self._loaded)
            self._loading = False
        self.publish(self.state())

    def _asked(self, *, wait: bool) -> Iterator[Message]:
        """The commands that came; with ``wait``, at least one."""
        try:
            yield self._commands.get(block=wait)
            while True:
                yield self._commands.get_nowait()
        except queue.Empty:
            return

    def _obey(self, command: Message) -> None:
        """Carry out one command; a mistake in it is told, and changes nothing."""
        name = str(command.get("do"))
        if name == "wake":
            return
        carry_out = COMMANDS.get(name)
        history = self.document.history
        before = (len(history.entries), history.at, history.entries[-1:])
        try:
            if carry_out is None:
                raise UsageError(f"there is no command {name[:40]!r}")
            carry_out(self, command)
        except LucidError as error:
            self._say("error", str(error))
        if before != (len(history.entries), history.at, history.entries[-1:]):
            self.publish(history.to_dict())
        self._shown, self._last_frame = False, 0.0  # what was asked for is seen at once
        self.publish(self.state())

    def _paint(self) -> None:
        """Move on by one ring of tiles, or by one frame of the film."""
        if self._film:
            drawn = len(self._film.frames)
            self.running = self._film.step()
            self.publish(self._film.progress())
            for frame in self._film_frames(drawn):
                self.publish(frame)
        elif self._sheet:
            self.running, self._shown = self._sheet.step(), False
        else:
            before = self.document.settings
            self.running, self._shown = self.document.step(), False
            if self.document.settings != before:
                self.publish(self.state())
        if time.monotonic() - self._last_saved > AUTOSAVE:
            self._save()
        if not self.running:
            self._save()
            self.publish(self.state())

    def _recover(self, error: Exception) -> None:
        """Tell of a mistake that nobody foresaw, and of what was saved."""
        log.error("the painter failed", exc_info=error)
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            what = "there is not enough memory: choose a smaller size"
        where = "; the picture was saved: `lucid studio --resume` brings it back"
        self._say("error", f"painting stopped ({what}){where if self._save() else ''}")
        if not (self._film or self._sheet):
            with contextlib.suppress(Exception):
                self.document.leave()  # to the history, from where undo brings it back
            self.document.climb = None
        self._close()
        self.publish(self.state())

    def _save(self) -> bool:
        """Save the picture automatically; tell whether that went well."""
        self._last_saved = time.monotonic()
        try:
            return self.folder is not None and autosave.save(self.document, self.folder)
        except Exception as error:  # the thread must live on
            log.error("the picture could not be saved", exc_info=error)
            return False

    # What is sent

    def _say(self, kind: str, text: str) -> None:
        self.publish({"type": kind, "text": text})

    def state(self) -> Message:
        """The state for the page."""
        view = "loading" if self._loading else "film" if self._film else ""
        view = view or ("sheet" if self._sheet else "")
        return state_message(self.document, running=self.running, view=view)

    def _show(self) -> None:
        """Send the picture, if a page waits for one and the last one is a while ago."""
        now = time.monotonic()
        # What a command changed is shown before the next command is carried out.
        early = self._last_frame and (
            now - self._last_frame < 1 / RATE or not self._commands.empty()
        )
        early = self.running and early
        if self._shown or early or not self.wants_frame.is_set():
            return
        self._shown, self._last_frame = True, now
        if self._film:
            return
        climb = None if self._sheet else self.document.climb
        picture = self._sheet.picture() if self._sheet else self.document.picture()
        self._frame += 1
        jpeg = encode(picture, PREVIEW if self.running else None)
        kind = SHEET if self._sheet else PICTURE
        self.publish(Frame(kind, self._frame, *picture.size, jpeg))
        if climb:
            self.publish(progress_message(climb, self._seconds))

    def _film_frames(self, first: int) -> Iterator[Frame]:
        """The frames of the film from a number on; a page keeps all."""
        assert self._film
        for index, frame in enumerate(self._film.frames[first:], first):
            self._frame += 1
            yield Frame(FILM, self._frame, *frame.size, encode(frame, PREVIEW), index)

    # Commands

    def _close(self) -> None:
        """Leave the sheet or the film."""
        self._sheet = self._film = None
        self.running = False

    def _check_view(self) -> None:
        """Refuse what changes the picture while something else is shown."""
        if self._sheet or self._film:
            raise UsageError("leave the film or the nine seeds first")

    def set(self, command: Message) -> None:
        """Change settings."""
        changes = command.get("changes")
        if not isinstance(changes, dict):
            raise UsageError("set needs changes")
        self._check_net(changes.get("net", self.document.settings.net))
        settings = self.document.settings
        same_net = changes.get("net", settings.net) == settings.net
        again = self.document.change(changes, command.get("gesture")) and self.running and same_net
        settings = self.document.settings
        if self._sheet or self._film:
            self._close()
        elif again:
            self._begin()
        elif self.document.climb is None or not (settings.active or settings.guide):
            self.running = False

    def _check_net(self, name: object) -> None:
        if name not in self.nets:
            raise UsageError(
                f"the net {str(name)[:60]!r} is not in the box: start the studio with --net"
            )

    def _begin(self) -> None:
        self.running = False
        self.document.go_on()
        self.running = True

    def play(self, command: Message) -> None:
        """Begin, go on, or paint more of what is finished."""
        if not (self._sheet or self._film):
            if self.document.climb is None:
                self._seconds, self._last_saved = 0.0, time.monotonic()
            self._begin()
        self.running = True

    def pause(self, command: Message) -> None:
        """Stop moving on."""
        self.running = False
        self._save()

    def step(self, command: Message) -> None:
        """Paint one ring."""
        self.play(command)
        self._paint()
        self.running = False

    def stop(self, command: Message) -> None:
        """Leave the sheet or the film; or go back to the photograph, or to an empty canvas."""
        if not (self._sheet or self._film):
            self.document.leave()
        self._close()

    def close_view(self, command: Message) -> None:
        """Leave the sheet or the film."""
        self._close()

    def undo(self, command: Message) -> None:
        """Go back by one step."""
        self.document.undo()
        self._close()

    def redo(self, command: Message) -> None:
        """Go forward by one step."""
        self.document.redo()
        self._close()

    def go(self, command: Message) -> None:
        """Go to an entry of the history."""
        self.document.go(command.get("to"))
        self._close()

    def fork(self, command: Message) -> None:
        """Go on from here with another seed."""
        self._check_view()
        self.document.fork()
        self._begin()

    def erase(self, command: Message) -> None:
        """Bring the photograph back where a mask is bright."""
        self._check_view()
        self.document.erase(command.get("mask"))

    def seeds(self, command: Message) -> None:
        """Begin a sheet of nine seeds."""
        settings, assets = self.document.settings, self.document.assets
        self._film, self._sheet = None, SeedSheet(settings, self.document.net, assets)
        self.running = True

    def pick(self, command: Message) -> None:
        """Go on with one picture of the sheet."""
        if self._sheet is None:
            raise UsageError("there is no sheet to pick from")
        climb, settings = self._sheet.pick(command.get("index"))
        self._sheet, self._seconds = None, 0.0
        self.document.take(climb, settings)
        self.running = True

    def make_film(self, command: Message) -> None:
        """Begin a film with the present picture."""
        document = self.document
        film = FilmRoom(
            *(command, document.settings, document.net, document.assets, document.picture()),
            name=f"{document.stem()}.png",
            interrupted=lambda: not self._commands.empty(),
        )
        self._sheet, self._film, self.running = None, film, True

    def download(self, command: Message) -> None:
        """Write the film, to be fetched."""
        if self._film is None:
            raise UsageError("there is no film: make one first")
        self._offer(*self._film.write(str(command.get("format"))))

    def save(self, command: Message) -> None:
        """Write the picture with its recipe, to be fetched."""
        self._offer(self.document.png(), ".png")

    def _offer(self, content: bytes, suffix: str) -> None:
        digest = self.document.assets.offer(content, suffix)
        name = f"{self.document.stem()}{suffix}"
        self.publish({"type": "saved", "asset": digest, "name": name})

    def command_line(self, command: Message) -> None:
        """Say how a terminal makes the picture again."""
        text, needs_file = self.document.command_line()
        if needs_file:
            self._say("notice", "the masks are in the picture: save it, too")
        self.publish({"type": "command", "text": text})

    def recall(self, command: Message) -> None:
        """Take the settings of an uploaded picture's recipe."""
        recipe = recipes.read(self.document.assets.path(str(command.get("asset"))))
        self._check_net(recipe.options.get("net", "lucid64"))
        edits = self.document.recall(recipe)
        self._close()
        if edits:
            self.publish({"type": "edits", "count": edits})

    def hello(self, command: Message) -> None:
        """Tell a page that has come what the others know."""
        send: Publish = command["send"]
        send(net_message(self.document.net))
        send(self.document.history.to_dict())
        for frame in self._film_frames(0) if self._film else ():
            send(frame)

    def ask(self, command: Message) -> None:
        """Answer a question of the program."""
        command["answer"](self.document)

    def quit(self, command: Message) -> None:
        """End the thread."""
        self._quit = True


COMMANDS: dict[str, Callable[[Painter, Message], None]] = {
    **{"set": Painter.set, "play": Painter.play, "pause": Painter.pause, "step": Painter.step},
    **{"stop": Painter.stop, "close": Painter.close_view, "undo": Painter.undo},
    **{"redo": Painter.redo, "go": Painter.go, "fork": Painter.fork, "erase": Painter.erase},
    **{"sheet": Painter.seeds, "pick": Painter.pick, "film": Painter.make_film},
    **{"download": Painter.download, "save": Painter.save, "command": Painter.command_line},
    **{"recall": Painter.recall},
}
"""What a page may ask for, and what does it."""

PAGE_COMMANDS = frozenset({*COMMANDS, "ack"})
COMMANDS |= {"hello": Painter.hello, "ask": Painter.ask, "quit": Painter.quit}
