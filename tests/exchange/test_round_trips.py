"""Labels written and read again are the same, and other tools' own libraries agree."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nital.exchange import FORMATS, LabelField, read_fields
from nital.micrograph import PixelSize

LABEL_IMAGES = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.sampled_from([0, 0, 1, 1, 2, 7]))
)
WITH_PHASES = ("coco", "coco-polygons", "geojson", "imagej", "label-studio", "ome-zarr")


def written(folder, field, name):
    path = Path(folder) / f"out{FORMATS[name].suffix}"
    FORMATS[name].write(path, [field])
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_labels(tmp_path, awkward, name):
    (back,) = read_fields(written(tmp_path, awkward, name))
    np.testing.assert_array_equal(back.labels, awkward.labels)
    assert back.labels.dtype == np.int32
    assert back.warnings == ()
    assert back.pixel_size.value == pytest.approx(0.0125)
    if name in WITH_PHASES:
        np.testing.assert_array_equal(back.phases, awkward.phases)
        assert back.name == "steel"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, deadline=None)
@given(labels=LABEL_IMAGES)
def test_any_label_image_comes_back(name, labels):
    with tempfile.TemporaryDirectory() as folder:
        (back,) = read_fields(written(folder, LabelField("any", labels), name))
    np.testing.assert_array_equal(back.labels, labels)
    assert back.phases is None


@settings(max_examples=15, deadline=None)
@given(labels=LABEL_IMAGES, chunk=st.integers(1, 5), side=st.floats(1e-6, 1e3))
def test_ome_zarr_keeps_holes_and_single_pixels_across_chunks(labels, chunk, side):
    phases = (labels % 3).astype(np.uint8)
    field = LabelField("any", labels, phases, PixelSize(side, "given"))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("nital.exchange.ome._CHUNK", chunk)
        (back,) = read_fields(written(folder, field, "ome-zarr"))
    np.testing.assert_array_equal(back.labels, labels)
    np.testing.assert_array_equal(back.phases, phases)
    assert back.labels.dtype == np.int32
    assert back.pixel_size.value == pytest.approx(side)


@pytest.mark.parametrize("name", ["coco", "label-studio"])
def test_several_fields_in_one_file(tmp_path, awkward, name):
    other = LabelField("other", np.eye(7, dtype=np.int32))
    path = tmp_path / f"set{FORMATS[name].suffix}"
    FORMATS[name].write(path, [awkward, other])
    first, second = read_fields(path)
    np.testing.assert_array_equal(first.labels, awkward.labels)
    np.testing.assert_array_equal(second.labels, other.labels)
    assert (first.name, second.name) == ("steel", "other")


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_labels_give_the_same_bytes(tmp_path, awkward, name):
    if name in ("ome-zarr", "ome-tiff"):
        pytest.skip("the libraries write a time or a random name")
    first = written(tmp_path, awkward, name).read_bytes()
    assert written(tmp_path, awkward, name).read_bytes() == first


class TestOtherLibraries:
    """Each file as the format's own public library sees it."""

    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
    @pytest.mark.parametrize("name", ["coco", "coco-polygons"])
    def test_pycocotools(self, tmp_path, awkward, name, capsys):
        from pycocotools.coco import COCO

        coco = COCO(str(written(tmp_path, awkward, name)))
        capsys.readouterr()
        found = np.zeros_like(awkward.labels)
        for annotation in coco.loadAnns(coco.getAnnIds()):
            mask = coco.annToMask(annotation)
            assert mask.sum() == annotation["area"]
            rows, cols = np.nonzero(mask)
            box = [cols.min(), rows.min(), np.ptp(cols) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == box
            found[mask > 0] = annotation["label"]
        np.testing.assert_array_equal(found, awkward.labels)

    @settings(max_examples=20, deadline=None)
    @given(labels=LABEL_IMAGES)
    def test_pycocotools_packs_run_lengths_alike(self, labels):
        from pycocotools import mask as coco_mask

        with tempfile.TemporaryDirectory() as folder:
            path = written(folder, LabelField("any", labels), "coco")
            content = json.loads(path.read_text())
        for annotation in content["annotations"]:
            theirs = coco_mask.encode(np.asfortranarray(labels == annotation["label"], np.uint8))
            assert annotation["segmentation"]["counts"] == theirs["counts"].decode()

    def test_roifile(self, tmp_path, awkward):
        import roifile

        regions = roifile.roiread(written(tmp_path, awkward, "imagej"))
        assert [int(roi.name) for roi in regions] == [3, 5, 6, 8, 9]
        assert [roi.group for roi in regions] == [2, 3, 3, 3, 2]
        single = next(roi for roi in regions if roi.name == "5")
        assert single.roitype == roifile.ROI_TYPE.TRACED
        assert sorted(map(tuple, single.coordinates().tolist())) == [
            (20, 20), (20, 21), (21, 20), (21, 21),
        ]  # fmt: skip
        ring = next(roi for roi in regions if roi.name == "3")
        assert ring.composite
        assert len(ring.coordinates(multi=True)) == 2

    def test_geojson_and_shapely(self, tmp_path, awkward):
        import geojson
        import shapely

        content = geojson.loads(written(tmp_path, awkward, "geojson").read_text())
        assert content.is_valid
        for feature in content["features"]:
            shape = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert shape.is_valid
            assert shape.area == (awkward.labels == int(feature["properties"]["name"])).sum()

    def test_ome_types(self, tmp_path, awkward):
        import ome_types
        import tifffile

        path = written(tmp_path, awkward, "ome-tiff")
        pixels = ome_types.from_tiff(path).images[0].pixels
        assert (pixels.size_y, pixels.size_x) == awkward.shape
        assert pixels.physical_size_x == pytest.approx(0.0125)
        assert pixels.physical_size_x_unit.value == "µm"
        np.testing.assert_array_equal(tifffile.imread(path), awkward.labels)

    def test_ome_zarr(self, tmp_path, awkward):
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        nodes = list(Reader(parse_url(written(tmp_path, awkward, "ome-zarr")))())
        images = {node.zarr.basename(): np.asarray(node.data[0]) for node in nodes if node.data}
        np.testing.assert_array_equal(images["objects"], awkward.labels)
        np.testing.assert_array_equal(images["phases"], awkward.phases)
        scale = nodes[0].metadata["coordinateTransformations"][0][0]["scale"]
        assert scale == pytest.approx([0.0125, 0.0125])

    def test_label_studio(self, tmp_path, awkward):
        try:
            files = importlib.metadata.files("label-studio-sdk")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip("label-studio-sdk, of 500 MB, is not installed")
        source = next(f for f in files if str(f).endswith("converter/brush.py")).locate()
        spec = importlib.util.spec_from_file_location("brush", source)
        brush = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(brush)
        (task,) = json.loads(written(tmp_path, awkward, "label-studio").read_text())
        for result in task["predictions"][0]["result"]:
            image = brush.decode_rle(result["value"]["rle"]).reshape(*awkward.shape, 4)
            label = int(result["id"].removeprefix("object-"))
            np.testing.assert_array_equal(image[..., 3] > 0, awkward.labels == label)
