"""From arguments to images and folder names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.run import find_inputs, plan


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("b.tif", "a.PNG", "notes.txt", ".hidden.tif", "deep/c.tif", "deep/er/d.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments):
    return [path.as_posix() for path in find_inputs(arguments).paths]


def test_a_folder_stands_for_its_images_in_order_without_subfolders(tree):
    assert names(".") == ["a.PNG", "b.tif"]
    assert names("deep") == ["deep/c.tif"]


def test_patterns_are_expanded_and_reach_into_subfolders(tree):
    assert names("*.tif") == ["b.tif"]
    assert names("**/*") == ["a.PNG", "b.tif", "deep/c.tif", "deep/er/d.jpg"]


def test_of_a_folder_the_ser_files_are_taken_and_not_the_emi_that_names_them(tmp_path):
    for name in ("a.emi", "a_1.ser", "a_2.ser"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in find_inputs([str(tmp_path)]).paths] == ["a_1.ser", "a_2.ser"]
    assert [path.name for path in find_inputs([str(tmp_path / "a.emi")]).paths] == ["a.emi"]


def test_files_are_taken_as_they_are_in_the_order_given_and_once(tree):
    assert names("notes.txt", "b.tif", "./b.tif", "deep/../b.tif") == ["notes.txt", "b.tif"]


def test_a_file_whose_name_looks_like_a_pattern(tree):
    Path("s[1].tif").write_bytes(b"")
    assert names("s[1].tif") == ["s[1].tif"]


def test_what_gives_nothing_is_named_beside_what_is_found(tree):
    inputs = find_inputs(["b.tif", "missing.tif", "*.bmp", "deep/er/.."])
    assert [argument for argument, _ in inputs.problems] == ["missing.tif", "*.bmp"]
    assert "no such file" in inputs.problems[0][1]
    assert "no image matches" in inputs.problems[1][1]


@pytest.mark.parametrize("argument", ["missing.tif", "*.bmp", "empty"])
def test_nothing_at_all_is_bad_usage(tree, argument):
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=argument.replace("*", r"\*")):
        find_inputs([argument])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tree):
    Path("deep").chmod(0)
    try:
        with pytest.raises(UsageError, match="deep"):
            find_inputs(["deep"])
    finally:
        Path("deep").chmod(0o700)


def folders(*paths):
    return [item.folder for item in plan(map(Path, paths))]


def test_colliding_stems_are_numbered_in_order():
    assert folders("a/x.tif", "b/x.tif", "b/x.png") == ["x", "x-2", "x-3"]


def test_a_number_never_takes_the_name_of_another_image():
    assert folders("x.tif", "x.png", "x-2.tif") == ["x", "x-3", "x-2"]


def test_upper_and_lower_case_collide():
    assert folders("X.tif", "x.tif") == ["X", "x-2"]


def test_no_folder_takes_the_place_of_a_file_of_the_run():
    assert folders("report.html.tif", "run.json.png") == ["report.html-2", "run.json-2"]


@settings(max_examples=100, derandomize=True)
@given(st.lists(st.sampled_from(["x", "X", "x-2", "x-3", "y", "y-2", "x-2-2"]), max_size=12))
def test_folders_are_unique_whatever_the_stems(stems):
    paths = [f"{position}/{stem}.tif" for position, stem in enumerate(stems)]
    found = [folder.casefold() for folder in folders(*paths)]
    assert len(set(found)) == len(found)
