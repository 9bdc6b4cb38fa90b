"""A page to paint on, live: ``lucid studio``, and ``lucid.studio()`` in a notebook."""

from __future__ import annotations

import sys
import types
from typing import Any


class _CallableModule(types.ModuleType):
    """This package, which is called like a function: ``lucid.studio(photo)``."""

    def __call__(self, photo: Any = None, **options: Any) -> Any:
        from lucid.studio.notebook import studio

        return studio(photo, **options)


sys.modules[__name__].__class__ = _CallableModule
