"""Reading, splitting and cutting labelled sets, with everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nital.errors import InputError, UsageError
from nital.evaluation.parts import three_parts
from nital.semantic.samples import (
    IGNORED,
    LabelledImage,
    crops_of,
    load_semantic_set,
    windows_of,
)

MakeSet = Callable[..., Path]


class TestThreeParts:
    @pytest.mark.parametrize(
        ("count", "expected"), [(10, (6, 2, 2)), (16, (10, 3, 3)), (3, (1, 1, 1)), (2, (2, 0, 0))]
    )
    def test_six_to_two_to_two(self, count: int, expected: tuple[int, int, int]) -> None:
        parts = list(three_parts([f"image {n}" for n in range(count)]).values())
        assert tuple(parts.count(p) for p in ("train", "validation", "test")) == expected

    def test_the_order_of_the_names_does_not_matter(self) -> None:
        names = [f"image {n}" for n in range(12)]
        assert three_parts(names) == three_parts(names[::-1])


class TestLoading:
    def test_classes_become_indices(self, make_set: MakeSet) -> None:
        data = load_semantic_set(make_set())
        assert data.classes == ("ground", "disc", "square")
        assert data.values == (1, 2, 3)
        assert data.notes == ()
        truth = data.parts["train"][0].truth
        assert set(np.unique(truth)) == {0, 1, 2}

    def test_rare_classes_weigh_more_and_the_mean_is_one(self, make_set: MakeSet) -> None:
        data = load_semantic_set(make_set())
        counts = sum(np.bincount(e.truth.ravel(), minlength=3) for e in data.parts["train"])
        weights = data.class_weights()
        others = counts.sum() - counts
        np.testing.assert_allclose(weights / weights[0], others / others[0], rtol=1e-5)
        assert (weights * counts).sum() / counts.sum() == pytest.approx(1)

    def test_for_two_classes_the_weights_are_those_of_edge_detection(
        self, make_set: MakeSet
    ) -> None:
        """beta on edges and 1 - beta elsewhere, with beta the share that is no edge."""
        folder = make_set()
        for path in (folder / "labels").iterdir():
            Image.fromarray((np.array(Image.open(path)) == 2).astype(np.uint8)).save(path)
        toml = 'task = "boundaries"\nuse = "train"\n[classes]\n0 = "grain"\n1 = "grain boundary"\n'
        (folder / "dataset.toml").write_text(toml, encoding="utf-8")
        data = load_semantic_set(folder)
        edge = np.mean([(e.truth == 1).mean() for e in data.parts["train"]])
        weights = data.class_weights()
        assert weights[1] / weights[0] == pytest.approx((1 - edge) / edge, rel=1e-5)

    def test_class_0_is_not_learnt_unless_it_has_a_name(self, make_set: MakeSet) -> None:
        folder = make_set()
        path = next((folder / "labels").iterdir())
        truth = np.array(Image.open(path))
        truth[:5] = 0
        Image.fromarray(truth).save(path)
        data = load_semantic_set(folder)
        every = [e for part in data.parts.values() for e in part if e.name == path.stem]
        assert (every[0].truth[:5] == IGNORED).all()
        assert (every[0].truth[5:] >= 0).all()

    def test_the_public_layout_of_matsam(self, make_set: MakeSet) -> None:
        folder = make_set()
        (folder / "dataset.toml").unlink()
        (folder / "images").rename(folder / "image")
        (folder / "labels").rename(folder / "label")
        for path in (folder / "label").iterdir():
            two = np.where(np.array(Image.open(path)) == 2, 255, 0).astype(np.uint8)
            Image.fromarray(two).save(path.with_name(f"{path.stem}_mask.png"))
            path.unlink()
        assert load_semantic_set(folder).classes == ("matrix", "phase")


class TestBadInput:
    def test_a_missing_label_is_named_and_the_rest_is_used(self, make_set: MakeSet) -> None:
        folder = make_set(8)
        (folder / "labels" / "image 3.png").unlink()
        data = load_semantic_set(folder)
        assert sum(len(part) for part in data.parts.values()) == 7
        assert len(data.notes) == 1
        assert "image 3.png: has no label file; add" in data.notes[0]

    def test_another_size(self, make_set: MakeSet) -> None:
        folder = make_set(8)
        Image.fromarray(np.ones((64, 60), np.uint8)).save(folder / "labels" / "image 3.png")
        (note,) = load_semantic_set(folder).notes
        assert "image 3.png: is 64 x 60 pixels, its image 64 x 64" in note

    def test_a_class_that_is_not_declared(self, make_set: MakeSet) -> None:
        folder = make_set(8)
        Image.fromarray(np.full((64, 64), 7, np.uint8)).save(folder / "labels" / "image 3.png")
        (note,) = load_semantic_set(folder).notes
        assert "image 3.png: holds the values 7, which are not declared; name them" in note

    def test_an_rgb_palette(self, make_set: MakeSet) -> None:
        folder = make_set(8)
        colours = np.zeros((64, 64, 3), np.uint8)
        colours[:20] = (255, 0, 0)
        Image.fromarray(colours).save(folder / "labels" / "image 3.png")
        (note,) = load_semantic_set(folder).notes
        assert "image 3.png" in note
        assert "is not a label image; save one 2-D integer image" in note

    def test_an_empty_class(self, make_set: MakeSet) -> None:
        folder = make_set()
        settings = folder / "dataset.toml"
        settings.write_text(settings.read_text() + '4 = "crack"\n', encoding="utf-8")
        data = load_semantic_set(folder)
        assert data.class_weights()[3] == 0
        (note,) = data.notes
        assert "class 'crack' is in no training label, so it cannot be learnt; label it" in note

    def test_too_few_images(self, make_set: MakeSet) -> None:
        with pytest.raises(InputError, match=r"no image is left for the .* part, 2 of 2 can be"):
            load_semantic_set(make_set(2))

    def test_a_set_of_particles_has_no_classes(self, make_set: MakeSet) -> None:
        folder = make_set(settings='task = "instances"\nuse = "train"\n')
        with pytest.raises(UsageError, match="its task is instances, which gives no class"):
            load_semantic_set(folder)

    def test_a_set_that_is_not_for_training(self, make_set: MakeSet) -> None:
        folder = make_set()
        settings = folder / "dataset.toml"
        settings.write_text(settings.read_text().replace('use = "train"\n', ""), encoding="utf-8")
        with pytest.raises(UsageError, match=r'is not for training; .* write use = "train" into'):
            load_semantic_set(folder)


class TestCrops:
    def image(self, height: int = 50, width: int = 70) -> LabelledImage:
        number = np.arange(height * width).reshape(height, width)
        return LabelledImage("a", number.astype(np.float32), number % 3)

    def test_image_and_truth_stay_together(self) -> None:
        for image, truth in crops_of([self.image()], 32, 20, np.random.default_rng(0)):
            assert image.shape == truth.shape == (32, 32)
            np.testing.assert_array_equal(image.astype(int) % 3, truth)

    def test_all_four_flips_occur(self) -> None:
        found = set()
        for image, _ in crops_of([self.image()], 32, 40, np.random.default_rng(0)):
            found.add((bool(image[1, 0] > image[0, 0]), bool(image[0, 1] > image[0, 0])))
        assert len(found) == 4

    def test_windows_label_every_pixel_once(self) -> None:
        seen = [image[truth != IGNORED] for image, truth in windows_of([self.image()], 32)]
        np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(50 * 70))

    def test_an_image_smaller_than_a_crop_is_not_labelled_beyond_its_edge(self) -> None:
        (window,) = windows_of([self.image(20, 30)], 32)
        assert window[0].shape == (32, 32)
        assert (window[1] != IGNORED).sum() == 20 * 30
