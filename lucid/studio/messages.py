"""What the pages are told, as JSON-compatible values."""

from __future__ import annotations

from typing import Any

from lucid.drawing.climb import Climb
from lucid.nets.imagenet import own_groups
from lucid.nets.net import Net
from lucid.studio.document import Document

Message = dict[str, Any]


def state_message(document: Document, *, running: bool, view: str = "") -> Message:
    """The state: what is chosen and what is under way.

    Args:
        document: the picture.
        running: whether anything moves on.
        view: ``loading``, ``sheet`` or ``film``, if one of these is what there is to see.
    """
    climb, history = document.climb, document.history
    status = view or "empty"
    if climb and not view:
        status = "playing" if running else "finished" if climb.finished else "paused"
    can = {"undo": history.at > 0, "redo": history.at < len(history.entries) - 1}
    return {
        **{"type": "state", "status": status, "running": running, "can": can},
        **{"settings": document.settings.to_dict(), "passes": climb.passes if climb else 0},
    }


def progress_message(climb: Climb, seconds: float) -> Message:
    """How far a drawing has come, after so many seconds of painting."""
    progress = climb.progress()
    height, width = progress.octave
    done = min(1.0, progress.done / max(1, progress.total))
    return {
        **{"type": "progress", "passes": climb.passes, "rings": climb.rings, "done": done},
        **{"octave": [width, height], "seconds": round(seconds, 1)},
    }


def net_message(net: Net) -> Message:
    """The classes and layers of a net, for the page."""
    classes = list(net.classes)
    layers = [
        {"name": name, "channels": shape[0]} for name, _, shape in net.describe() if len(shape) == 3
    ]
    return {
        **{"type": "net", "name": net.name, "classes": classes},
        **{"groups": own_groups(classes), "layers": layers},
    }
