"""Files as other tools write them, and what is refused in one sentence."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest
import roifile
import tifffile

from nital.errors import InputError
from nital.exchange import is_exchange_file, read_fields
from nital.exchange.formats import image_name

DISC = (np.mgrid[:40, :50] - np.array([20, 25])[:, None, None]) ** 2
MASK = DISC.sum(axis=0) <= 12**2
CIRCLE = np.linspace(0, 2 * np.pi, 300, endpoint=False)
RING = np.stack([25.5 + 12.02 * np.cos(CIRCLE), 20.5 + 12.02 * np.sin(CIRCLE)], axis=1)


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def is_disc(labels):
    return (labels > 0) ^ MASK


class TestCoco:
    def test_pycocotools_run_lengths_and_plain_counts(self, tmp_path):
        from pycocotools import mask as coco_mask

        packed = coco_mask.encode(np.asfortranarray(MASK, np.uint8))
        packed["counts"] = packed["counts"].decode()
        flat = np.concatenate([[0], MASK.ravel(order="F").astype(int), [0]])
        counts = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)), [MASK.size]]))
        for segment in (packed, {"size": [40, 50], "counts": counts.tolist()}):
            (field,) = read_fields(write(tmp_path / "a.json", self.content(segment)))
            np.testing.assert_array_equal(field.labels, 71 * MASK)
            assert field.phases is None

    def test_polygons_of_others(self, tmp_path):
        (field,) = read_fields(write(tmp_path / "a.json", self.content([RING.ravel().tolist()])))
        assert is_disc(field.labels).sum() == 0

    def test_objects_that_overlap(self, tmp_path):
        whole = [[0, 0, 50, 0, 50, 40, 0, 40]]
        content = self.content([RING.ravel().tolist()])
        content["annotations"].append({**content["annotations"][0], "id": 2, "segmentation": whole})
        (field,) = read_fields(write(tmp_path / "a.json", content))
        assert set(np.unique(field.labels)) == {2, 71}
        assert "overlap" in field.warnings[0]

    @staticmethod
    def content(segment):
        annotation = {"id": 71, "image_id": 4, "category_id": 9, "segmentation": segment}
        image = {"id": 4, "file_name": "folder/steel.png", "height": 40, "width": 50}
        categories = [{"id": 9, "name": "grain"}]
        return {"images": [image], "annotations": [annotation], "categories": categories}


class TestGeojson:
    def test_qupath_features(self, tmp_path):
        ring = [*RING.tolist(), RING[0].tolist()]
        feature = {
            "type": "Feature",
            "id": "5c0e",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"objectType": "detection", "classification": {"name": "Tumor"}},
        }
        line = {**feature, "geometry": {"type": "LineString", "coordinates": ring}}
        for content in (
            [feature, line],
            {"type": "FeatureCollection", "features": [feature, line]},
        ):
            (field,) = read_fields(write(tmp_path / "cells.geojson", content), (40, 50))
            assert is_disc(field.labels).sum() == 0
            assert field.labels.max() == 1
            assert "1 features are not polygons" in field.warnings[-1]

    def test_the_size_of_the_image_is_needed(self, tmp_path):
        path = write(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": []})
        with pytest.raises(InputError, match="does not say how large the image is"):
            read_fields(path)


class TestImagej:
    def test_regions_of_every_kind(self, tmp_path):
        polygon = roifile.ImagejRoi.frompoints(RING.astype(np.float32), name="disc")
        oval = roifile.ImagejRoi()
        oval.roitype, oval.name = roifile.ROI_TYPE.OVAL, "oval"
        oval.left, oval.top, oval.right, oval.bottom = 2, 2, 12, 10
        box = roifile.ImagejRoi()
        box.roitype, box.name = roifile.ROI_TYPE.RECT, "box"
        box.left, box.top, box.right, box.bottom = 40, 30, 45, 38
        point = roifile.ImagejRoi.frompoints(np.array([[3, 4]]), name="point")
        point.roitype = roifile.ROI_TYPE.POINT
        roifile.roiwrite(tmp_path / "set.zip", [polygon, oval, box, point])
        (field,) = read_fields(tmp_path / "set.zip", (40, 50))
        assert is_disc(np.where(field.labels == 1, 1, 0)).sum() == 0
        assert (field.labels == 2).sum() == pytest.approx(np.pi / 4 * 80, rel=0.05)
        assert (field.labels == 3).sum() == 40
        assert "1 lines or points" in field.warnings[-1]

    def test_a_single_region(self, tmp_path):
        box = roifile.ImagejRoi.frompoints(np.array([[1, 1], [4, 1], [4, 3], [1, 3]]), name="7")
        box.tofile(tmp_path / "one.roi")
        (field,) = read_fields(tmp_path / "one.roi", (5, 6))
        assert np.unique(field.labels).tolist() == [0, 7]
        assert (field.labels > 0).sum() == 6

    def test_an_archive_without_regions(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("readme.txt", "nothing")
        with pytest.raises(InputError, match=r"a\.zip: holds no region"):
            read_fields(tmp_path / "a.zip", (5, 6))


class TestLabelStudio:
    def test_polygons_in_per_cent_of_the_newest_annotation(self, tmp_path):
        points = (RING / (0.5, 0.4)).tolist()
        result = {
            "type": "polygonlabels",
            "original_width": 50,
            "original_height": 40,
            "value": {"points": points, "polygonlabels": ["grain"]},
        }
        task = {
            "data": {"image": "/data/upload/1/steel.png?d=1"},
            "annotations": [{"result": []}, {"result": [result, {"type": "choices", "value": {}}]}],
        }
        (field,) = read_fields(write(tmp_path / "ls.json", [task]))
        assert field.name == "steel"
        assert is_disc(field.labels).sum() == 0

    def test_a_brush_written_with_plain_values(self, tmp_path):
        """Runs that are not repeated are written value by value."""
        bits = f"{24:032b}{7:05b}" + "0011" * 4 + "0" + "00" + f"{7:04b}"
        bits += ("0" * 24 + "1" * 8) * 2 + "1" + "00" + f"{15:04b}" + "0" * 8
        bits += "0" * (-len(bits) % 8)
        packed = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
        result = {
            "type": "brushlabels",
            "original_width": 3,
            "original_height": 2,
            "value": {"rle": packed, "brushlabels": ["a"]},
        }
        task = {"data": {"image": "a.png"}, "predictions": [{"result": [result]}]}
        (field,) = read_fields(write(tmp_path / "ls.json", task))
        assert field.labels.tolist() == [[1, 1, 0], [0, 0, 0]]


class TestCellpose:
    def test_masks_of_a_seg_file(self, tmp_path):
        content = {
            "masks": MASK.astype(np.uint16),
            "outlines": np.zeros_like(MASK),
            "chan_choose": [0, 0],
            "ismanual": np.zeros(1, bool),
            "filename": "steel.tif",
            "flows": [np.zeros((2, 3), np.float32), [np.zeros(2)]],
            "est_diam": np.float64(20.5),
            "zdraw": None,
        }
        np.save(tmp_path / "steel_seg.npy", content, allow_pickle=True)
        (field,) = read_fields(tmp_path / "steel_seg.npy")
        np.testing.assert_array_equal(field.labels, MASK)
        assert field.name == "steel"

    def test_nothing_in_the_file_is_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (tmp_path.joinpath("trap").touch, ())

        np.save(tmp_path / "bad_seg.npy", {"masks": Trap()}, allow_pickle=True)
        with pytest.raises(InputError, match="more than arrays, numbers and text") as caught:
            read_fields(tmp_path / "bad_seg.npy")
        assert not (tmp_path / "trap").exists()
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [{"outlines": 1}, [1, 2], {"masks": np.zeros((3, 4, 5))}])
    def test_a_file_without_masks_of_one_plane(self, tmp_path, content):
        np.save(tmp_path / "a_seg.npy", np.array(content, dtype=object), allow_pickle=True)
        with pytest.raises(InputError, match=r"a_seg\.npy: "):
            read_fields(tmp_path / "a_seg.npy")

    def test_a_file_cut_short(self, tmp_path):
        np.save(tmp_path / "a_seg.npy", {"masks": MASK}, allow_pickle=True)
        whole = (tmp_path / "a_seg.npy").read_bytes()
        (tmp_path / "a_seg.npy").write_bytes(whole[:-40])
        with pytest.raises(InputError, match=r"a_seg\.npy: cannot be read"):
            read_fields(tmp_path / "a_seg.npy")
        assert pickle.loads(pickle.dumps(1)) == 1

    def test_masks_as_images(self, tmp_path):
        tifffile.imwrite(tmp_path / "steel_cp_masks.tif", MASK.astype(np.uint16))
        (field,) = read_fields(tmp_path / "steel_cp_masks.tif")
        assert field.name == "steel"
        np.testing.assert_array_equal(field.labels, MASK)


class TestIlastikAndStardist:
    def test_object_identities(self, tmp_path):
        import h5py

        path = tmp_path / "steel-image_Object Identities.h5"
        with h5py.File(path, "w") as file:
            file["exported_data"] = MASK.astype(np.uint32)[None, :, :, None]
        (field,) = read_fields(path)
        np.testing.assert_array_equal(field.labels, MASK)

    def test_another_hdf5_file(self, tmp_path):
        import h5py

        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["volume"] = MASK
        with pytest.raises(InputError, match=r"a\.h5: has no data set named exported_data"):
            read_fields(tmp_path / "a.h5")

    @pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
    def test_label_images_of_stardist_and_fiji(self, tmp_path, dtype):
        """From Python they are whole numbers, from Fiji's plugin 32-bit floats."""
        tifffile.imwrite(tmp_path / "a.tif", (3 * MASK).astype(dtype), imagej=dtype != "int32")
        (field,) = read_fields(tmp_path / "a.tif")
        np.testing.assert_array_equal(field.labels, 3 * MASK)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is neither COCO nor GeoJSON"),
        ('{"images": [], "annotations": [{}]}', "is not a COCO file"),
        ('{"images": [{"id": 1, "height": 2, "width": 2}], "annotations": [{"image_id": 1}]}', ""),
        ('[{"data": {}, "annotations": [{"result": []}]}]', "its size is not known"),
        ('{"type": "FeatureCollection"}', "is not GeoJSON"),
    ],
)
def test_json_that_is_nothing_of_this(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=rf"a\.json: .*{message}") as caught:
        read_fields(tmp_path / "a.json", (5, 5))
    assert "\n" not in str(caught.value)


def test_ome_zarr_without_labels(tmp_path):
    import zarr

    zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    with pytest.raises(InputError, match="holds 0 label images"):
        read_fields(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(InputError, match=r"b\.zarr: is not OME-Zarr"):
        read_fields(tmp_path / "b.zarr")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_fields(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("steel_cp_masks.png", "steel"),
        ("steel-image_Object Identities.tif", "steel"),
        ("steel_Simple Segmentation.tif", "steel"),
        ("steel.ome.tif", "steel"),
        ("_masks.tif", "_masks"),
        ("steel.tif", "steel"),
    ],
)
def test_what_other_tools_add_to_a_name(tmp_path, name, image):
    assert image_name(tmp_path / name) == image
    assert not is_exchange_file(tmp_path / name)
