"""The published figures are those of the papers."""

from __future__ import annotations

from nital.evaluation.published import images_in_common, published


def one(method: str, name: str, table: str) -> dict[str, float]:
    found = [
        entry
        for entry in published()
        if entry.method == method and entry.is_about(name) and table in entry.table
    ]
    assert len(found) == 1
    return found[0].metrics


def test_figures_as_printed() -> None:
    assert one("MatSAM", "NBS-2", "Table 4") == {"iou_mean": 0.9116, "f1": 0.9544, "recall": 0.9390}
    assert one("Otsu", "DP600", "Table 3")["iou_mean"] == 0.7068
    assert one("TransUNet", "SS", "Table 2")["ari_matsam"] == 0.6302
    assert one("MatSAM", "PI-1", "with post")["ari_matsam_postprocessed"] == 0.6336


def test_every_table_is_there_and_every_value_is_a_score() -> None:
    tables = {entry.table.split(",")[0].split(" (")[0] for entry in published()}
    assert {"Table 1", "Table 2", "Table 3", "Table 4"} <= tables
    assert all(entry.metrics for entry in published())
    assert all(-1 <= v <= 1 for entry in published() for v in entry.metrics.values())


def test_whose_settings_were_tuned_is_told_apart() -> None:
    settings = {entry.method: entry.setting for entry in published()}
    assert settings["MatSAM"] == "tuned per dataset"
    assert settings["Adaptive"] == "settings not stated"
    assert settings["SegNet"] == "trained on the set"


def test_images_are_compared_by_name_without_punctuation() -> None:
    entry = next(entry for entry in published() if entry.is_about("nbs3"))
    names = list(entry.images)
    assert images_in_common(entry, [n.replace(" ", "_") for n in names]) == "same images"
    assert images_in_common(entry, names[:2]) == "2 of the 5 images are the same"
    assert images_in_common(entry, ["x"]) == "other images"
    grains = next(entry for entry in published() if entry.is_about("PI-1"))
    assert images_in_common(grains, []) == "other images"
