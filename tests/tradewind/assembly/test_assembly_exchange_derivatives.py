"""Derivatives through all that an exchange of a config does, by dot tests and by differences."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.assembly import assemble
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.grids import Grid

CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}
components:
  a: {plugin: constant, step: 1h, options: {grid: {file: f.nc}, fields: {x: {value: [1, 2, 3], units: degC}, part: {value: 0.25, units: "1"}}}}
  b: {plugin: constant, step: 2h, options: {grid: {file: f.nc}, fields: {x: {value: 4, units: K}}}}
  c: {plugin: constant, options: {grid: {region: {west: 0, east: 40, south: 0, north: 40}, spacing: 5}, fields: {part: {value: 0.75, units: "1"}}}}
  sink:
    plugin: function
    step: 3h
    options:
      file: sink.py
      function: keep
      grid: {region: {west: 0, east: 40, south: 0, north: 40}, spacing: 5}
      imports: {x: {units: K}}
      state: {kept: {units: K, initial: 0.0}}
      exports: {kept: {units: K}}
      linear: true
exchanges:
  - {from: a.x, to: sink.x, levels: {interpolate: {from: [0, 1, 2], to: [0.25]}}, time: mean, lag: 6h, initial: 2.0, scale: 3.0, regrid: {method: bilinear, extrapolate: nearest}, conserve: global, fraction: {from: a.part, initial: 0.25}}
  - {from: b.x, to: sink.x, interpolate: linear, initial: 1.0, fraction: c.part}
"""  # noqa: E501
SINK = """
def keep(imports, state):
    kept = 0.5 * state["kept"] + imports["x"]
    return {"kept": kept}, {"kept": kept}
"""
STOP = datetime(2000, 1, 2)
START = datetime(2000, 1, 1)


@pytest.fixture
def run(tmp_path: Path) -> CoupledRun:
    lat = np.arange(5.0, 40, 10)
    Grid.latlon(lat, lat).to_dataset().to_netcdf(tmp_path / "f.nc")
    (tmp_path / "sink.py").write_text(SINK)
    # c's fraction is wanted with the same interpolation as its field
    text = CONFIG.replace("fraction: c.part", "fraction: {from: c.part, initial: 0.75}")
    (tmp_path / "run.yaml").write_text(text)
    return assemble(tmp_path / "run.yaml").run()


def put(run: CoupledRun, by: float = 0.0, direction: dict[str, torch.Tensor] | None = None) -> None:
    values = {"a.x": torch.ones(1, 3, 16).double(), "b.x": torch.full((1, 16), 4.0).double()}
    for port, value in values.items():
        run.put(port, value + by * (0.0 if direction is None else direction[port][0]))


def directions(seed: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    shapes = {"a.x": (1, 1, 3, 16), "b.x": (1, 1, 16)}
    return {p: torch.randn(*s, generator=random, dtype=torch.float64) for p, s in shapes.items()}


def test_tangents_and_gradients_agree(run):
    with run.recording():
        put(run)
        run.advance(STOP)
    forward = {(port, START): value for port, value in directions(0).items()}
    event = ("sink.kept", STOP)
    there = run.jvp(forward, [event])[event]
    y = torch.randn(there.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    back = run.vjp({event: y})
    gap = abs(float((there * y).sum()) - sum(float((forward[e] * back[e]).sum()) for e in forward))
    assert gap <= 1e-13 * float(there.norm() * y.norm())
    assert float(there.abs().min()) > 0


def test_tangents_are_differences(run):
    """Fractions are held, and all else is affine: differences are exact but for rounding."""
    moved, results = directions(0), []
    for by in (0.0, 1.0):
        run.rewind(run.start())
        with run.recording():
            put(run, by, moved)
            run.advance(STOP)
        results.append(run.get("sink.kept"))
    event = ("sink.kept", STOP)
    tangent = run.jvp({(port, START): value for port, value in moved.items()}, [event])[event][0]
    assert torch.allclose(results[1] - results[0], tangent, rtol=1e-12, atol=1e-12)


def test_fractions_that_do_not_go_together_stop_the_run(run):
    from tradewind.errors import DataError

    put(run)
    run.put("c.part", torch.full((1, 64), 0.5).double())
    with pytest.raises(DataError, match=r"sink\.x: the fractions of what is merged add up to 0\.\d+ at cell"):
        run.advance(STOP)
