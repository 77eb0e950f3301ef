"""Layers of named materials on simulated cross-sections, and what is refused before any work."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from nital.automatic.named import name_layers
from nital.boost.crop_classifier import load_crop_classifier
from nital.cli import app
from nital.errors import UsageError
from nital.models.tiles import standardise
from nital.segmentation import SegmentOptions
from nital.simulate.stem_image import simulate_stem

NAMES = ("SrTiO3", "Ge")


@pytest.fixture(scope="module")
def shown():
    return simulate_stem(11, (192, 192), difficulty=1, materials=NAMES, pixel=0.3, vacuum=False)


def test_what_ships_knows_every_material_that_is_simulated():
    from nital.simulate.stem_crystals import MATERIALS

    assert set(load_crop_classifier().names) == set(MATERIALS)


def test_layers_get_their_names_and_neighbours_of_one_material_join(shown):
    truth = shown.scene.phases.astype(np.int32)
    split = truth.copy()
    split[:, 96:] += 2  # each layer in two parts, as at an antiphase wall
    sure = np.full(split.shape, 200, np.uint8)
    parts, facts, log = name_layers(
        standardise(shown.image), (split, split.astype(np.uint8), sure), NAMES, None
    )
    labels, phases, confidence = parts
    assert len(log) == 4
    names = {int(number): name for number, name in facts["materials"].items()}
    for number, name in names.items():
        inside = truth == 1 + NAMES.index(name)
        assert (inside & (phases == number)).sum() > 0.95 * inside.sum()
    assert labels.max() == 2
    assert (confidence <= 200).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "grains", "materials": NAMES}, "materials are those of layers"),
        ({"target": "layers", "materials": ("Ge", "Ge")}, "different materials"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        SegmentOptions(**options)


def test_the_command_line_names_what_the_classifier_does_not_know(tmp_path):
    from PIL import Image

    Image.new("L", (70, 70), 9).save(tmp_path / "a.png")
    done = CliRunner().invoke(
        app,
        ["segment", str(tmp_path / "a.png"), "--materials", "NaCl", "--out", str(tmp_path / "out")],
    )
    assert done.exit_code == 2
    assert "NaCl cannot be told" in done.output
    assert not (tmp_path / "out").exists()
