"""One interval from the field, objects, outlines and the pixel size."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.metrology import measure, measure_labels
from nital.metrology.doubts import FIGURES, Doubts, reliability
from nital.metrology.drawn_objects import DrawnObjects
from nital.metrology.joint import Displacements, joined
from nital.metrology.missed import Missed, Showing, missed_where
from nital.metrology.quantity import Finding
from nital.metrology.shapes import Shapes
from nital.micrograph import PixelSize
from nital.segmentation import ModelInfo

MODEL = ModelInfo("made up", "0" * 64)


def half(quantity):
    return (quantity.ci95[1] - quantity.ci95[0]) / 2


@pytest.fixture
def powder(make_discs):
    """300 discs apart from each other."""
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(*2 * [np.arange(15, 600, 30.0)]), axis=-1).reshape(-1, 2)
    return make_discs((600, 600), centres, 4.0 + 5.0 * rng.random(len(centres)))


def of_model(wrap, labels, confidence, by_name, **changes):
    target = changes.pop("target", "particles")
    error = changes.pop("pixel_size_error", 0.0)
    segmentation = wrap(labels, scale=0.5, target=target, **changes)
    object.__setattr__(segmentation, "model", MODEL)
    segmentation.confidence[:] = round(255 * confidence)
    return by_name(measure(segmentation, pixel_size_error=error))


class TestPixelSize:
    def test_lengths_areas_and_numbers_widen_as_their_dimension_says(self, voronoi, by_name):
        labels = voronoi(400, (300, 300))
        size = PixelSize(0.5, "test")

        def found(error):
            return by_name(
                measure_labels(labels, target="grains", pixel_size=size, pixel_size_error=error)
            )

        certain, unsure = found(0.0), found(0.1)
        for name, power in (("ecd_mean", 1), ("grain_area_mean", 2), ("grains_per_area", 2)):
            width = [math.log(q.ci95[1] / q.ci95[0]) / 2 for q in (certain[name], unsure[name])]
            assert math.sqrt(width[1] ** 2 - width[0] ** 2) == pytest.approx(
                0.196 * power, rel=0.02
            )
        for name in ("astm_g_planimetric", "astm_g_intercept", "iso643_index"):
            added = math.sqrt(half(unsure[name]) ** 2 - half(certain[name]) ** 2)
            assert added == pytest.approx(1.96 * 0.1 * 2 / math.log(2), rel=0.02)
        for name in ("astm_g_difference", "coverage", "ecd_geometric_sd"):
            assert unsure[name].ci95 == certain[name].ci95

    def test_the_budget_says_what_each_source_gives(self, voronoi, by_name):
        found = by_name(
            measure_labels(
                voronoi(200, (200, 200)), target="grains", pixel_size=PixelSize(0.5, "test"),
                pixel_size_error=0.05,
            )
        )["astm_g_planimetric"]  # fmt: skip
        budget = found.as_dict()["budget"]
        assert set(budget) == {"field", "pixel_size"}
        assert math.hypot(*budget.values()) == pytest.approx(half(found), rel=0.02)
        assert "joined with the uncertainty of the pixel size" in found.method

    def test_pixels_have_no_such_error(self, voronoi, by_name):
        found = by_name(measure_labels(voronoi(90, (99, 99)), target="grains"))["ecd_mean"]
        assert found.budget is None

    @pytest.mark.parametrize("error", [-0.1, 1.0, 3.0])
    def test_an_error_is_a_share(self, voronoi, error):
        with pytest.raises(UsageError, match="share below 1"):
            measure_labels(voronoi(9, (30, 30)), target="grains", pixel_size_error=error)


class TestObjects:
    def test_labels_without_a_model_are_taken_for_true(self, wrap, powder, by_name):
        found = by_name(measure(wrap(powder, scale=0.5), pixel_size_error=0.0))
        assert all(quantity.budget is None for quantity in found.values())
        assert found["object_count"].ci95 is None

    def test_the_lower_the_confidence_the_wider_the_interval(self, wrap, powder, by_name):
        sure, fair, poor = (of_model(wrap, powder, c, by_name) for c in (1.0, 0.8, 0.5))
        for name in ("object_count", "objects_per_area", "coverage", "ecd_mean", "ecd_d50"):
            assert half(sure[name]) < half(fair[name]) < half(poor[name]), name
            assert sure[name].value == fair[name].value == poor[name].value

    def test_the_count_scatters_as_chance_would_have_it(self, wrap, powder, by_name):
        """Each object is there or not, and as many are missed: a variance of p q + q each."""
        found = of_model(wrap, powder, 0.75, by_name)["object_count"]
        known = reliability("particles")
        number, missing = powder.max(), 1 - np.interp(191 / 255, known.confidence, known.real)
        expected = 1.96 * math.sqrt(number * (missing * (1 - missing) + missing))
        assert half(found) == pytest.approx(expected, rel=0.12)

    def test_more_objects_average_out(self, wrap, voronoi, by_name):
        few = of_model(wrap, voronoi(60, (100, 100)), 0.7, by_name, target="grains")
        many = of_model(wrap, voronoi(960, (400, 400)), 0.7, by_name, target="grains")
        name = "astm_g_planimetric"
        assert few[name].budget["objects"] == pytest.approx(
            4 * many[name].budget["objects"], rel=0.3
        )

    def test_boundaries_change_less_than_the_cells(self, wrap, voronoi, by_name):
        found = of_model(wrap, voronoi(300, (200, 200)), 0.7, by_name, target="grains")
        area, lines = (
            found[f"astm_g_{way}"].budget["objects"] for way in ("planimetric", "intercept")
        )
        assert lines == pytest.approx(area * 2 * 0.4, rel=1e-6)


class TestOutlines:
    def test_outlines_of_particles_are_off_together(self, wrap, powder, by_name):
        """Twice the shift goes into every diameter, however many there are."""
        found = of_model(wrap, powder, 0.9, by_name)["ecd_mean"]
        shift = 0.6 * 0.1 * found.value / 4
        assert found.budget["outlines"] == pytest.approx(1.96 * 2 * shift, rel=0.2)

    def test_grains_fill_the_field_whatever_their_outlines(self, wrap, voronoi, by_name):
        found = of_model(wrap, voronoi(100, (150, 150)), 0.7, by_name, target="grains")
        assert found["coverage"].ci95 == (1.0, 1.0)
        assert "outlines" not in found["grains_per_area"].budget

    def test_a_layer_is_off_by_both_interfaces(self, wrap, by_name):
        labels = np.zeros((120, 400), np.int32)
        labels[40:80] = 1
        phases = labels.astype(np.uint8)
        segmentation = wrap(labels, phases, scale=0.5, target="layers")
        object.__setattr__(segmentation, "model", MODEL)
        segmentation.confidence[:] = 255
        sure = by_name(measure(segmentation, pixel_size_error=0.0), 1, 1)["layer_thickness_mean"]
        segmentation.confidence[40:42] = segmentation.confidence[78:80] = 102
        found = by_name(measure(segmentation, pixel_size_error=0.0), 1, 1)["layer_thickness_mean"]
        assert found.value == sure.value == 20
        assert half(found) > half(sure)
        assert found.budget["outlines"] > 0


def test_drawn_objects_keep_every_mean():
    number = 400
    rng = np.random.default_rng(1)
    area = rng.uniform(400, 500, number)
    doubts = Doubts(
        np.full(number, 0.7), np.full(number, 0.2), np.full(number, 0.3), 0.0, judged=True
    )
    drawn = DrawnObjects(doubts, area, np.sqrt(4 * math.pi * area), np.arange(number))
    assert (drawn.there + drawn.missed).sum(axis=1).mean() == pytest.approx(number, rel=0.01)
    assert drawn.area.sum(axis=1).mean() == pytest.approx(area.sum(), rel=0.01)


def test_outlines_that_are_off_each_in_its_own_way_scatter_sizes():
    """Sizes found scatter by the outlines too; those drawn scatter as the true ones do."""
    number, size, error = 4000, 0.3, 0.2  # deviations of the logarithm of the area
    rng = np.random.default_rng(2)
    found = 300.0 * np.exp(rng.normal(0.0, math.hypot(size, error), number))
    perimeter = np.sqrt(4 * math.pi * found)
    alone = error * found / perimeter
    doubts = Doubts(np.ones(number), np.zeros(number), alone, 0.0, judged=True)
    drawn = DrawnObjects(doubts, found, perimeter, np.argsort(found))
    true = np.log(drawn.area)
    assert true.std(axis=1).mean() == pytest.approx(size, rel=0.03)
    assert true.mean() == pytest.approx(np.log(found).mean(), abs=0.01)
    together = Doubts(np.ones(number), alone, np.zeros(number), 0.0, judged=True)
    true = np.log(DrawnObjects(together, found, perimeter, np.argsort(found)).area)
    assert true.mean(axis=1).std() == pytest.approx(error, rel=0.05)
    assert true.std(axis=1).mean() == pytest.approx(math.hypot(size, error), rel=0.03)


def like(**changes):
    """20 micrographs, alike but for what is said."""
    known = {"number": 0.4, "size": 0.5, "leaning": 0.0, "larger": 0.0} | changes
    columns = [np.broadcast_to(np.asarray(value, dtype=float), 20) for value in known.values()]
    return Missed(*columns, np.full(20, 0.05))


def drawn_with(missed, real=1.0, area=None, hidden=False):
    area = np.full(300, 99.0) if area is None else area
    number = len(area)
    doubts = Doubts(np.full(number, real), np.zeros(number), np.zeros(number), 0.0, True, missed)
    order = np.argsort(area, kind="stable")
    return DrawnObjects(doubts, area, np.full(number, 35.0), order, hidden=hidden)


def test_as_many_are_missed_as_in_micrographs_that_are_alike():
    numbers = np.geomspace(0.1, 2.0, 20)
    drawn = drawn_with(like(number=numbers))
    assert drawn.there.all()
    found = drawn.missed.sum(axis=1) / 300
    assert np.quantile(found, [0.025, 0.5, 0.975]) == pytest.approx(
        np.quantile(numbers, [0.025, 0.5, 0.975]), rel=0.2
    )
    assert np.median(drawn.missed_size) == 0.5


def test_objects_are_real_as_often_as_where_the_model_leaned_so():
    drawn = drawn_with(like(leaning=np.repeat([-2.0, 2.0], 10)), real=0.5)
    share = np.sort(drawn.there.mean(axis=1))
    half = len(share) // 2
    assert share[:half].mean() == pytest.approx(1 / (1 + math.exp(2)), abs=0.01)
    assert share[half:].mean() == pytest.approx(1 / (1 + math.exp(-2)), abs=0.01)


@pytest.mark.parametrize("larger", [-1.0, 1.0])
def test_the_size_of_what_is_invented(larger):
    area = np.exp(np.random.default_rng(3).normal(5.0, 0.8, 300))
    drawn = drawn_with(like(larger=larger), real=0.5, area=area)
    mean = np.log(area) @ drawn.there.mean(axis=0) / drawn.there.mean(axis=0).sum()
    assert (mean > np.log(area).mean()) == (larger > 0)


def test_hidden_grains_are_as_many_and_make_sizes_scatter_more_or_less():
    """Half of the grains are two in one: their parts may come out alike, or not."""
    area = np.repeat([100.0, 200.0], 200)
    drawn = drawn_with(like(number=0.5), area=area, hidden=True)
    assert drawn.missed.sum(axis=1).mean() == pytest.approx(200, rel=0.03)
    in_large = drawn.missed[:, 200:].sum(axis=1) / drawn.missed.sum(axis=1)
    assert in_large.min() < 0.72
    assert in_large.max() > 0.97


@given(
    unclaimed=st.floats(0.0, 50.0),
    number=st.lists(st.floats(0.01, 30.0), min_size=1, max_size=40),
)
def test_micrographs_that_left_as_much_open_count_most(unclaimed, number):
    known = {
        "unclaimed": np.geomspace(0.02, 20.0, len(number)).tolist(),
        "found": np.geomspace(500.0, 5.0, len(number)).tolist(),
        "real": np.linspace(0.5, 1.0, len(number)).tolist(),
        "number": number,
        "size": number,
        "leaning": number,
        "larger": number,
    }
    missed = missed_where(Showing(unclaimed, 100, 0.9), known)
    assert missed.weight.sum() == pytest.approx(1.0)
    assert (np.diff(missed.number) >= 0).all()
    assert 1.0 / (missed.weight**2).sum() >= min(10.0, 0.5 * len(number)) - 1e-6
    drawn = missed.drawn(50, np.random.default_rng(0))
    assert len(drawn.number) == len(drawn.size) == 50
    assert drawn.size.min() >= min(number) * (1 - 1e-9)
    assert drawn.size.max() <= max(number) * (1 + 1e-9)


def test_one_micrograph_of_unseen_dust_does_not_decide():
    known = {
        "unclaimed": [0.1] * 20,
        "found": [50.0] * 20,
        "real": [0.9] * 20,
        "number": [*np.geomspace(0.2, 0.8, 19).tolist(), 600.0],
        "size": [*np.geomspace(0.5, 0.7, 19).tolist(), 0.04],
        "leaning": [0.0] * 20,
        "larger": [0.0] * 20,
    }
    missed = missed_where(Showing(0.1, 50, 0.9), known)
    assert missed.number.max() < 2.0
    assert missed.size.min() > 0.35


@pytest.mark.parametrize("nearest", [2, 3, 4])
def test_a_few_micrographs_that_are_nearest_do_not_decide_alone(nearest):
    """However many count most, what was missed in the others still spreads."""
    known = {
        "unclaimed": [0.1] * 30,
        "found": [50.0] * nearest + [100.0] * (30 - nearest),
        "real": [0.9] * 30,
        "number": np.tile([0.05, 0.1, 0.2, 0.4, 0.8], 6).tolist(),
        "size": [1.0] * 30,
        "leaning": [0.0] * 30,
        "larger": [0.0] * 30,
    }
    drawn = missed_where(Showing(0.1, 50, 0.9), known).drawn(400, np.random.default_rng(0))
    assert np.quantile(drawn.number, 0.95) > 1.5 * np.quantile(drawn.number, 0.05)


@pytest.mark.parametrize("target", ["grains", "particles"])
def test_what_was_missed_in_a_micrograph_is_foretold_by_the_others(target):
    """Each simulated micrograph of the figures left out in turn."""
    known = json.loads(FIGURES.read_text(encoding="utf-8"))[target]["missed"]
    number = len(known["number"])
    held = 0
    for left in range(number):
        others = {name: of[:left] + of[left + 1 :] for name, of in known.items()}
        shown = Showing(*(known[name][left] for name in ("unclaimed", "found", "real")))
        rng = np.random.default_rng(left)
        rate = missed_where(shown, others).drawn(1000, rng).number
        low, high = np.quantile(rng.poisson(rate * shown.found) / shown.found, (0.025, 0.975))
        held += low <= known["number"][left] <= high
    assert held / number > 0.8


@pytest.mark.parametrize("name", ["unclaimed", "found", "real"])
def test_each_of_what_shows_tells_micrographs_apart(name):
    """Twenty of which all was found, and twenty of which nearly nothing was."""
    well, badly = (
        {"unclaimed": 0.1, "found": 300.0, "real": 0.97},
        {
            "unclaimed": 2.0,
            "found": 5.0,
            "real": 0.6,
        },
    )
    known = {key: [value] * 40 for key, value in well.items()}
    known[name] = [well[name]] * 20 + [badly[name]] * 20
    known |= {"number": [0.01] * 20 + [10.0] * 20, "size": [1.0] * 40}
    known |= {"leaning": [0.0] * 40, "larger": [0.0] * 40}
    missed = missed_where(Showing(**well), known)
    assert missed.weight[missed.number > 0.1].sum() < 0.01


def unclaimed(wrap, labels, share, by_name, target):
    segmentation = wrap(labels, scale=0.5, target=target)
    object.__setattr__(segmentation, "model", MODEL)
    segmentation.confidence[:] = 255
    segmentation.parameters["found"] = {"unclaimed": share}
    return by_name(measure(segmentation, pixel_size_error=0.0))


@pytest.mark.parametrize("target", ["grains", "particles"])
def test_missed_objects_reach_to_one_side(wrap, voronoi, powder, by_name, target):
    labels = voronoi(300, (200, 200)) if target == "grains" else powder
    found = unclaimed(wrap, labels, 0.3, by_name, target)
    for name, sign in (("objects_per_area", 1), ("ecd_d50", -1), ("object_area_mean", -1)):
        low, high = found[name].ci95
        up, down = math.log(high / found[name].value), math.log(found[name].value / low)
        assert (up > 1.5 * down) == (sign > 0), name
        assert (down > 1.5 * up) == (sign < 0), name
    if target == "grains":
        low, high = found["astm_g_planimetric"].ci95
        assert high - found["astm_g_planimetric"].value > 2 * (
            found["astm_g_planimetric"].value - low
        )


def test_the_logits_of_masks_say_how_far_outlines_are_open(wrap, powder, by_name):
    """A blurred mask is doubted more than a sharp one, at the same confidence."""
    widths = []
    for blurred in (0, 60, 120):
        segmentation = wrap(powder, scale=0.5, target="particles")
        probability = np.full(powder.shape, 255 - blurred, np.uint8)
        object.__setattr__(segmentation, "mask_probability", probability)
        object.__setattr__(segmentation, "model", MODEL)
        segmentation.confidence[:] = 230
        found = by_name(measure(segmentation, pixel_size_error=0.0))["ecd_d50"]
        widths.append(found.budget.get("outlines", 0.0))
    assert widths[0] == 0.0
    assert 0.0 < widths[1] < widths[2]


def test_numbering_does_not_change_an_interval(wrap, powder, by_name):
    turned = (powder.max() + 1 - powder) * (powder > 0)
    first, second = (of_model(wrap, each, 0.7, by_name) for each in (powder, turned))
    for name, quantity in first.items():
        if quantity.ci95 is not None:
            assert second[name].ci95 == pytest.approx(quantity.ci95, rel=1e-9), name


def test_a_fraction_stays_below_one():
    found = Finding("phase_fraction", 0.98, 0, (0.95, 0.995), 3, "made up")
    wider = joined(found, Displacements(pixel_size=1.5))
    assert 0.0 < wider.interval[0] < 0.95
    assert 0.995 < wider.interval[1] < 1.0


def test_what_has_no_interval_gets_none():
    found = Finding("ecd_d50", 9.0, 1, None, 3, "made up")
    assert joined(found, Displacements(pixel_size=0.1)) == found


def test_lengths_of_particles_widen_with_their_diameter(wrap, powder, by_name):
    found = of_model(wrap, powder, 0.8, by_name)
    for name in ("feret_max_median", "inscribed_diameter_median"):
        relative = found[name].budget["outlines"] / found[name].value
        expected = found["ecd_d50"].budget["outlines"] / found["ecd_d50"].value
        assert relative == pytest.approx(expected, rel=0.1)


def test_the_shape_of_long_particles_depends_on_their_outlines(wrap, by_name):
    """Outlines that move by d make b / a into (b + 2d) / (a + 2d), and a disc stays one."""
    labels = np.zeros((300, 300), np.int32)
    for label, (row, col) in enumerate(np.ndindex(9, 6), start=1):
        labels[20 + 30 * row :, 15 + 45 * col :][:10, :30] = label
    found = of_model(wrap, labels, 0.7, by_name)
    ratio = found["feret_ratio_median"]
    assert ratio.budget["outlines"] > 0
    assert ratio.ci95[0] < ratio.value < ratio.ci95[1] <= 1.0
    sure = of_model(wrap, labels, 1.0, by_name)["feret_ratio_median"]
    assert half(sure) < half(ratio)


def test_shapes_move_as_those_of_convex_bodies_do():
    """A disc of diameter 20 and a square of side 20, outlines 1 pixel further out."""
    side, diameter = 20.0, 20.0
    disc = (math.pi * 100, math.pi * diameter, diameter)
    values = np.array([[disc[0], side**2], [disc[1], 4 * side]])
    around = np.array([diameter, side * math.sqrt(2)])
    shapes = Shapes(
        np.ones(2, bool), *values, *values, around, np.full(2, side), np.full(2, side), around
    )
    moved = shapes.descriptors(np.ones((1, 2)))
    assert moved["circularity"][0, 0] == moved["feret_ratio"][0, 0] == pytest.approx(1.0)
    grown = (side**2 + 4 * side + math.pi) * 4 * math.pi / (4 * side + 2 * math.pi) ** 2
    assert moved["circularity"][0, 1] == pytest.approx(grown)
    assert moved["feret_max"][0, 1] == pytest.approx(side * math.sqrt(2) + 2)


def test_some_shapes_are_those_of_their_objects():
    chosen = np.array([True, False, True, True, True, True])
    values = np.array([5.0, 3.0, 1.0, 4.0, 2.0])
    some = Shapes(chosen, *8 * [values]).some(3)
    assert np.flatnonzero(some.chosen).tolist() == [0, 2, 3]
    assert some.area.tolist() == some.circumscribed.tolist() == [5.0, 3.0, 1.0]
