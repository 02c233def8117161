"""Regions, a plume and a footprint of a small inversion, from its config to its file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.errors import ConfigError, SpecError
from tradewind.execute import execute
from tradewind.findings.dropped import Dropped
from tradewind.findings.plumes import Everywhere, examples


def box(west, east, south, north, name="box"):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry}


@pytest.fixture
def with_regions(small_run):
    """Return a function that writes the small run with a file of these boxes as its region ``basin``."""

    def write(*boxes):
        path = small_run(("file: posterior.nc", "file: posterior.nc, regions: {basin: basin.geojson}"))
        content = {"type": "FeatureCollection", "features": list(boxes)}
        path.with_name("basin.geojson").write_text(json.dumps(content))
        return path

    return write


class TestRegions:
    def test_stand_in_the_file(self, with_regions):
        path = with_regions(box(-103.0, -102.5, 32.0, 33.5))
        result = execute(path, ["output.examples=none"])
        assert result.examples is None
        # the first of three columns: 1 + 4 + 7 of 45, on rows of nearly one area
        assert float(result.aggregates.prior[1] / result.aggregates.prior[0]) == pytest.approx(
            12 / 45, rel=1e-2
        )
        with xr.open_dataset(path.with_name("posterior.nc")) as ds:
            assert ds["aggregate_region"].values.tolist() == ["all", "basin"]
            assert ds["aggregate_posterior_covariance"].shape == (2, 2)
            assert float(ds["aggregate_posterior"][0]) == pytest.approx(float(ds["total_posterior"]))
            assert float(ds["dofs_of_cell"].sum()) == pytest.approx(float(ds["dofs"]))

    def test_of_one_file_keep_their_names(self, with_regions):
        path = with_regions(box(-103.0, -102.5, 32.0, 33.5, "west"), box(-102.5, -101.5, 32.0, 33.5, "east"))
        result = execute(path, ["output.examples=none", "output.file=null"])
        assert result.aggregates.regions == ("all", "basin: west", "basin: east")
        assert float(result.aggregates.posterior[1:].sum()) == pytest.approx(
            float(result.aggregates.posterior[0])
        )

    def test_one_without_cells_is_told(self, with_regions):
        path = with_regions(box(-103.0, -102.5, 32.0, 33.5, "west"), box(10.0, 11.0, 50.0, 51.0, "far"))
        result = execute(path, ["output.examples=none", "output.file=null"])
        assert result.aggregates.regions == ("all", "basin: west")
        assert any("'basin: far' holds the centre of no cell" in note for note in result.notes)

    def test_a_file_without_any_is_a_fault_of_its_setting(self, with_regions):
        path = with_regions(box(10.0, 11.0, 50.0, 51.0))
        with pytest.raises(ConfigError) as error:
            assemble(path)
        (fault,) = error.value.faults
        assert "basin" in fault
        assert "no region holds the centre of any cell" in fault

    def test_a_missing_file_is_found_before_the_run(self, small_run):
        path = small_run(("file: posterior.nc", "regions: {basin: nothing.geojson}"))
        with pytest.raises(ConfigError, match=r"nothing\.geojson"):
            assemble(path)


class TestExamples:
    def test_are_a_column_and_a_row_of_the_jacobian(self, small_run):
        path = small_run()
        result = execute(path)
        plume, footprint = result.examples.plume, result.examples.footprint
        # 1, 2, ..., 9: the last is the strongest
        assert plume.element == 8
        assembly = assemble(path)
        model = assembly.model()
        K = model.linearize(model.control.prior, plume.window).forward(torch.eye(9, dtype=torch.float64)).T
        assert torch.allclose(plume.seen, K[:, 8], rtol=1e-9, atol=1e-15)
        assert torch.allclose(footprint.row, K[footprint.observation], rtol=1e-9, atol=1e-15)
        with xr.open_dataset(path.with_name("posterior.nc")) as ds:
            assert ds["plume"].dims == ("lat_2", "lon_2")
            number = int(ds["footprint_observation"])
            assert int(ds["window_of_observation"][number]) == int(ds["plume_window"])
            np.testing.assert_array_equal(ds["footprint"], footprint.row)
            assert int(np.isfinite(ds["plume_seen"]).sum()) == 10

    def test_the_plume_holds_what_was_emitted(self, small_run):
        path = small_run()
        plume = execute(path, ["output.report=null"]).examples.plume
        assert float(plume.field.min()) >= 0.0
        # columns of 1e-9 of an atmosphere of about 1e4 kg m-2, over the emission of 9e-9 kg m-2 s-1 in 12 h
        mass = float((plume.field.numpy() * 1e-9 * plume.grid.area).sum()) * 1.03e4 * 16.0425 / 28.9644
        emitted = 9e-9 * 43200 * float(plume.grid.area[plume.grid.size // 2])
        assert mass == pytest.approx(emitted, rel=0.1)

    def test_a_surrogate_makes_them_column_by_column(self, small_run):
        path = small_run()
        result = execute(path, ["components.transport.run_as=surrogate"])
        footprint = result.examples.footprint
        model = assemble(path, ["components.transport.run_as=surrogate"]).model()
        K = (
            model.linearize(model.control.prior, footprint.window)
            .forward(torch.eye(9, dtype=torch.float64))
            .T
        )
        assert torch.allclose(footprint.row, K[footprint.observation], rtol=1e-6, atol=1e-12)

    def test_are_not_made_where_nobody_looks(self, small_run):
        assert execute(small_run(), ["output.file=null"]).examples is None

    def test_change_no_count_of_calls(self, small_run):
        path = small_run()
        with_, without = (execute(path, [f"output.examples={e}"]).calls for e in ("made", "none"))
        assert [(c.plugin, c.calls, c.columns) for c in with_] == [
            (c.plugin, c.calls, c.columns) for c in without
        ]

    def test_a_model_that_cannot_is_told_and_the_posterior_stays(self, small_run, monkeypatch):
        assembly = assemble(small_run())
        model = assembly.model()
        posterior = execute(small_run(), ["output.file=null"]).posterior

        def refuse(*_):
            raise SpecError("has no tangent", where="transport")

        monkeypatch.setattr(type(model), "linearize", refuse)
        found = examples(assembly, model, posterior)
        assert (found.plume, found.footprint) == (None, None)
        assert "has no tangent" in found.notes[0]

    def test_all_cells_are_seen_once(self, small_run):
        assembly = assemble(small_run())
        layout = assembly.members["transport"].layouts["methane_column"]
        everywhere = Everywhere("transport.methane_column", layout)
        (window, *_) = assembly.windows
        (look,) = everywhere.looks(window).values()
        field = torch.arange(float(layout.grid.size), dtype=torch.float64)
        assert torch.equal(look(field), field)
        assert len(everywhere.windows([window])[window]) == layout.grid.size


def test_what_is_dropped_is_counted_by_reason(small_run):
    path = small_run(("file: columns.nc", "file: columns.nc, between: [1.5, 9]"))
    result = execute(path, ["output.examples=none"])
    values = 2.0 + np.sin(np.arange(20))
    low = int((values < 1.5).sum())
    assert result.dropped == (Dropped("observations", "its value is not between 1.5 and 9", low),)
    with xr.open_dataset(path.with_name("posterior.nc")) as ds:
        assert ds["dropped_count"].values.tolist() == [low]
        assert ds.sizes["observation"] == 20 - low


def test_matrices_can_be_left_out(small_run):
    path = small_run()
    execute(path, ["output.matrices=left-out", "output.examples=none"])
    with xr.open_dataset(path.with_name("posterior.nc")) as ds:
        assert not {"averaging_kernel", "posterior_covariance"} & set(ds)
        assert float(ds["x_sensitivity"].sum()) == pytest.approx(float(ds["dofs"]))
        assert "x_posterior_sigma" in ds
