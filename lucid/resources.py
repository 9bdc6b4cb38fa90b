"""What comes in the box and where more is kept: known without torch, for what must answer at
once."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent


def bundled() -> dict[str, Path]:
    """The cfg files that come with lucid, by name."""
    # In a wheel cfg/ lies inside the package, in a checkout beside it.
    folder = HERE / "cfg" if (HERE / "cfg").is_dir() else HERE.parent / "cfg"
    return {path.stem: path for path in sorted(folder.glob("*.cfg"))}


def presets() -> dict[str, Path]:
    """The manners that come as files with lucid, by name."""
    return {path.stem: path for path in sorted((HERE / "drawing" / "presets").glob("*.toml"))}


def cache_folder() -> Path:
    """Where fetched Darknet weights are kept: ``$LUCID_CACHE``, else the user's cache."""
    if "LUCID_CACHE" in os.environ:
        return Path(os.environ["LUCID_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lucid"
