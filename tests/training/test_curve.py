"""The learning curve is drawn from any log, also of a resumed training."""

from __future__ import annotations

import pytest
from PIL import Image

from nital.training.curve import plot_curve

HEADER = "step,foreground,boundary,total,seconds_per_step\n"


@pytest.mark.parametrize(
    "rows",
    [
        ["3,1,2,3,0.5"],
        ["50,2,2,4,0.5", "100,1,1,2,0.5", "150,1,0.9,1.9,0.5"],
        ["50,2,2,4,0.5", "100,9,9,18,0.5", "100,1,1,2,0.5", "150,1,0.9,1.9,0.5"],
    ],
    ids=["one row", "three rows", "resumed"],
)
def test_a_curve_is_drawn(tmp_path, rows):
    log, picture = tmp_path / "log.csv", tmp_path / "curve.png"
    log.write_text(HEADER + "\n".join(rows) + "\n")
    plot_curve(log, picture)
    with Image.open(picture) as image:
        assert image.width > 600
        assert image.height > 400


def test_a_step_done_twice_counts_once(tmp_path):
    pictures = []
    for name, rows in (
        ("once", "50,2,2,4,0.5\n100,1,1,2,0.5\n"),
        ("twice", "50,2,2,4,0.5\n100,9,9,18,0.5\n100,1,1,2,0.5\n"),
    ):
        log, picture = tmp_path / f"{name}.csv", tmp_path / f"{name}.png"
        log.write_text(HEADER + rows)
        plot_curve(log, picture)
        with Image.open(picture) as image:
            pictures.append(image.tobytes())
    assert pictures[0] == pictures[1]
