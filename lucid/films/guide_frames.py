"""A guide that is a film: each frame is guided by the frame of the same number."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from PIL import Image

from lucid.drawing.targets import Target


class GuideFrames(Mapping[int, Sequence[Target]]):
    """Targets by the number of the frame, each made of a frame of a film when it is asked for.

    In place of the ``targets`` of ``Keyframes``. After the guide's last frame, that one stays.
    """

    def __init__(
        self,
        footage: Iterable[Image.Image],
        count: int,
        targets: Callable[[Image.Image], Sequence[Target]],
    ) -> None:
        """Take a film of so many frames, and what makes targets of one."""
        self._footage, self._count, self._targets = footage, count, targets
        self._frames: Iterator[Image.Image] = iter(footage)
        self._next, self._latest = 0, (-1, list[Target]())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._count))

    def __getitem__(self, frame: int) -> Sequence[Target]:
        if frame not in range(self._count):
            raise KeyError(frame)
        if frame != self._latest[0]:
            if frame < self._next:  # films are read forwards
                self._frames, self._next = iter(self._footage), 0
            image = next(itertools.islice(self._frames, frame - self._next, None), None)
            # A video may have fewer frames than its header says: then its last one stays.
            found = self._latest[1] if image is None else list(self._targets(image))
            self._next, self._latest = frame + 1, (frame, found)
        return self._latest[1]
