"""The training loop: resumable, the same for the same seed, whole files or none."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise

import pytest

pytest.importorskip("torch")

import torch

from nital.errors import ModelError, UsageError
from nital.training.checkpoint import resume
from nital.training.loop import (
    TrainingOptions,
    learning_rate_share,
    load_network,
    make_network,
    train_compact,
)

SHORT = TrainingOptions(steps=3, batch=2, workers=0, warmup=1, checkpoint_every=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny, small_crops):
    folder = tmp_path_factory.mktemp("trained")
    heard = []
    train_compact(
        folder,
        SHORT,
        stream=small_crops,
        config=tiny,
        report=lambda *said: heard.append(("report", *said)),
        progress=lambda *said: heard.append(("progress", *said)),
    )
    return folder, heard


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_training_writes_its_files_and_tells_how_it_goes_on(trained, tiny):
    folder, heard = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {"checkpoint.pt", "weights.safetensors", "log.csv"}
    assert [step for kind, step, *_ in heard if kind == "progress"] == [0, 1, 2, 3]
    (report,) = (said for said in heard if said[0] == "report")
    assert report[1:3] == (3, 3)
    (row,) = rows(folder)
    assert row["step"] == "3"
    assert float(row["total"]) == pytest.approx(report[3]["total"], abs=1e-4)
    assert float(row["seconds_per_step"]) > 0
    assert not load_network(folder / "weights.safetensors", tiny).training


def test_the_same_seed_gives_the_same_weights(trained, tmp_path, tiny, small_crops):
    again = train_compact(tmp_path, SHORT, stream=small_crops, config=tiny)
    first = load_network(trained[0] / "weights.safetensors", tiny).state_dict()
    assert equal(first, load_network(again, tiny).state_dict())
    other = train_compact(
        tmp_path / "other", replace(SHORT, seed=1), stream=small_crops, config=tiny
    )
    assert not equal(first, load_network(other, tiny).state_dict())


def test_resuming_starts_from_the_weights_saved(trained, tiny):
    network, average, optimizer = make_network(replace(SHORT, seed=5), tiny)
    assert resume(trained[0], network, optimizer, average) == (3, 0.0)
    state = torch.load(trained[0] / "checkpoint.pt", weights_only=True)
    assert equal(network.state_dict(), state["network"])
    averaged = load_network(trained[0] / "weights.safetensors", tiny).state_dict()
    assert equal(average.module.state_dict(), averaged)
    assert optimizer.state_dict()["state"].keys() == state["optimizer"]["state"].keys()


def test_a_finished_training_is_left_as_it_is(trained, tiny, small_crops):
    before = {path.name: path.read_bytes() for path in trained[0].iterdir()}
    weights = train_compact(trained[0], SHORT, stream=small_crops, config=tiny)
    assert weights == trained[0] / "weights.safetensors"
    assert before == {path.name: path.read_bytes() for path in trained[0].iterdir()}


def test_a_training_goes_on_from_its_checkpoint(tmp_path, tiny, small_crops):
    steps = []
    for total in (2, 4):
        train_compact(
            tmp_path,
            replace(SHORT, steps=total),
            stream=small_crops,
            config=tiny,
            progress=lambda step, total: steps.append(step),
        )
    assert steps == [0, 1, 2, 2, 3, 4]
    assert [row["step"] for row in rows(tmp_path)] == ["2", "4"]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4


def test_initial_weights_are_taken(trained, tiny):
    weights = trained[0] / "weights.safetensors"
    network, average, _ = make_network(replace(SHORT, seed=9), tiny, weights)
    expected = load_network(weights, tiny).state_dict()
    assert equal(network.state_dict(), expected)
    assert equal(average.module.state_dict(), expected)


def test_worker_processes_give_crops(tmp_path, tiny, small_crops):
    options = replace(SHORT, steps=1, workers=1)
    assert train_compact(tmp_path, options, stream=small_crops, config=tiny).is_file()


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path, tiny, small_crops):
    path = tmp_path / "checkpoint.pt"
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"checkpoint\.pt is no checkpoint of this network"):
            train_compact(tmp_path, SHORT, stream=small_crops, config=tiny)
        assert path.read_bytes() == content


def test_the_checkpoint_of_another_network_is_refused(trained, tiny):
    other = replace(tiny, embedding=3)
    network, average, optimizer = make_network(SHORT, other)
    with pytest.raises(ModelError, match="no checkpoint of this network"):
        resume(trained[0], network, optimizer, average)


def test_weights_that_cannot_be_used_are_named(trained, tmp_path, tiny):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10")
    for path, config in (
        (damaged, tiny),
        (tmp_path / "missing.safetensors", tiny),
        (trained[0] / "weights.safetensors", replace(tiny, embedding=3)),
    ):
        with pytest.raises(ModelError, match=path.name) as caught:
            load_network(path, config)
        assert "\n" not in str(caught.value)


def test_a_folder_without_licensed_sets_is_refused(tmp_path, tiny, small_crops):
    with pytest.raises(UsageError, match="holds none of the sets emps_train"):
        train_compact(tmp_path / "out", SHORT, data=tmp_path, stream=small_crops, config=tiny)
    assert not (tmp_path / "out").exists()


def test_the_learning_rate_rises_then_falls_to_a_hundredth():
    options = TrainingOptions(steps=1000, warmup=100)
    factors = [learning_rate_share(step, options) for step in range(1, 1001)]
    assert factors[0] == pytest.approx(0.01)
    assert max(factors) == factors[99] == 1
    assert factors[-1] == pytest.approx(0.01)
    assert all(a < b for a, b in pairwise(factors[:100]))
    assert all(a > b for a, b in pairwise(factors[99:]))


def test_a_short_training_reaches_its_peak_and_forgets_its_start(tiny):
    short, usual = TrainingOptions(steps=40), TrainingOptions()
    assert learning_rate_share(4, short) == pytest.approx(1.0)
    assert learning_rate_share(150, usual) == pytest.approx(0.5)
    assert learning_rate_share(40, short) == pytest.approx(0.01)
    left = {}
    for options in (short, usual):
        network, average, _ = make_network(options, tiny)
        average.update_parameters(network)
        before = next(average.parameters()).detach().clone()
        with torch.no_grad():
            next(network.parameters()).add_(1)
        for _ in range(20):
            average.update_parameters(network)
        after = next(average.parameters()).detach()
        left[options.steps] = 1 - float((after - before).mean())
    assert left[40] < 0.02
    assert left[8000] == pytest.approx(0.999**20, abs=1e-3)
