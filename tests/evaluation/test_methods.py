"""How methods are named, asked and scored."""

from __future__ import annotations

from pathlib import Path

import pytest

import nital
from nital.errors import UsageError
from nital.evaluation.datasets import read_dataset
from nital.evaluation.methods import (
    Method,
    check_models,
    parse_methods,
    run_method,
    score,
    with_and_without_boost,
)


def test_names() -> None:
    methods = parse_methods(" compact, compact:no-boost,otsu ", {"nbs2": {"scale": 2}})
    assert [m.name for m in methods] == ["compact (tuned)", "compact:no-boost (tuned)", "otsu"]
    assert [m.boost for m in methods] == [True, False, True]
    for text, message in (
        ("", "names no method"),
        ("otsu,otsu", "twice"),
        ("otsu:no-boost", "has no boost to leave out"),
    ):
        with pytest.raises(UsageError, match=message):
            parse_methods(text)


def test_models_with_a_boost_are_also_scored_without() -> None:
    methods = with_and_without_boost(parse_methods("compact,otsu"))
    assert [m.name for m in methods] == ["compact", "compact:no-boost", "otsu"]
    assert with_and_without_boost(methods) == methods


def test_a_model_that_cannot_be_loaded_is_named_before_any_work() -> None:
    check_models(parse_methods("compact,otsu"))
    with pytest.raises(UsageError, match="--methods: model 'nosuch' is not known"):
        check_models(parse_methods("otsu,nosuch"))


def test_configuration_hash_changes_with_what_a_user_can_choose() -> None:
    plain = Method("compact")
    others = [Method("otsu"), Method("compact", boost=False), Method("compact", tuned={"a": {}})]
    assert plain.configuration == Method("compact").configuration
    assert len({m.configuration for m in (plain, *others)}) == 4


@pytest.mark.parametrize(
    ("name", "target", "headline"),
    [
        ("phase_set", "phases", "iou_mean"),
        ("particle_set", "particles", "ap50"),
        ("grain_set", "grains", "ari"),
        ("layer_set", "layers", "samiam_iou"),
    ],
)
def test_the_task_decides_what_is_asked_and_scored(
    name: str, target: str, headline: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    dataset = read_dataset(folder)
    micrograph = nital.read(dataset.samples[0].image)
    result = run_method(micrograph, Method("otsu"), dataset)
    assert result.target == target
    truth = dataset.read_truth(dataset.samples[0], micrograph.shape)
    scores = score(truth, result, dataset)
    assert scores[headline] > 0.9
    assert 0 <= scores["ece"] <= 1
