"""Two components whose variables the options describe, and run configs that connect them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.check import check

DESCRIBED = '''
"""Sources that export a field (and the part of each cell that it stands for), and sinks that take one."""
import numpy as np
import torch
from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.couplers.coupling.fields import Kind
from tradewind.plugins.options import Options


class EndOptions(Options):
    kind: str = "FLUX_INTENSIVE"
    units: str = "kg m-2 s-1"
    width: float = 10.0
    west: float = 0.0
    columns: int = 4
    rows: int = 0
    hidden: int = 0
    points: bool = False
    area: float = 0.0
    levels: int = 0
    coordinates: list[float] = []
    value: float = 1.0
    part: float = 0.5


def grid(o):
    if o.points:
        return Grid.points([5.0, 7.0, 33.0], [1.0, 2.0, 13.0])
    lat = o.width * (0.5 + np.arange(o.rows or int(40 / o.width)))
    lon = o.west + o.width * (0.5 + np.arange(o.columns))
    mask = np.ones((len(lat), len(lon)), dtype=bool)
    mask[:, : o.hidden] = False
    plain = Grid.latlon(lat, lon)
    off = 1 + o.area * np.random.default_rng(int(o.width)).uniform(-1, 1, plain.shape)
    area = plain.area.reshape(plain.shape) * off if o.area else None
    return Grid.latlon(lat, lon, mask=mask, area=area)


class Source:
    def __init__(self, options):
        o = self.options = options
        extra = (("level", o.levels),) if o.levels else ()
        self.field = Variable("field", o.units, grid(o), Kind[o.kind], extra, levels=tuple(o.coordinates))
        self.part = Variable("part", "1", grid(o))

    def describe(self):
        return Spec(exports=(self.field, self.part), linear=True)

    def initialize(self, spec, layouts, members):
        return State(extras={"members": members})

    def step(self, state, imports, parameters, interval):
        shape = [state.extras["members"], *(n for _, n in self.field.extra), self.field.grid.size]
        cells = 1.0 + torch.arange(float(self.field.grid.size)).double() / 100
        field = self.options.value * cells.expand(shape)
        part = torch.full((shape[0], shape[-1]), self.options.part).double()
        return {"field": field, "part": part}, state

    def finalize(self):
        pass


class Sink(Source):
    def describe(self):
        return Spec(imports=(self.field,), linear=True)

    def step(self, state, imports, parameters, interval):
        return {}, state


@hookimpl
def tradewind_register_component(register):
    register("source", factory=f"{__name__}:Source", options=f"{__name__}:EndOptions", summary="sends")
    register("sink", factory=f"{__name__}:Sink", options=f"{__name__}:EndOptions", summary="takes")
'''
Config = Callable[..., Path]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a function that writes a run config.

    Components are texts of options by name, with their ``step`` before a bar; ``sink`` takes, all others
    send. Exchanges are texts of keys after ``from`` and ``to``, by the name of their source.
    """

    def config(exchanges: dict[str, str], run: str = "", **components: str) -> Path:
        (tmp_path / "described.py").write_text(DESCRIBED)
        lines = [
            "plugins: [described.py]",
            f"run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h{run}}}",
            "components:",
        ]
        for name, text in components.items():
            step, _, options = text.rpartition("|")
            step = f", step: {step}" if step else ""
            plugin = "sink" if name == "sink" else "source"
            lines.append(f"  {name}: {{plugin: {plugin}{step}, options: {{{options}}}}}")
        lines.append("exchanges:")
        for name, keys in exchanges.items():
            lines.append(f"  - {{from: {name}.field, to: sink.field{', ' if keys else ''}{keys}}}")
        (tmp_path / "run.yaml").write_text("\n".join(lines) + "\n")
        return tmp_path / "run.yaml"

    return config


def only_fault_of(path: Path) -> str:
    report = check(path)
    assert len(report.faults) == 1, report.faults
    return report.faults[0]


@pytest.fixture
def only_fault() -> Callable[[Path], str]:
    """Return a function that checks a config and returns its one fault."""
    return only_fault_of
