"""Regions of a grid from GeoJSON, shapefiles and netCDF: a cell belongs to what holds its centre."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapefile
import shapely
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, outlines
from tradewind.couplers.grids.shapes import region_labels, region_mask
from tradewind.errors import DataError

GRID = Grid.latlon([0.5, 1.5, 2.5], [-3.5, -2.5, -1.5, -0.5])
"""Three rows, four columns of one degree: 4W to 0E, 0N to 3N."""


def box(west, south, east, north) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*corners) -> dict:
    return {"type": "Polygon", "coordinates": [box(*corners)]}


def feature(shape, **properties) -> dict:
    return {"type": "Feature", "properties": properties, "geometry": shape}


@pytest.fixture
def geojson(tmp_path):
    def write(*features, **more):
        path = tmp_path / "regions.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)} | more))
        return path

    return write


@pytest.fixture
def netcdf(tmp_path):
    def write(values, name="region", lat=None, lon=None, **attrs):
        axes = {k: v for k, v in {"lat": lat, "lon": lon}.items() if v is not None}
        path = tmp_path / "regions.nc"
        ds = xr.Dataset({name: (("lat", "lon"), np.asarray(values), attrs)}, coords=axes)
        ds.to_netcdf(path)
        return path

    return write


WEST, EAST = feature(polygon(-4, 0, -2, 3), name="west"), feature(polygon(-2, 0, 0, 2), name="east")


# ---------------------------------------------------------------------- outlines
def test_a_cell_belongs_to_the_polygon_that_holds_its_centre(geojson):
    labels, names = region_labels(geojson(WEST, EAST), GRID)
    assert names == ("west", "east")
    assert labels.reshape(3, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, -1, -1]]


def test_a_mask_is_of_one_region_or_of_all(geojson):
    path = geojson(WEST, EAST)
    assert region_mask(path, GRID).sum() == 10
    assert region_mask(path, GRID, "east").nonzero()[0].tolist() == [2, 3, 6, 7]


def test_a_hole_is_no_part_of_its_region(geojson):
    ring = {"type": "Polygon", "coordinates": [box(-4, 0, 0, 3), box(-3, 1, -1, 2)]}
    mask = region_mask(geojson(feature(ring)), GRID).reshape(3, 4)
    assert mask.tolist() == [[True] * 4, [True, False, False, True], [True] * 4]


def test_polygons_of_one_name_are_one_region(geojson):
    labels, names = region_labels(geojson(WEST, feature(polygon(-1, 0, 0, 1), name="west")), GRID)
    assert names == ("west",)
    assert (labels == 0).sum() == 7


def test_several_polygons_make_one_region(geojson):
    many = {"type": "MultiPolygon", "coordinates": [[box(-4, 0, -3, 1)], [box(-1, 2, 0, 3)]]}
    assert region_mask(geojson(feature(many)), GRID).nonzero()[0].tolist() == [0, 11]


@pytest.mark.parametrize("polygon_west", [-4, 356])
@pytest.mark.parametrize("of_grid", [0, 360])
def test_longitudes_may_be_in_any_convention(geojson, polygon_west, of_grid):
    grid = Grid.latlon([0.5, 1.5, 2.5], np.array([-3.5, -2.5, -1.5, -0.5]) + of_grid)
    mask = region_mask(geojson(feature(polygon(polygon_west, 0, polygon_west + 2, 3))), grid)
    assert mask.reshape(3, 4)[0].tolist() == [True, True, False, False]


@given(west=st.floats(-4, -1), south=st.floats(0, 2), width=st.floats(0.6, 4), height=st.floats(0.6, 3))
def test_a_box_holds_the_centres_between_its_sides(west, south, width, height):
    found, _ = outlines._within(shapely.box(west, south, west + width, south + height), GRID)
    between = (GRID.lon > west) & (GRID.lon < west + width) & (GRID.lat > south) & (GRID.lat < south + height)
    assert (found == between).all()


def test_a_region_across_the_date_line_is_written_beyond_180(geojson):
    grid = Grid.latlon([0.5, 1.5], [177.5, 178.5, 179.5, -179.5, -178.5])
    mask = region_mask(geojson(feature(polygon(179, 0, 181, 2))), grid).reshape(2, 5)
    assert mask[0].tolist() == [False, False, True, True, False]


def test_a_centre_on_a_common_border_belongs_to_the_first(geojson):
    one, two = (feature(polygon(a, 0, a + 1.5, 3), name=n) for a, n in ((-4, "one"), (-2.5, "two")))
    labels, _ = region_labels(geojson(one, two), GRID)
    assert labels.reshape(3, 4)[0].tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"NAME": "Texas"}, "Texas"),
        ({"ID": 7}, "7"),
        ({"colour": "red"}, "region 1"),
        ({"name": " "}, "region 1"),
    ],
)
def test_names_are_those_of_the_attributes(geojson, properties, name):
    assert region_labels(geojson(feature(polygon(-4, 0, 0, 3), **properties)), GRID)[1] == (name,)


def test_a_region_beside_the_grid_keeps_its_name_and_has_no_cell(geojson):
    labels, names = region_labels(geojson(feature(polygon(50, 0, 60, 5), name="far"), WEST), GRID)
    assert names == ("far", "west")
    assert 0 not in labels


def test_a_shapefile_says_the_same_as_geojson(tmp_path, geojson):
    with shapefile.Writer(str(tmp_path / "regions")) as out:
        out.field("NAME", "C")
        for corners, name in (((-4, 0, -2, 3), "west"), ((-2, 0, 0, 2), "east")):
            out.poly([box(*corners)[::-1]])
            out.record(name)
    labels, names = region_labels(tmp_path / "regions.shp", GRID)
    expected, same = region_labels(geojson(WEST, EAST), GRID)
    assert names == same
    assert (labels == expected).all()


# ---------------------------------------------------------------------- maps
def test_an_integer_map_has_a_region_for_every_value_that_is_not_negative(netcdf):
    labels, names = region_labels(netcdf([[0, 0, 5, 5], [-1] * 4, [-1] * 4]), GRID)
    assert names == ("region 0", "region 5")
    assert labels.tolist() == [0, 0, 1, 1] + 8 * [-1]


def test_a_mask_is_where_it_is_not_zero(netcdf):
    values = np.zeros((3, 4))
    values[1, 2], values[0, 0] = 1, np.nan
    assert region_mask(netcdf(values, name="mask"), GRID).nonzero()[0].tolist() == [6]


def test_flags_name_the_regions(netcdf):
    meanings = {"flag_values": np.array([1, 2], dtype="i4"), "flag_meanings": "land sea"}
    path = netcdf(np.tile([1, 1, 2, 0], (3, 1)).astype("i4"), name="surface", **meanings)
    assert region_labels(path, GRID)[1] == ("land", "sea")
    assert region_mask(path, GRID, "sea").nonzero()[0].tolist() == [2, 6, 10]


def test_a_coarser_map_answers_for_the_cells_that_it_holds(netcdf):
    path = netcdf([[1, 2], [3, 0]], name="areas", lat=[1.0, 3.0], lon=[357.0, 359.0])
    labels, names = region_labels(path, GRID)
    assert names == ("region 1", "region 2", "region 3")
    assert labels.reshape(3, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, -1, -1]]


def test_rows_may_run_southwards(netcdf):
    path = netcdf([[3, 0], [1, 2]], name="areas", lat=[3.0, 1.0], lon=[-3.0, -1.0])
    assert region_labels(path, GRID)[0].reshape(3, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, -1, -1]]


# ---------------------------------------------------------------------- what is refused
def test_regions_without_any_cell_are_refused(geojson):
    with pytest.raises(DataError, match=r"no region holds the centre of any cell.*smaller than a cell"):
        region_labels(geojson(feature(polygon(-3.4, 0.6, -2.6, 1.4))), GRID)


def test_one_region_without_any_cell_is_refused_by_name(geojson):
    with pytest.raises(DataError, match=r"'far' holds the centre of no cell"):
        region_mask(geojson(WEST, feature(polygon(50, 0, 60, 5), name="far")), GRID, "far")


def test_a_region_that_is_not_there_is_refused(geojson):
    with pytest.raises(DataError, match=r"no region 'wset'.*west"):
        region_mask(geojson(WEST, EAST), GRID, "wset")


def test_overlapping_regions_are_refused_where_they_do(geojson):
    with pytest.raises(DataError, match=r"'west' and 'more' overlap.*0.5, -2.5"):
        region_labels(geojson(WEST, feature(polygon(-3, 0, -1, 1), name="more")), GRID)


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"type": "Point", "coordinates": [0, 0]}, "is no polygon but Point"),
        (None, "is no polygon but None"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "Self-intersection"),
        (polygon(500_000, 4_000_000, 600_000, 4_100_000), "these are not degrees"),
        ({"type": "Polygon", "coordinates": []}, "is empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1]]]}, "cannot be read"),
        ({"type": "Polygon"}, "cannot be read"),
    ],
)
def test_what_is_no_sound_polygon_in_degrees_is_refused(geojson, shape, what):
    with pytest.raises(DataError, match=f"'here'.*{what}"):
        region_labels(geojson(feature(shape, name="here")), GRID)


def test_another_coordinate_system_is_refused(geojson):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    with pytest.raises(DataError, match=r"another system.*3857"):
        region_labels(geojson(WEST, crs=crs), GRID)


def test_a_projected_shapefile_is_refused(tmp_path):
    with shapefile.Writer(str(tmp_path / "utm")) as out:
        out.field("NAME", "C")
        out.poly([box(0, 0, 1, 1)[::-1]])
        out.record("x")
    (tmp_path / "utm.prj").write_text('PROJCS["UTM zone 13N", ...]')
    with pytest.raises(DataError, match=r"projected"):
        region_labels(tmp_path / "utm.shp", GRID)


@pytest.mark.parametrize("name", ["r.geojson", "r.shp", "r.nc"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 50, b'{"features": []}', b"[1, 2]"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        region_labels(tmp_path / name, GRID)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"file not found"):
        region_labels(tmp_path / "r.geojson", GRID)


def test_fractions_are_no_labels(netcdf):
    with pytest.raises(DataError, match=r"holds 0.5"):
        region_labels(netcdf(np.full((3, 4), 0.5)), GRID)


def test_a_map_of_another_size_without_coordinates_is_refused(netcdf):
    with pytest.raises(DataError, match=r"4 labels for 12 cells"):
        region_labels(netcdf([[1, 1], [2, 2]]), GRID)


def test_several_variables_without_a_name_that_tells_are_refused(tmp_path):
    xr.Dataset({"a": ("x", [1]), "b": ("x", [2])}).to_netcdf(tmp_path / "r.nc")
    with pytest.raises(DataError, match=r"no variable 'region' or 'mask'.*a, b"):
        region_labels(tmp_path / "r.nc", GRID)


def test_a_geojson_without_features_holds_no_region(geojson):
    with pytest.raises(DataError, match=r"holds no region"):
        region_labels(geojson(), GRID)
