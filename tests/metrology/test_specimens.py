"""Fields joined to specimens, and specimens compared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nital.metrology.comparisons import (
    compare,
    hedges_g,
    holm,
    omega_squared,
    welch_anova,
    welch_test,
)
from nital.metrology.pooled import FieldSizes
from nital.metrology.specimens import specimen_of


def row(name, value, unit="1", ci95=None, phase=None, standard=None):
    return {
        "name": name, "value": value, "unit": unit, "ci95": ci95, "n": 50, "phase": phase,
        "method": "counted; somehow", "standard": standard,
    }  # fmt: skip


def summary(*rows, target="grains", size=0.5, error=0.0):
    return {
        "target": {"value": target},
        "image": {"pixel_size": None if size is None else {"value": size}},
        "pixel_size_error": error,
        "quantities": list(rows),
    }


def of_values(values, name="ecd_d50", unit="um", **changes):
    fields = [(f"f{i}", summary(row(name, v, unit), **changes)) for i, v in enumerate(values)]
    return specimen_of("steel", None, fields)


def only(specimen, name):
    (found,) = [quantity for quantity in specimen.quantities if quantity.name == name]
    return found


class TestOneSpecimen:
    def test_the_interval_between_fields_is_that_of_student(self):
        values = [7.1, 6.8, 7.4, 7.0, 6.9]
        found = only(of_values(values), "ecd_d50")
        expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
        assert found.value == pytest.approx(np.mean(values))
        assert found.ci95 == pytest.approx(expected)
        assert found.sd == pytest.approx(np.std(values, ddof=1))
        assert found.n == 5

    def test_fields_still_needed(self):
        """E112 and E562: the accuracy asked for is 10 %, and falls with the root of the number."""
        values = [6.0, 8.0, 5.0, 9.0]
        found = only(of_values(values), "ecd_d50")
        reached = stats.t.ppf(0.975, 3) * stats.sem(values) / np.mean(values)
        assert found.relative_accuracy == pytest.approx(reached)
        assert found.fields_needed == math.ceil(4 * (reached / 0.1) ** 2) - 4
        assert only(of_values([7.0, 7.01, 7.02]), "ecd_d50").fields_needed == 0

    def test_the_pixel_size_is_off_for_all_fields_together(self):
        """It does not average out, so more fields do not help."""
        values = [7.0 + 1e-9 * i for i in range(4)]
        assert only(of_values(values, error=0.02), "ecd_d50").ci95 == pytest.approx(
            (7.0 * (1 - 0.0392), 7.0 * (1 + 0.0392)), rel=1e-4
        )
        number = only(
            of_values(values, "astm_g_planimetric", "1", error=0.02), "astm_g_planimetric"
        )
        assert number.ci95[1] - 7.0 == pytest.approx(1.96 * 0.02 * 2 / math.log(2), rel=1e-3)
        assert number.relative_accuracy is None

    def test_sums_extremes_and_flags(self):
        fields = [
            (str(i), summary(row("object_count", 10 + i), row("astm_g_largest", 5.0 - i),
                             row("duplex_grain_size", i % 2), row("ecd_lower_limit", 5)))
            for i in range(3)
        ]  # fmt: skip
        found = {q.name: q for q in specimen_of("a", None, fields).quantities}
        assert (found["object_count"].value, found["object_count"].ci95) == (33, None)
        assert found["astm_g_largest"].value == 3.0
        assert found["duplex_grain_size"].value == 1
        assert "ecd_lower_limit" not in found

    def test_grains_of_all_fields_together_are_duplex_or_not(self):
        """Fields with too few grains to judge alone: fine grains in two, coarse ones in two."""
        fields = [(str(i), summary(row("object_count", 30))) for i in range(4)]

        def found(diameters):
            sizes = {
                str(i): FieldSizes(
                    np.full(30, diameter) * np.linspace(1.0, 1.1, 30),
                    np.full(30, 1.0 / diameter**2),
                    np.ones(30, dtype=np.int64),
                    np.ones(30, dtype=bool),
                )
                for i, diameter in enumerate(diameters)
            }
            return only(specimen_of("a", None, fields, sizes), "duplex_grain_size")

        assert found([5.0, 5.0, 30.0, 30.0]).value == 1
        assert "bimodal" in found([5.0, 5.0, 30.0, 30.0]).method
        assert found([5.0, 5.0, 5.0, 5.0]).value == 0

    def test_lengths_of_shape_are_known_to_half_a_pixel_at_best(self):
        """Medians of lengths between pixels are alike in all fields and yet half a pixel off."""
        found = only(of_values([7.0] * 4, "feret_min_median"), "feret_min_median")
        assert found.ci95 == pytest.approx((6.75, 7.25))
        assert only(of_values([7.0] * 4), "ecd_d50").ci95 == (7.0, 7.0)

    def test_the_anisotropy_index_is_not_below_one(self):
        interval = only(of_values([1.0, 1.05, 1.0], "anisotropy_index", "1"), "anisotropy_index")
        assert interval.ci95[0] == 1.0

    def test_a_single_field_keeps_its_own_interval(self):
        specimen = specimen_of("a", None, [("f", summary(row("ecd_d50", 7.0, "um", [6.0, 8.0])))])
        assert only(specimen, "ecd_d50").ci95 == (6.0, 8.0)
        assert any("one field only" in warning for warning in specimen.warnings)

    def test_fields_that_do_not_belong_together(self):
        mixed = [summary(row("a", 1.0)), summary(row("a", 2.0), size=0.25)]
        specimen = specimen_of("s", None, [(str(i), s) for i, s in enumerate(mixed)])
        assert any("different pixel sizes" in warning for warning in specimen.warnings)
        mixed = [summary(row("a", 1.0)), summary(row("a", 2.0), size=None)]
        specimen = specimen_of("s", None, [(str(i), s) for i, s in enumerate(mixed)])
        assert any("no pixel size" in warning for warning in specimen.warnings)
        assert only(specimen, "a").n == 1
        mixed = [summary(row("a", 1.0)), summary(row("a", 2.0), target="phases")]
        specimen = specimen_of("s", None, [(str(i), s) for i, s in enumerate(mixed)])
        assert any("different things" in warning for warning in specimen.warnings)

    def test_only_what_all_fields_have(self):
        fields = [("1", summary(row("a", 1.0), row("b", 1.0))), ("2", summary(row("a", 2.0)))]
        assert [q.name for q in specimen_of("s", None, fields).quantities] == ["a"]

    def test_intervals_hold_the_truth(self):
        rng = np.random.default_rng(0)
        held = 0
        for _ in range(600):
            low, high = only(of_values(rng.normal(7.0, 0.5, 4)), "ecd_d50").ci95
            held += low <= 7.0 <= high
        assert 0.93 <= held / 600 <= 0.97


class TestTests:
    ONE, TWO, THREE = (np.random.default_rng(i).normal(i, 1 + i, 5 + i) for i in range(3))

    def test_welch_as_scipy_has_it(self):
        statistic, freedom, p = welch_test(self.ONE, self.TWO)
        theirs = stats.ttest_ind(self.TWO, self.ONE, equal_var=False)
        assert (statistic, freedom, p) == pytest.approx(
            (theirs.statistic, theirs.df, theirs.pvalue)
        )

    def test_welch_for_two_groups_is_the_same_as_for_several(self):
        statistic, _, p = welch_test(self.ONE, self.TWO)
        several, _, same = welch_anova([self.ONE, self.TWO])
        assert several == pytest.approx(statistic**2)
        assert same == pytest.approx(p)

    def test_the_false_alarms_of_welch_are_as_promised(self):
        rng = np.random.default_rng(4)
        groups = ([rng.normal(0, s, n) for s, n in ((1, 5), (3, 8), (2, 6))] for _ in range(600))
        assert np.mean([welch_anova(g)[2] < 0.05 for g in groups]) == pytest.approx(0.05, abs=0.025)

    def test_hedges_g(self):
        one, two = np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0])
        assert hedges_g(one, two) == pytest.approx(2.0 * (1 - 3 / 15))

    def test_omega_squared_of_nothing_is_nought_and_of_all_is_one(self):
        same = [np.array([1.0, 2.0, 3.0])] * 3
        assert omega_squared(same) == 0.0
        apart = [np.array([0.0, 0.01]) + 100 * i for i in range(3)]
        assert omega_squared(apart) == pytest.approx(1.0, abs=1e-4)

    def test_holm(self):
        assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
        assert holm([]) == []


class TestComparison:
    @staticmethod
    def specimens(conditions, shift):
        rng = np.random.default_rng(2)
        made = []
        for number, condition in enumerate(conditions):
            mean = 7.0 + shift * (condition == "aged") + 0.05 * rng.standard_normal()
            values = mean + 0.05 * rng.standard_normal(3)
            fields = [(f"{number}-{i}", summary(row("ecd_d50", v, "um"), target="particles"))
                      for i, v in enumerate(values)]  # fmt: skip
            made.append(specimen_of(f"s{number}", condition, fields))
        return made

    def test_specimens_not_fields_are_the_replicates_of_a_condition(self):
        (found,) = compare(self.specimens(["new"] * 3 + ["aged"] * 3, -1.0))
        assert found.of == "specimens"
        assert [group[:2] for group in found.groups] == [("aged", 3), ("new", 3)]
        assert found.difference == pytest.approx(1.0, abs=0.1)
        assert found.ci95[0] < 1.0 < found.ci95[1]
        assert found.p < 0.001
        assert found.effect > 5

    def test_one_specimen_of_a_condition_is_not_enough(self):
        assert compare(self.specimens(["new", "new", "aged"], 1.0)) == ()

    def test_without_conditions_fields_are_compared_pair_by_pair(self):
        found = compare(self.specimens([None] * 3, 0.0))
        assert len(found) == 4
        assert found[0].test == "Welch's analysis of variance"
        assert {test.of for test in found} == {"fields"}
        assert all("after Holm" in test.test for test in found[1:])
