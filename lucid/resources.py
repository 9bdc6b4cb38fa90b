"""Files that ship with lucid, and the cache folder.

This module does not import torch: shell completion and ``lucid doctor`` use it.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).parent


def bundled() -> dict[str, Path]:
    """Return the cfg files that ship with lucid: paths by net name, in alphabetical order."""
    # A wheel has cfg/ inside the package, a source checkout has it next to the package.
    folder = PACKAGE / "cfg" if (PACKAGE / "cfg").is_dir() else PACKAGE.parent / "cfg"
    return {path.stem: path for path in sorted(folder.glob("*.cfg"))}


def presets() -> dict[str, Path]:
    """Return the preset files that ship with lucid: paths by name, in alphabetical order."""
    folder = PACKAGE / "drawing" / "presets"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def cache_folder() -> Path:
    """Return the folder for downloaded Darknet weights, which may not exist yet.

    This is ``$LUCID_CACHE`` if set, else ``lucid`` in the operating system's folder for user
    caches, such as ``~/.cache`` or ``$XDG_CACHE_HOME`` on Linux. A user without a home, as in some
    containers, has one in the folder for temporary files.
    """
    if "LUCID_CACHE" in os.environ:
        return Path(os.environ["LUCID_CACHE"])
    try:
        return platformdirs.user_cache_path("lucid", appauthor=False)
    except RuntimeError:  # no $HOME, and the system does not know the user
        import tempfile

        return Path(tempfile.gettempdir()) / f"lucid_cache_{os.getuid()}"
