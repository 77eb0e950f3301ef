"""The generator on a model that knows the truth: what is asked, kept, dropped and put together."""

from __future__ import annotations

import numpy as np
import pytest
from tests.generator.conftest import LabelModel, discs

from nital.errors import UsageError
from nital.generator import GeneratorOptions, generate
from nital.generator.coverage import Coverage
from nital.generator.crops import Crop, crops_of, grid_points, touches_inner_edge
from nital.generator.gaps import GapOptions, gap_points, typical_radius
from nital.generator.regions import clean_regions
from nital.masks.packed import PackedMasks
from nital.masks.stack import stack_labels
from nital.models import Decoded, Embedding
from nital.prompts import PromptSet


def iou_of(masks: PackedMasks, truth: np.ndarray) -> list[float]:
    """Best IoU of each true object with any mask."""
    best = []
    for label in np.unique(truth[truth > 0]):
        body = truth == label
        found = 0.0
        for index in range(len(masks)):
            part = body[masks.place(index)] & masks.mask(index)
            found = max(found, part.sum() / (body.sum() + masks.areas[index] - part.sum()))
        best.append(found)
    return best


class TestCrops:
    def test_layers_cover_the_image_and_overlap(self) -> None:
        crops = crops_of((300, 500), 2, 512 / 1500)
        assert [sum(c.layer == layer for c in crops) for layer in range(3)] == [1, 4, 16]
        for layer in (1, 2):
            seen = np.zeros((300, 500), int)
            for crop in crops:
                if crop.layer == layer:
                    seen[crop.place] += 1
            assert seen.min() >= 1
            assert seen.max() >= 4

    def test_the_grid_is_that_of_sam(self) -> None:
        points = grid_points((100, 200), 2)
        assert points.tolist() == [[25, 50], [25, 150], [75, 50], [75, 150]]

    def test_a_box_at_a_cut_is_dropped_and_at_the_border_kept(self) -> None:
        crop = Crop(0, 0, 100, 100, 1)
        boxes = np.array([[0, 0, 30, 30], [60, 40, 95, 60], [40, 40, 60, 60]])
        assert touches_inner_edge(boxes, crop, (200, 200)).tolist() == [False, True, False]
        assert not touches_inner_edge(boxes, crop, (100, 100)).any()


class TestMasks:
    def test_each_object_once_and_whole(self) -> None:
        truth = discs((256, 256), 64, 22)
        found = generate(LabelModel(), truth, GeneratorOptions(16, best_of_three=True))
        assert len(found.masks) == 16
        assert min(iou_of(found.masks, truth)) > 0.95
        assert found.facts["prompts"] == 256
        assert found.facts["masks"] == 16

    def test_of_three_masks_suppression_leaves_the_best(self) -> None:
        truth = discs((256, 256), 128, 50)
        all_three = GeneratorOptions(16, box_nms_thresh=0.99)
        assert len(generate(LabelModel(), truth, all_three).masks) == 8
        found = generate(LabelModel(), truth, GeneratorOptions(16))
        assert len(found.masks) == 4
        np.testing.assert_allclose(found.masks.scores, 0.95)

    def test_unstable_masks_go(self) -> None:
        truth = discs((128, 128), 64, 12)
        lax = GeneratorOptions(8, stability_score_thresh=0.0, best_of_three=True)
        assert len(generate(LabelModel(), truth, lax).masks) == 5
        strict = GeneratorOptions(8, best_of_three=True)
        assert len(generate(LabelModel(), truth, strict).masks) == 4

    def test_crops_find_what_the_whole_image_is_too_coarse_for(self) -> None:
        truth = discs((256, 256), 32, 9)
        model = LabelModel()
        coarse = generate(model, truth, GeneratorOptions(4, best_of_three=True))
        assert len(coarse.masks) == 0
        options = GeneratorOptions(4, crop_n_layers=1, best_of_three=True)
        found = generate(model, truth, options)
        assert model.embedded == 1 + 5
        assert len(found.masks) > 4
        assert found.facts["prompts"] == 5 * 16

    def test_what_a_crop_cuts_comes_from_a_larger_one(self) -> None:
        truth = np.zeros((256, 256), np.float32)
        truth[40:216, 40:216] = 1
        found = generate(LabelModel(), truth, GeneratorOptions(8, crop_n_layers=1))
        assert len(found.masks) == 1
        assert iou_of(found.masks, truth)[0] > 0.97

    def test_labels_that_do_not_overlap(self) -> None:
        truth = discs((200, 300), 50, 20)
        found = generate(LabelModel(), truth, GeneratorOptions(24, best_of_three=True))
        labels = stack_labels(found.masks)
        assert len(np.unique(labels)) - 1 == 24
        assert ((labels > 0) == (truth > 0)).mean() > 0.97

    def test_small_regions(self) -> None:
        mask = np.zeros((40, 40), bool)
        mask[5:30, 5:30] = True
        mask[10:12, 10:12] = False
        mask[35:37, 35:37] = True
        packed = PackedMasks.pack((40, 40), np.array([[0, 0, 40, 40]]), [mask])
        cleaned = clean_regions(packed, 9, 0.7)
        assert cleaned.boxes.tolist() == [[5, 5, 30, 30]]
        assert cleaned.areas.tolist() == [625]
        assert clean_regions(packed, 3, 0.7).areas.tolist() == packed.areas.tolist()


