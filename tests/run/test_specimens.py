"""Images grouped to specimens by folder or table."""

from __future__ import annotations

import pytest

from nital.errors import UsageError
from nital.run.inputs import plan
from nital.run.specimens import Member, group_items


@pytest.fixture
def items(tmp_path):
    paths = [tmp_path / "a" / "1.tif", tmp_path / "a" / "2.tif", tmp_path / "b" / "1.tif"]
    return plan(paths)


def table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_by_folder(items):
    members = group_items("folder", items)
    assert [members[item.folder].specimen for item in items] == ["a", "a", "b"]


@pytest.mark.parametrize("separator", [",", ";"])
def test_by_table(items, tmp_path, separator):
    text = "image,specimen,condition,note\na/1.tif,S1,aged,x\na/2.tif,S1,aged,\nb/1.tif,S2,,\n"
    members = group_items(table(tmp_path, text.replace(",", separator)), items)
    assert [members[item.folder] for item in items] == [
        Member("S1", "aged"),
        Member("S1", "aged"),
        Member("S2", None),
    ]


def test_names_without_folder_or_suffix(items, tmp_path):
    members = group_items(table(tmp_path, "image,specimen\n1.tif,X\n2,Y\n"), items)
    assert [members[item.folder].specimen for item in items] == ["X", "Y", "X"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,specimen\n1,a\n", "has no column image"),
        ("", "has no column image and no column specimen"),
        ("image,specimen\na/1.tif,a\n", "has no row for .*2.tif"),
        ("image,specimen\na/1.tif,\n", "row 2 has no image or no specimen"),
        ("image,specimen,condition\n1,a,x\n2,a,y\n", "specimen a has two conditions"),
        ("image,specimen\n1,a\n1,b\n", "1 belongs to two specimens"),
    ],
)
def test_tables_that_cannot_be_used(items, tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        group_items(table(tmp_path, text), items)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(items):
    with pytest.raises(
        UsageError, match="there is no such table; name a CSV file, or write folder"
    ):
        group_items("none.csv", items)
