"""Streams of crops: seeded, of the asked kinds, and honest about what is known."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from nital.evaluation.datasets import is_validation
from nital.training.samples import RealImage, SampleStream, StreamOptions, load_real_images


def crops(count, seed=(1, 2), options=None, real=()):
    options = options or StreamOptions(size=64, scene_size=64)
    return list(islice(iter(SampleStream(seed, options, real)), count))


def same(a, b):
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def test_the_same_seed_gives_the_same_crops_and_another_others():
    first, second = crops(6), crops(6)
    assert all(same(a, b) for a, b in zip(first, second, strict=True))
    other = crops(6, seed=(1, 3))
    assert not any(same(a, b) for a, b in zip(first, other, strict=True))


def test_crops_are_square_and_typed():
    for sample in crops(6, options=StreamOptions(size=64, scene_size=80)):
        for name, dtype in (("image", np.uint8), ("labels", np.int32), ("phases", np.uint8)):
            assert getattr(sample, name).shape == (64, 64)
            assert getattr(sample, name).dtype == dtype
        assert sample.valid.all()
        assert (sample.phases > 0).all()
        assert sample.target in range(4)


@pytest.mark.parametrize("target", range(4))
def test_shares_decide_what_is_simulated(target):
    shares = tuple(float(k == target) for k in range(4))
    options = StreamOptions(size=64, scene_size=64, shares=shares)
    assert {sample.target for sample in crops(3, options=options)} == {target}


def real_image(target=2, name="discs"):
    rows, cols = np.mgrid[:150, :130]
    labels = np.zeros((150, 130), np.int32)
    for number, (row, col) in enumerate([(40, 40), (100, 60), (70, 100)], start=1):
        labels[np.hypot(rows - row, cols - col) < 22] = 7 * number
    image = (40 + 100 * (labels > 0) + (rows + cols) % 9).astype(np.uint8)
    valid = np.ones(labels.shape, bool)
    valid[:, 120:] = False
    return RealImage(name, image, labels, valid, target)


def test_crops_of_real_images():
    options = StreamOptions(size=64, scene_size=64, real_share=1.0)
    found = crops(20, options=options, real=(real_image(),))
    for sample in found:
        assert sample.target == 2
        assert sample.image.shape == sample.labels.shape == sample.valid.shape == (64, 64)
        assert sample.image.dtype == np.uint8
        present = np.unique(sample.labels)
        start = 0 if (sample.labels == 0).any() else 1
        assert np.array_equal(present, np.arange(start, start + len(present)))
        assert np.array_equal(sample.phases, np.where(sample.labels > 0, 2, 1))
    assert any(sample.labels.max() >= 2 for sample in found)
    assert not all(sample.valid.all() for sample in found)
    again = crops(20, options=options, real=(real_image(),))
    assert all(same(a, b) for a, b in zip(found, again, strict=True))


def test_grains_of_real_images_are_of_one_phase():
    options = StreamOptions(size=64, scene_size=64, real_share=1.0)
    for sample in crops(5, options=options, real=(real_image(target=0),)):
        assert (sample.phases == 1).all()


def test_the_share_of_real_crops():
    options = StreamOptions(
        size=64, scene_size=64, real_share=0.5, shares=(0, 0, 0, 1.0), reuse=1000
    )
    found = [sample.target for sample in crops(60, options=options, real=(real_image(),))]
    assert 15 < found.count(2) < 45


def write_set(folder, name, images):
    for part, index in (("images", 0), ("labels", 1)):
        (folder / name / part).mkdir(parents=True)
        for stem, pair in images.items():
            Image.fromarray(pair[index]).save(folder / name / part / f"{stem}.png")


def test_licensed_sets_are_read_and_split_once_and_for_all(tmp_path):
    image = np.arange(40 * 30, dtype=np.uint8).reshape(40, 30)
    labels = np.zeros((40, 30), np.uint16)
    labels[10:20, 10:20] = 3
    names = [f"image{k}" for k in range(20)]
    write_set(tmp_path, "emps_train", dict.fromkeys(names, (image, labels)))
    write_set(tmp_path, "rock_grains", {"train_a": (image, labels), "val_b": (image, labels)})
    write_set(tmp_path, "another_set", {"train_a": (image, labels)})
    training = load_real_images(tmp_path)
    held_out = load_real_images(tmp_path, validation=True)
    expected = {f"emps_train/{n}" for n in names if not is_validation(n)} | {"rock_grains/train_a"}
    assert {each.name for each in training} == expected
    assert "rock_grains/val_b" in {each.name for each in held_out}
    assert len(training) + len(held_out) == 22
    by_name = {each.name: each for each in training}
    rock = by_name["rock_grains/train_a"]
    assert rock.valid.sum() < labels.size
    assert rock.valid[labels > 0].all()
    plain = next(each for each in training if each.name.startswith("emps"))
    assert plain.valid.all()
    assert np.array_equal(plain.labels, labels)
    assert np.array_equal(plain.image, image)
    assert plain.target == 2


def test_drawn_boundaries_become_grains_without_gaps(tmp_path):
    lines = np.zeros((40, 40), np.uint8)
    lines[20, :] = lines[:, 12] = 1
    write_set(
        tmp_path, "nist_grains", {"steel": (lines * 90, lines), "titanium": (lines * 90, lines)}
    )
    found = load_real_images(tmp_path) + load_real_images(tmp_path, validation=True)
    assert [each.name for each in found] == ["nist_grains/steel"]
    labels = found[0].labels
    assert found[0].target == 0
    assert (labels > 0).all()
    corners = [labels[0, 0], labels[0, -1], labels[-1, 0], labels[-1, -1]]
    assert sorted(corners) == [1, 2, 3, 4]


def test_a_folder_without_sets_gives_nothing(tmp_path):
    assert load_real_images(tmp_path) == ()
