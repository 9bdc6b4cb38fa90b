from __future__ import annotations

import pytest
import torch
from metrics import TileEdges, edge_ratio, seam_ratio, ssim, worst_line

from lucid.core.device import Runtime
from lucid.drawing.loop import draw
from lucid.drawing.progress import Progress
from lucid.imaging.io import from_pil
from lucid.nets.net import Net
from lucid.tiling.tiles import Tile


def test_borders_are_counted_where_they_run_in_the_picture() -> None:
    edges = TileEdges((100, 60))
    edges.add([(Tile(-10, 5), (20, 10))], octave=(50, 30))
    assert edges.rows[19, 10:30].tolist() == [1] * 20
    assert edges.rows.sum() == 20
    assert edges.columns[:20, [9, 29]].sum() == 40 == edges.columns.sum()


def test_a_seam_is_seen_where_a_border_ran_and_nowhere_else() -> None:
    generator = torch.Generator().manual_seed(0)
    change = torch.rand(3, 64, 64, generator=generator) * 0.1
    smooth, seamed = change, change.clone()
    seamed[:, 32:] += 0.3
    edges = TileEdges((64, 64))
    edges.add([(Tile(32, 0), (64, 64))], octave=(64, 64))
    assert seam_ratio(smooth, edges) == pytest.approx(1, abs=0.1)
    assert seam_ratio(seamed, edges) > 5
    assert worst_line(smooth) < 1.2
    assert worst_line(seamed) > 5


def test_edges_are_weighed_against_the_middle() -> None:
    change = torch.full((3, 80, 90), 0.2)
    change[:, 16:-16, 16:-16] = 0.4
    assert edge_ratio(change) == pytest.approx(0.5)


def test_likeness_is_one_for_the_same_and_less_for_less(photo: torch.Tensor) -> None:
    noise = torch.randn(photo.shape)
    near, far = ((photo + much * noise).clamp(0, 1) for much in (0.02, 0.2))
    assert ssim(photo, photo) == pytest.approx(1)
    assert 1 > ssim(photo, near) > ssim(photo, far) > 0


@pytest.mark.slow
def test_blended_tiles_leave_less_than_deepdraws_first_form(classifier: Net) -> None:
    def ratio(order: str, padding: str) -> float:
        found = []
        for seed in range(3):
            edges = TileEdges((96, 128))

            def watch(progress: Progress, edges: TileEdges = edges) -> None:
                edges.add(progress.tiles(), progress.octave)

            painted = draw(
                classifier,
                "goldfish",
                torch.full((3, 96, 128), 0.5),
                order=order,
                padding=padding,
                tile_size=32,
                octave_count=2,
                iterations=8,
                seed=seed,
                runtime=Runtime("cpu"),
                watch=watch,
            )
            found.append(seam_ratio(from_pil(painted) - 0.5, edges))
        return sum(found) / len(found)

    assert abs(ratio("spiral", "reflect") - 1) < 0.06
    assert ratio("fixed", "mean") > 1.06
