"""Inversions that see layers of the transport model, and observations of which some cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner

from tradewind.assembly import assemble
from tradewind.cli import app
from tradewind.errors import ConfigError
from tradewind.execute import execute
from tradewind.plugins.jacobian_emulator.layers import RINGS, LayerShares, tell

PROGRAM = Path(__file__).parent / "programs" / "unseen_file.py"
LAYERS = -np.diff([1.0, 0.96, 0.90, 0.80, 0.65, 0.45, 0.0])
"""Shares of the air in the transport model's layers, from the ground."""
LOOK = (
    "observations: {{operator: {operator}, of: transport.methane_profile, options: {{file: {file}, {more}}}}}"
)
RETRIEVAL = "retrieval: {weights: weights, averaging_kernel: kernel, prior: prior}"
OBSERVED = "observations: {operator: column, options: {file: columns.nc}}"


def by_layer(file: str = "columns.nc", more: str = RETRIEVAL) -> tuple[str, str]:
    """Return the change of the config that observes layers."""
    return OBSERVED, LOOK.format(operator="column", file=file, more=more)


def at_level(level: int) -> tuple[str, str]:
    """Return the change of the config that observes one layer at places."""
    return OBSERVED, LOOK.format(operator="point", file="columns.nc", more=f"variable: xch4, level: {level}")


def with_kernels(ds: xr.Dataset, kernel: float = 1.0) -> xr.Dataset:
    """Return columns with a kernel that is the same in all layers, and a prior of 3 ppb."""
    shape = (ds.sizes["obs"], len(LAYERS))
    every = {
        "weights": (np.broadcast_to(LAYERS, shape), "1"),
        "kernel": (np.full(shape, kernel), "1"),
        "prior": (np.full(shape, 3.0), "1e-9"),
    }
    return ds.assign({k: (("obs", "layer"), v.copy(), {"units": u}) for k, (v, u) in every.items()})


def looked(path):
    """Return K of all windows, and what is simulated at the prior."""
    assembly = assemble(path)
    model = assembly.model()
    x = model.control.prior
    rows = [model.linearize(x, w).forward(torch.eye(9, dtype=torch.float64)).T for w in model.windows]
    return torch.cat(rows), torch.cat([model(x, w) for w in model.windows])


# ---------------------------------------------------------------------- layers
def test_a_kernel_of_ones_sees_the_column_that_the_model_exports(small_run, pieces):
    K, y = looked(small_run())
    path = small_run(by_layer())
    with_kernels(pieces.columns()).to_netcdf(path.with_name("columns.nc"))
    by_layers = looked(path)
    assert torch.allclose(by_layers[0], K, rtol=1e-12, atol=1e-14 * float(K.abs().max()))
    assert torch.allclose(by_layers[1], y, rtol=1e-12)


def test_a_kernel_of_a_half_sees_half_of_it_and_half_of_the_prior(small_run, pieces):
    K, y = looked(small_run())
    path = small_run(by_layer())
    with_kernels(pieces.columns(), 0.5).to_netcdf(path.with_name("columns.nc"))
    by_layers = looked(path)
    assert torch.allclose(by_layers[0], 0.5 * K, rtol=1e-12, atol=1e-14 * float(K.abs().max()))
    assert torch.allclose(by_layers[1], 0.5 * y + 1.5, rtol=1e-12)


def test_towers_and_aircraft_see_layers(small_run, pieces):
    lowest, next_above = (looked(small_run(at_level(k))) for k in (0, 1))
    # a kernel that sees all in the lowest layer sees what a tower does
    path = small_run(by_layer())
    ds = with_kernels(pieces.columns())
    ds["kernel"][:] = np.eye(6)[0] / LAYERS[0]
    ds["prior"][:] = 0.0
    ds.to_netcdf(path.with_name("columns.nc"))
    for seen, expected in zip(looked(path), lowest, strict=True):
        assert torch.allclose(seen, expected, rtol=1e-12)
    # 955 of 1000 hPa is half way between the middles of the two lowest layers, .98 and .93
    more = "variable: xch4, vertical: p, surface_pressure: 1000"
    path = small_run((OBSERVED, LOOK.format(operator="profile", file="columns.nc", more=more)))
    heights = ("obs", np.full(20, 955.0), {"units": "hPa"})
    pieces.columns().assign(p=heights).to_netcdf(path.with_name("columns.nc"))
    for seen, below, above in zip(looked(path), lowest, next_above, strict=True):
        assert torch.allclose(seen, 0.5 * (below + above), rtol=1e-10)


def test_who_does_not_look_at_layers_has_none(small_run):
    exports = [v.name for v in assemble(small_run()).members["transport"].spec.exports]
    assert exports == ["methane_column"]
    exports = [v.name for v in assemble(small_run(at_level(0))).members["transport"].spec.exports]
    assert exports == ["methane_column", "methane_profile"]


def test_the_emulator_refuses_layers_before_the_run_starts(small_run, pieces):
    path = small_run(by_layer(), ("run_as: reference", "run_as: surrogate"))
    with_kernels(pieces.columns()).to_netcdf(path.with_name("columns.nc"))
    with pytest.raises(ConfigError, match=r"knows methane_column, and nothing of methane_profile .*guarded"):
        assemble(path)


