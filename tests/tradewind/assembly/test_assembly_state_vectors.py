"""State vectors from a config: regions, clusters, edges, sectors, and a sum that is observed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.couplers.assimilation.covariance import dense

CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, window: 12h}
components:
  source:
    plugin: constant
    options: &box
      grid: {lat: {start: 30.5, stop: 35.5, step: 1}, lon: {start: -105.5, stop: -97.5, step: 1}}
      fields:
        oil: {value: 2.0, units: kg m-2 s-1, kind: flux}
        gas: {value: 1.0, units: kg m-2 s-1, kind: flux}
        height: {value: 1.0, units: m}
  far:
    plugin: constant
    options:
      grid: {lat: [0.5, 1.5], lon: [0.5, 1.5]}
      fields: {oil: {value: 1.0, units: kg m-2 s-1, kind: flux}}
"""
Text = Callable[[str], Path]


@pytest.fixture
def path(tmp_path: Path) -> Text:
    """Return a function that writes a config with a control, beside a region of two rows of three cells."""
    west, south, east, north = -103.0, 32.0, -100.0, 34.0
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    whole = {"type": "Feature", "properties": {"name": "basin"}, "geometry": shape}
    (tmp_path / "basin.geojson").write_text(json.dumps(whole))
    far = {"type": "Polygon", "coordinates": [[[x + 90, y] for x, y in ring]]}
    (tmp_path / "far.geojson").write_text(json.dumps(far))
    columns = {"time": ("obs", np.array(["2000-01-01T06"], "M8[ns]")), "xch4": ("obs", [5.0])}
    where = {"latitude": ("obs", [33.5]), "longitude": ("obs", [-101.5])}
    ds = xr.Dataset(columns | where | {"sigma": ("obs", [1.0])})
    ds.to_netcdf(tmp_path / "seen.nc")

    def write(text: str) -> Path:
        (tmp_path / "run.yaml").write_text(CONFIG + text)
        return tmp_path / "run.yaml"

    return write


def control(text: str) -> str:
    return f"control: {{field: source.oil, prior_error: 0.5, {text}}}\n"


def only_fault(path: Path) -> str:
    (fault,) = check(path).faults
    return fault


def test_cells_inside_and_clusters_around(path):
    made = assemble(path(control("per: cluster, clusters: {inside: basin.geojson, buffer: 3}")))
    assert len(made.control.prior) == 6 + 3
    assert made.control.names[6:] == ("buffer 1", "buffer 2", "buffer 3")
    assert made.notes == []


def test_what_keeps_its_prior_is_told(path):
    made = assemble(path(control("per: cluster, clusters: {inside: basin.geojson}")))
    (note,) = made.notes
    assert "source.oil: 48 cells that are in no element keep their prior, 88.9% of it" in note


def test_so_is_what_lies_near_the_edge(path):
    made = assemble(path(control("per: cell, exclude_edge: 1")))
    assert len(made.control.prior) == 4 * 7
    assert "26 cells that are in no element keep their prior" in made.notes[0]


def test_regions_of_outlines_have_their_names(path):
    made = assemble(path(control("per: region, regions: basin.geojson")))
    assert made.control.names == ("basin",)
    assert int((made.control.labels >= 0).sum()) == 6


def test_sectors_go_together(path):
    entry = "per: cell, prior_error: 0.5, correlation: {length: 100, between: 0.25}"
    text = f"control: [{{field: source.oil, {entry}}}, {{field: source.gas, {entry}}}]\n"
    covariance = dense(assemble(path(text)).control.covariance)
    assert covariance.shape == (108, 108)
    assert float(covariance[3, 54 + 3]) == pytest.approx(0.25 * 0.25)
    assert float(covariance[3, 54 + 4]) == pytest.approx(0.25 * float(covariance[3, 4]))


OBSERVED = (
    "observations: {operator: point, options: {file: seen.nc, variable: xch4, uncertainty: sigma}, of: "
)


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("per: cluster, clusters: {inside: far.geojson}", "no region holds the centre of any cell"),
        ("per: cluster, clusters: {inside: none.geojson}", "none.geojson: file not found"),
        ("per: cluster, clusters: {inside: basin.geojson, name: basni}", "no region 'basni'"),
        ("per: cluster, clusters: {inside: basin.geojson, count: 7}", "7 clusters are wanted of 6 cells"),
        ("per: cluster, clusters: {buffer: 2}", "belong to a region"),
        ("per: cell, clusters: {count: 3}", "`clusters` belong to `per: cluster`"),
        ("per: cluster, clusters: {count: 0}", "greater than or equal to 1"),
        ("per: cell, exclude_edge: 4", "4 degrees from its edge nothing"),
        ("per: cell, exclude_edge: -1", "greater than or equal to 0"),
        ("correlation: {between: 0.3, time: 2d}, every: 12h", "`between` needs a `length`"),
        ("correlation: {length: 10, between: 1}", "less than 1"),
        ("correlation: {length: 10, between: 0.3}", "source.oil has nothing to go together with"),
    ],
)
def test_bad_choices_are_named(path, text, what):
    assert what in only_fault(path(control(text)))


@pytest.mark.parametrize(
    ("of", "what"),
    [
        ("[source.oil, source.height]", "other units (kg m-2 s-1 and m)"),
        ("[source.oil, far.oil]", "source.oil and far.oil cannot be added up: another grid"),
        ("[source.oil, source.oil]", "the same one is named twice"),
        ("[]", "the list is empty"),
        ("[source.oil, source.coal]", "no component exports 'source.coal'"),
        ("[source.oil, oil]", "'oil' is not of the form component.variable"),
    ],
)
def test_what_cannot_be_summed_is_refused(path, of, what):
    faults = check(path(f"{OBSERVED}{of}}}\n")).faults
    assert any(what in fault for fault in faults), faults
