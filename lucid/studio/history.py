"""What an artist did, step by step, to go back and forth in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from lucid.drawing.climb import Climb
from lucid.drawing.snapshot import Snapshot
from lucid.errors import UsageError
from lucid.studio.recall import TypedEdit
from lucid.studio.settings import Settings

MAX_BYTES = 512 * 2**20
"""Memory that snapshots may take; the oldest go first."""

MAX_ENTRIES = 300


@dataclass(frozen=True)
class Moment:
    """All that undo brings back.

    Attributes:
        settings: what was chosen.
        climb: the drawing under way; None before one begins.
        snapshot: the climb as it was.
        begun: the settings that the climb began with.
        words: its edits, with those of a recipe that are to come.
        recalled: the edits of a recipe that is to be followed once a drawing begins.
    """

    settings: Settings
    climb: Climb | None
    snapshot: Snapshot | None
    begun: Settings
    words: tuple[TypedEdit, ...]
    recalled: tuple[TypedEdit, ...]

    def is_like(self, other: Moment) -> bool:
        """Whether both show the same: nothing was painted or changed in between."""
        if self.climb is not other.climb or self.settings != other.settings:
            return False
        states = [each.snapshot.state for each in (self, other) if each.snapshot]
        names = ("passes", "rings", "edits")
        return len(states) < 2 or all(states[0][name] == states[1][name] for name in names)


@dataclass(frozen=True)
class Entry:
    """A moment, with what was done next, and a picture of it.

    Attributes:
        id: tells entries apart.
        label: what was done next, for people.
        thumb: the address of a small picture.
        moment: before that.
    """

    id: int
    label: str
    thumb: str
    moment: Moment


@dataclass
class History:
    """Entries, of which one may be the present.

    Attributes:
        entries: the oldest first.
        at: the index of the present; ``len(entries)`` for the time after the last.
    """

    entries: list[Entry] = field(default_factory=list)
    at: int = 0
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def record(self, label: str, thumb: str, moment: Moment) -> None:
        """Keep the moment before something is done; what was undone before is gone."""
        del self.entries[self.at :]
        self.entries.append(Entry(next(self._ids), label, thumb, moment))
        self.at = len(self.entries)
        self._forget()

    def _forget(self) -> None:
        """Let the oldest entries go, if there are too many."""
        while self.at > 0 and (self.nbytes > MAX_BYTES or len(self.entries) > MAX_ENTRIES):
            del self.entries[0]
            self.at -= 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory that all snapshots take."""
        snapshots = (each.moment.snapshot for each in self.entries)
        return sum(each.nbytes for each in snapshots if each)

    def keep_present(self, index: int, thumb: str, now: Moment) -> int:
        """Make the present an entry if it is none, before going to the one at an index.

        Returns:
            The index where the entry to go to lies then.

        Raises:
            UsageError: there is no such entry.
        """
        if not 0 <= index < len(self.entries):
            raise UsageError("there is nothing to undo or redo there")
        if self.at == len(self.entries):
            self.entries.append(Entry(next(self._ids), "now", thumb, now))
        elif not self.entries[self.at].moment.is_like(now):  # it was painted on
            self.entries.insert(self.at + 1, Entry(next(self._ids), "painted on", thumb, now))
            index += index > self.at
            self.at += 1
        elif index == self.at:
            raise UsageError("there is nothing to undo or redo there")
        return index

    def go(self, index: int) -> Moment:
        """Go to an entry."""
        self.at = index
        moment = self.entries[index].moment
        self._forget()
        return moment

    def index_of(self, identity: object) -> int:
        """The index of the entry with an id; -1 for none."""
        return next((i for i, each in enumerate(self.entries) if each.id == identity), -1)

    def to_dict(self) -> dict[str, Any]:
        """The entries for the page."""
        listed = [
            {"id": each.id, "label": each.label, "thumb": each.thumb} for each in self.entries
        ]
        return {"type": "history", "entries": listed, "at": self.at}