def test_an_emulator_that_knows_of_layers_answers_for_them(small_run, pieces):
    # a kernel of ones sees the columns whatever the shares are
    columns = looked(small_run(("run_as: reference", "run_as: surrogate")))
    path = small_run(by_layer(), ("run_as: reference", "run_as: surrogate"))
    with_kernels(pieces.columns()).to_netcdf(path.with_name("columns.nc"))
    shares = LayerShares(RINGS, ((0.3, 0.3, 0.2, 0.1, 0.1, 0.0),) * (len(RINGS) - 1))
    tell(path.with_name("net.safetensors"), shares)
    for seen, expected in zip(looked(path), columns, strict=True):
        assert torch.allclose(seen, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("kind", ["guarded", "shadow"])
def test_where_the_model_may_answer_it_does_for_layers(small_run, pieces, kind):
    path = small_run(by_layer())
    with_kernels(pieces.columns()).to_netcdf(path.with_name("columns.nc"))
    reference = execute(path).posterior.mean
    path = small_run(by_layer(), ("run_as: reference", f"run_as: {kind}"))
    with_kernels(pieces.columns()).to_netcdf(path.with_name("columns.nc"))
    assert torch.equal(execute(path).posterior.mean, reference)


# ---------------------------------------------------------------------- what cannot be used
@pytest.fixture
def orbits(small_run, pieces):
    """Return a run of four orbits, and all columns: whole, cut short, of other units, three bad soundings."""
    path = small_run(by_layer("orbits/*.nc"))
    folder = path.with_name("orbits")
    folder.mkdir()
    whole = with_kernels(pieces.columns(), 0.8)
    whole.isel(obs=slice(0, 10)).to_netcdf(folder / "a.nc")
    whole.to_netcdf(folder / "b.nc")
    (folder / "b.nc").write_bytes((folder / "b.nc").read_bytes()[:2000])
    strange = whole.copy()
    strange["xch4"].attrs["units"] = "K"
    strange.to_netcdf(folder / "c.nc")
    bad = whole.isel(obs=slice(10, 20)).copy(deep=True)
    bad["xch4"][0] = np.nan
    bad["kernel"][1, 3] = np.nan
    bad["weights"][2] *= 0.9
    bad.to_netcdf(folder / "d.nc")
    return path, whole


def test_a_run_names_and_counts_what_it_leaves_out(orbits):
    path, _ = orbits
    done = CliRunner().invoke(app, ["run", str(path), "--json"])
    assert done.exit_code == 0, done.output
    notes = json.loads(done.stdout)["notes"]
    files, others = ([n for n in notes if text in n] for text in ("files left out", "observations dropped"))
    assert [n.rpartition(": ")[2] for n in files] == ["b.nc", "c.nc"]
    assert all(n.startswith("1 of 4 files left out: ") for n in files)
    assert others == [
        "1 of 20 observations dropped: its value is missing",
        "1 of 20 observations dropped: its averaging kernel is missing",
        "1 of 18 observations dropped: its pressure weights do not sum to 1",
    ]
    with xr.open_dataset(path.with_name("posterior.nc")) as ds:
        assert "1 of 20 observations dropped: its value is missing" in ds.attrs["comment"]
        counts = dict(
            zip(ds["dropped_reason"].values.tolist(), ds["dropped_count"].values.tolist(), strict=True)
        )
    assert counts["its value is missing"] == 1
    assert counts["its averaging kernel is missing"] == 1
    assert counts["its pressure weights do not sum to 1"] == 1
    assert sum(count for reason, count in counts.items() if reason.startswith("file ")) == 2


def test_the_rest_goes_on_as_if_the_bad_had_never_been_there(orbits, small_run):
    path, whole = orbits
    found = execute(path).posterior
    clean = small_run(by_layer())
    good = [k for k in range(20) if k not in (10, 11, 12)]
    whole.isel(obs=good).to_netcdf(clean.with_name("columns.nc"))
    expected = execute(clean).posterior
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.covariance, expected.covariance)


def test_a_run_that_shall_stop_at_a_bad_orbit_stops(orbits):
    path, _ = orbits
    path.write_text(path.read_text().replace("orbits/*.nc, ", "orbits/*.nc, on_failure: stop, "))
    done = CliRunner().invoke(app, ["run", str(path)])
    assert done.exit_code == 2
    assert "b.nc" in " ".join(done.output.split())


@pytest.mark.mpi
def test_a_file_that_one_rank_does_not_see_is_no_orbit_less(small_run, pieces, mpiexec):
    path = small_run(("columns.nc", "'[ab].nc'"))
    for part, name in enumerate(("a.nc", "b.nc")):
        pieces.columns().isel(obs=slice(10 * part, 10 * part + 10)).to_netcdf(path.with_name(name))
    said = mpiexec(2, PROGRAM, path).stdout.strip().splitlines()
    assert len(said) == 2
    assert all("observations: ranks have read different observations (every rank" in line for line in said)