class TestRounds:
    def test_what_is_covered_is_not_asked_again(self) -> None:
        truth = discs((256, 256), 64, 22)
        middles = np.argwhere(truth > 0)[:: (truth > 0).sum() // 40]
        centres = np.array([(r, c) for r in range(32, 256, 64) for c in range(32, 256, 64)])
        model = LabelModel()
        found = generate(model, truth, source=lambda image: [centres, middles])
        assert len(found.masks) == 16
        assert found.facts["skipped"] >= 0.9 * len(middles)

    def test_a_missed_object_is_found_in_a_later_round(self) -> None:
        truth = discs((256, 256), 64, 22)
        first, second = np.array([[32, 32]]), np.array([[32, 33], [160, 160]])
        found = generate(LabelModel(), truth, source=lambda image: [first, second])
        assert len(found.masks) == 2
        assert found.facts == {"prompts": 2, "skipped": 1, "candidates": 4, "masks": 2}

    def test_gaps_are_asked_about_until_all_is_found(self) -> None:
        truth = discs((256, 256), 64, 22)
        one = np.array([[32, 32]])
        found = generate(LabelModel(), truth, source=lambda image: [one], gaps=GapOptions())
        assert len(found.masks) == 16
        assert found.facts["prompts"] <= 1000

    def test_little_is_asked_of_an_image_that_answers_nothing(self) -> None:
        empty = np.zeros((512, 512), dtype=np.float32)
        empty[100:140, 100:140] = 1
        points = np.stack(np.mgrid[4:512:8, 4:512:8], axis=-1).reshape(-1, 2)
        given = {"source": lambda image: [np.array([[120, 120]]), points]}
        every = generate(LabelModel(), empty, **given)
        few = generate(LabelModel(), empty, **given, gaps=GapOptions())
        assert every.facts["prompts"] > 4000
        assert few.facts["prompts"] < 200
        assert len(few.masks) == len(every.masks)

    def test_points_that_find_what_is_known_already_are_not_gone_on_with(self) -> None:
        class OneAnswer(LabelModel):
            """Answers all points with the object in the middle."""

            def decode(self, embedding: Embedding, prompts: PromptSet, level: str) -> Decoded:
                middle = np.full((len(prompts), 2), 128.0)
                return super().decode(embedding, PromptSet.from_points(middle), level)

        truth = np.zeros((256, 256), dtype=np.float32)
        truth[110:146, 110:146] = 1
        points = np.stack(np.mgrid[4:256:8, 4:256:8], axis=-1).reshape(-1, 2)
        rounds = {"source": lambda image: [np.array([[128, 128]]), points]}
        assert generate(OneAnswer(), truth, **rounds).facts["prompts"] > 900
        found = generate(OneAnswer(), truth, **rounds, gaps=GapOptions())
        assert found.facts["prompts"] < 150
        assert len(found.masks) == len(generate(OneAnswer(), truth, **rounds).masks)

    def test_a_few_misses_end_no_round(self) -> None:
        truth = np.zeros((512, 512), dtype=np.float32)
        truth[16:496, 16:496] = discs((480, 480), 60, 16)
        points = np.stack(np.mgrid[4:512:8, 4:512:8], axis=-1).reshape(-1, 2)
        given = {"source": lambda image: [np.array([[46, 46]]), points]}
        found = generate(LabelModel(), truth, **given, gaps=GapOptions())
        assert min(iou_of(found.masks, truth)) > 0.9
        assert found.facts["prompts"] < 1600


class TestGaps:
    def test_the_first_points_lie_as_a_grid(self) -> None:
        found = gap_points(Coverage.of((256, 256)), np.zeros((0, 2)), 16.0)
        assert len(found) == 121

    @pytest.mark.parametrize("radius", [3.0, 10.0, 40.0])
    def test_points_are_far_from_masks_and_from_points(self, radius: float) -> None:
        coverage = Coverage.of((300, 500))
        coverage.cells[:, :100] = True
        asked = np.array([[150.0, 350.0], [40.0, 450.0]])
        found = gap_points(coverage, asked, radius)
        away = np.hypot(*(found[:, None] - asked).transpose(2, 0, 1)).min(1)
        assert len(found) > 0
        assert (away > radius - 2 * coverage.step).all()
        assert (found[:, 1] > 100 * coverage.step + radius / 2 - 2 * coverage.step).all()

    def test_nothing_where_all_is_covered(self) -> None:
        coverage = Coverage.of((64, 64))
        coverage.cells[:] = True
        assert len(gap_points(coverage, np.zeros((0, 2)), 2.0)) == 0

    def test_the_typical_size_is_that_of_objects(self) -> None:
        areas = np.array([50.0, 100, 100, 120, 90, 8000])
        assert typical_radius(areas, 2500.0, 3.0) == pytest.approx((100 / np.pi) ** 0.5)
        assert typical_radius(areas[:3], 2500.0, 3.0) == 3.0


class TestBadInput:
    def test_no_points(self) -> None:
        truth = discs((64, 64), 32, 8)
        with pytest.raises(UsageError, match="no point to ask at"):
            generate(LabelModel(), truth, source=lambda image: [np.zeros((0, 2))])
        with pytest.raises(UsageError, match="1 to 1024 points"):
            GeneratorOptions(points_per_side=0)

    def test_points_outside_the_image(self) -> None:
        with pytest.raises(UsageError, match=r"point \(70, 3\) lies outside"):
            generate(
                LabelModel(),
                discs((64, 64), 32, 8),
                source=lambda image: [np.array([[70.0, 3.0]])],
            )

    @pytest.mark.parametrize(
        ("setting", "words"),
        [
            ({"crop_n_layers": 9}, "layers of crops"),
            ({"crop_overlap_ratio": 1.0}, "overlap of crops"),
            ({"crop_n_points_downscale_factor": 0}, "factor of 1 or more"),
            ({"pred_iou_thresh": 88}, "pred_iou_thresh must lie between 0 and 1, not 88"),
            ({"stability_score_thresh": -0.1}, "stability_score_thresh must lie"),
            ({"box_nms_thresh": float("nan")}, "box_nms_thresh must lie"),
            ({"mask_nms_thresh": 1.5}, "mask_nms_thresh must lie"),
            ({"min_mask_region_area": -1}, "must not be negative"),
        ],
    )
    def test_settings(self, setting: dict[str, float], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            GeneratorOptions(**setting)
