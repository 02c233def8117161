"""Small runs with a setting in them, and what each row of docs/coupling-words.md does there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from ruamel.yaml import YAML

from tradewind.assembly import Assembly, assemble
from tradewind.config.sections.models import RunConfig
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import (
    Creep,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
)

HERE = Path(__file__).parent
HOUR = timedelta(hours=1)
SECTIONS = set(RunConfig.model_fields)
BASE = {
    "plugins": ["words_plugin.py"],
    "run": {"start": "2000-01-01", "stop": "2000-01-01T12:00", "step": "6h"},
    "components": {
        "source": {"plugin": "numbers", "step": "1h", "options": {}},
        "target": {"plugin": "shows", "options": {}},
    },
    "exchanges": [{"from": "source.x", "to": "target.x"}],
}
Overlay = Mapping[str, object]
Check = Callable[["Case"], None]


def merged(base: Mapping, over: Mapping) -> dict:
    """Return `base` with what `over` says, mappings within mappings."""
    found = deepcopy(dict(base))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = merged(found[key], value) if both else value
    return found


def with_snippet(config: Mapping, snippet: Mapping) -> dict:
    """Return a config with a snippet where the page says that it goes."""
    if set(snippet) & SECTIONS:
        whole = merged(config, snippet)
        source = whole["components"]["source"]
        if source["plugin"] == "dataset":
            # its options are the snippet's alone
            source["options"] = snippet["components"]["source"]["options"]
        return whole
    return merged(config, {"exchanges": [merged(config["exchanges"][0], snippet), *config["exchanges"][1:]]})


@dataclass
class Case:
    """A small run with a row's setting."""

    assembly: Assembly

    @cached_property
    def run(self) -> CoupledRun:
        return self.assembly.run()

    @property
    def operator(self):
        return self.assembly.exchanges[0].operator

    def given(self) -> list[float]:
        """Return what the target's first cell is given at each of its steps."""
        found = []
        for interval in self.run.steps_of("target", Interval(self.run.clock.start, self.run.clock.stop)):
            self.run.advance(interval.stop)
            found.append(float(self.run.get("target.given")[0, 0]))
        return found


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "words_plugin.py").write_text((HERE / "words_plugin.py").read_text())
    place = {"lat": [-45.0, 45.0], "lon": [45.0, 135.0, 225.0, 315.0]}
    initial = xr.Dataset({"x": (("lat", "lon"), np.full((2, 4), -2.0), {"units": "K"})}, place)
    initial["lat"].attrs, initial["lon"].attrs = {"units": "degrees_north"}, {"units": "degrees_east"}
    initial.to_netcdf(tmp_path / "initial.nc")
    times = np.arange(
        np.datetime64("2000-01-01", "ns"), np.datetime64("2000-01-02", "ns"), np.timedelta64(1, "h")
    )
    hours = np.arange(24.0)[:, None, None] + np.zeros((2, 4))
    initial.assign(x=(("time", "lat", "lon"), hours, {"units": "K"})).assign_coords(time=times).to_netcdf(
        tmp_path / "series.nc"
    )
    return tmp_path


@pytest.fixture
def build(folder) -> Callable[..., Case]:
    """Return a function that builds the small run with a snippet in it."""

    def make(snippet: Mapping, over: Overlay) -> Case:
        path = folder / "run.yaml"
        with path.open("w") as stream:
            YAML(typ="safe").dump(with_snippet(merged(BASE, over), snippet), stream)
        return Case(assemble(path))

    return make


def options(**both: object) -> dict:
    """Return options of both components: ``source_grid=`` of one, ``kind=`` of both."""
    own = {"source": {}, "target": {}}
    for key, value in both.items():
        side, _, name = key.partition("_")
        for component in own if side not in own else (side,):
            own[component][name if side in own else key] = value
    return {"components": {name: {"options": found} for name, found in own.items()}}


SAME: dict = {}
STATES = options(source_grid="box", target_grid="inner")
FLUXES = options(source_grid="box", target_grid="inner", kind="flux")
AMOUNTS = options(source_grid="box", target_grid="inner", kind="amount")
WIDER = options(source_grid="box", target_grid="wider")
SPHERES = options(source_grid="eight", target_grid="fine")


def given(*expected: float) -> Check:
    """Expect these numbers at the target's steps."""

    def check(case) -> None:
        assert case.given() == pytest.approx(list(expected), rel=1e-15)

    return check


def regridded(scheme: Scheme) -> Check:
    """Expect the weights that the scheme has."""

    def check(case) -> None:
        made = case.operator.regridder
        alone = Regridder.build(made.source, made.target, scheme)
        assert (made.weights != alone.weights).nnz == 0
        assert made.weights.nnz > 0

    return check


def steps(**expected: timedelta) -> Check:
    def check(case) -> None:
        found = {p.name: p.step or case.run.clock.step for p in case.run.participants}
        assert found == expected

    return check


def clock(start: datetime, stop: datetime) -> Check:
    def check(case) -> None:
        assert (case.run.clock.start, case.run.clock.stop) == (start, stop)

    return check


def calendar(expected: Calendar) -> Check:
    def check(case) -> None:
        assert case.run.clock.calendar is expected

    return check


def source_first(case) -> None:
    assert next(iter(case.run.plan.steps)).call.component == "source"


def tolerates(expected: float) -> Check:
    def check(case) -> None:
        assert case.assembly.exchanges[0].tolerance == expected
        case.given()
        assert case.run.ledger
        assert max(abs(entry.residual) for entry in case.run.ledger) <= expected

    return check


def conserves(case) -> None:
    """Expect the integral to be kept by weights that would not keep it."""
    generator = torch.Generator().manual_seed(1)
    exchange = case.assembly.exchanges[0]
    field = torch.rand(1, exchange.source.layout.n_local, generator=generator, dtype=torch.float64)
    left, plain = exchange.source.integral(field), exchange.target.integral(exchange.operator.operator(field))
    assert abs(plain - left) > 1e-6 * left
    assert exchange.target.integral(exchange.forward(field)) == pytest.approx(left, rel=1e-15)


def writes(*ports: str) -> Check:
    def check(case) -> None:
        assert [str(port) for port in case.assembly.config.output.fields] == list(ports)

    return check


def caches(case) -> None:
    assert case.assembly.config.run.cache.name == "weights"


def identity(case) -> None:
    field = torch.arange(1.0, 9.0, dtype=torch.float64)
    assert torch.equal(case.operator.forward(field), field)


def poles(points: int) -> Scheme:
    return Scheme(Method.BILINEAR, poles=Poles(PoleKind.NPNTAVG, points))


def conservative(norm: Norm = Norm.DSTAREA, method: Method = Method.CONSERVATIVE) -> Scheme:
    return Scheme(method, norm=norm)


FROM_TO = clock(datetime(2000, 1, 1), datetime(2000, 1, 3))
INSTANT, MEAN, SUM = given(5.0, 11.0), given(3.5, 9.5), given(21.0, 57.0)
LEAST, LARGEST, LAGGED = given(1.0, 7.0), given(6.0, 12.0), given(-1.0, 3.5)
EVERY = given(*[5.0] * 6, *[11.0] * 6)
FAST_TARGET = {"components": {"target": {"step": "1h"}}}
SLOW_SOURCE = {"components": {"source": {"step": "6h"}}}
# the record at the end of each step: hours since the start
READ = (SAME, given(6.0, 12.0))
NEAREST, FILLED = Scheme(Method.NEAREST_S2D), Scheme(Method.BILINEAR, extrapolation=NearestSource())
CREPT = Scheme(Method.BILINEAR, extrapolation=Creep(2))
AVERAGED = Scheme(Method.BILINEAR, extrapolation=InverseDistance(8, 2.0))
SECOND = Method.CONSERVATIVE_2ND
# the last of six steps has 3/4
PARTLY = (SAME, given(3.75, 8.25))

OASIS = {
    "`$RUNTIME`": (SAME, FROM_TO),
    "coupling period, `21600`": (FAST_TARGET, EVERY),
    "`LOCTRANS INSTANT`": (SAME, INSTANT),
    "`LOCTRANS AVERAGE`": (SAME, MEAN),
    "`LOCTRANS ACCUMUL`": (SAME, SUM),
    "`LOCTRANS ACCUMUL`, then divided by the model": (
        options(target_units="K s"), given(21.0 * 3600.0, 57.0 * 3600.0)
    ),
    "`LOCTRANS T_MIN`": (SAME, LEAST),
    "`LOCTRANS T_MAX`": (SAME, LARGEST),
    "`LAG=+3600`, one step of the source": (SAME, LAGGED),
    "`LAG=0`, period of one step": (SLOW_SOURCE, given(2.0, 1.0)),
    "restart file of a field with `LAG`": (SAME, given(-2.0, 3.5)),
    "`$NNOREST T`": (SAME, given(0.0, 3.5)),
    "`SEQ=+1`": (SAME, source_first),
    "`BLASOLD 2.0 0`": (SAME, given(10.0, 22.0)),
    "`BLASOLD 1.0 1`, `CONSTANT 273.15`": (SAME, given(278.15, 284.15)),
    "`BLASNEW 1.0 1`, `CONSTANT 273.15`": (SAME, given(278.15, 284.15)),
    "`MAPPING … bfb`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`SCRIPR BILINEAR`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`SCRIPR BICUBIC`": (STATES, regridded(Scheme(Method.PATCH))),
    "`SCRIPR DISTWGT … 1`": (STATES, regridded(NEAREST)),
    "`SCRIPR CONSERV FRACAREA FIRST`": (STATES, regridded(conservative(Norm.FRACAREA))),
    "`SCRIPR CONSERV DESTAREA FIRST`": (FLUXES, regridded(conservative())),
    "`SCRIPR CONSERV FRACAREA SECOND`": (STATES, regridded(conservative(Norm.FRACAREA, SECOND))),
    "`CONSERV GLOBAL`": (SPHERES, conserves),
    "`CONSERV … bfb`": (SPHERES, conserves),
    "`CHECKIN`": (SAME, tolerates(1e-9)),
    "`CHECKOUT`": (SAME, tolerates(1e-9)),
    "`EXPORTED`": (SAME, INSTANT),
    "`EXPOUT`": (SAME, writes("source.x", "target.x")),
    "`OUTPUT`": (SAME, writes("source.x")),
    "`INPUT`": READ,
}  # fmt: skip
NUOPC = {
    "`startTime`, `stopTime`": (SAME, FROM_TO),
    "`defaultCalKind: ESMF_CALKIND_NOLEAP`": (SAME, calendar(Calendar.NOLEAP)),
    "`@21600`": (SAME, steps(source=HOUR, target=6 * HOUR)),
    "`@3600` within it": (SLOW_SOURCE, steps(source=HOUR, target=6 * HOUR)),
    "order of the lines": (SAME, source_first),
    "`ATM -> OCN` after `ATM`": (SLOW_SOURCE, given(2.0, 1.0)),
    "`ATM -> OCN` before `ATM`": (SAME, LAGGED),
    "a mediator's accumulation": (SAME, MEAN),
    "a mediator's merge": (SAME, given(1.25, 2.75)),
    "`remapMethod=redist`": (SAME, identity),
    "`remapMethod=bilinear`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`remapMethod=patch`": (STATES, regridded(Scheme(Method.PATCH))),
    "`remapMethod=nearest_stod`": (STATES, regridded(NEAREST)),
    "`remapMethod=nearest_dtos`": (AMOUNTS, regridded(Scheme(Method.NEAREST_D2S))),
    "`remapMethod=conserve`": (FLUXES, regridded(conservative())),
    "`remapMethod=conserve_2nd`": (FLUXES, regridded(conservative(method=SECOND))),
    "`normType` (of ESMF's regridding)": (FLUXES, regridded(conservative())),
    "`extrapMethod=nearest_stod`": (WIDER, regridded(FILLED)),
    "`extrapMethod=nearest_idavg`": (WIDER, regridded(AVERAGED)),
    "`extrapMethod=creep`": (WIDER, regridded(CREPT)),
    "`poleMethod=npntavg=3`": (SPHERES, regridded(poles(3))),
    "`unmappedAction=error`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`srcTermProcessing=0`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`termOrder=srcseq`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "dynamic masks": PARTLY,
    "`dumpWeights=true`": (SAME, caches),
    "`zeroRegion=empty`": (SAME, INSTANT),
    "`model: ESMX_Data`": READ,
}
YAC = {
    "`start_date`, `end_date`": (SAME, FROM_TO),
    "`calendar: proleptic-gregorian`": (SAME, calendar(Calendar.STANDARD)),
    "`calendar: 365d`": (SAME, calendar(Calendar.NOLEAP)),
    "`calendar: 360d`": (SAME, calendar(Calendar.DAYS_360)),
    "`timestep_unit: second`, `coupling_period: 21600`": (FAST_TARGET, EVERY),
    "`time_reduction: none`": (SAME, INSTANT),
    "`time_reduction: average`": (SAME, MEAN),
    "`time_reduction: accumulate`": (SAME, SUM),
    "`time_reduction: minimum`": (SAME, LEAST),
    "`time_reduction: maximum`": (SAME, LARGEST),
    "`src_lag: 1`": (SAME, LAGGED),
    "`tgt_lag: 1`": (SLOW_SOURCE, given(2.0, 1.0)),
    "`scale_factor: 2.0`": (SAME, given(10.0, 22.0)),
    "`scale_summand: 273.15`": (SAME, given(278.15, 284.15)),
    "`interpolation: [nnn: {n: 1}]`": (STATES, regridded(NEAREST)),
    "`interpolation: [average]`": (STATES, regridded(Scheme(Method.BILINEAR))),
    "`interpolation: [conservative: {order: 1}]`": (FLUXES, regridded(conservative())),
    "`interpolation: [conservative: {order: 2}]`": (FLUXES, regridded(conservative(method=SECOND))),
    "`normalisation: fracarea`": (STATES, regridded(conservative(Norm.FRACAREA))),
    "`normalisation: destarea`": (FLUXES, regridded(conservative())),
    "`partial_coverage: true`": (FLUXES, regridded(conservative())),
    "`enforced_conservation: true`": (FLUXES, tolerates(1e-9)),
    "`interpolation: [bernstein_bezier]`": (STATES, regridded(Scheme(Method.PATCH))),
    "`interpolation: [source_to_target_map]`": (AMOUNTS, regridded(Scheme(Method.NEAREST_D2S))),
    "`interpolation: [average, nnn]`": (WIDER, regridded(FILLED)),
    "`interpolation: [average, creep]`": (WIDER, regridded(CREPT)),
    "`weight_file_name`": (SAME, caches),
    "fractional masks, `yac_cput_frac`": PARTLY,
    "a collection of levels": (options(source_levels=3), INSTANT),
    "`use_raw_exchange`": (SAME, identity),
}
CIRCLE_BUT_LATE = {
    "components": {"source": {"plugin": "shows"}},
    "exchanges": [
        {"from": "source.given", "to": "target.x"},
        {"from": "target.given", "to": "source.x", "lag": "6h", "initial": 0.0},
    ],
}
WIDER_NEAREST = {**WIDER, "exchanges": [{"from": "source.x", "to": "target.x", "regrid": "nearest_s2d"}]}
NO_FILE = (STATES, "regrid.file: unknown key")
# what a refused setting is tried in, which alone is no fault, and what is said of it
STOPS = {
    "OASIS3-MCT": {
        "`LOCTRANS ONCE`": (SAME, "time: input should be"),
        "`LAG=+7200`, two steps of the source": (SAME, "no whole number of periods"),
        "`LAG=-3600`": (SAME, "lag: '-6h' is not a duration"),
        "`LAG` without a restart file": (SAME, "needs a value for the time before the start"),
        "`MAPPING map.nc`": NO_FILE,
        "`SCRIPR CONSERV FRACNNEI FIRST`": (STATES, "leaves twice"),
        "`CONSERV GLBPOS`": (SPHERES, "not linear"),
        "`CONSERV BASBAL`": (SPHERES, "conserve: input should be"),
        "`CONSERV BASPOS`": (SPHERES, "conserve: input should be"),
    },
    "NUOPC and ESMX": {
        "`ATM -> OCN` and `OCN -> ATM`, neither delayed": (CIRCLE_BUT_LATE, "circle"),
        "`extrapMethod=creep_nrst_d`": (STATES, "one of nearest, inverse_distance, creep"),
        "`unmappedAction=ignore`": (WIDER_NEAREST, "they would be 0"),
    },
    "YAC": {
        "`timestep_unit: month`": (SAME, "not a duration"),
        "`interpolation: [average, fixed: {user_value: 0}]`": (STATES, "no extrapolation 'fixed'"),
        "`interpolation: [user_file]`": NO_FILE,
    },
}
BY_SECTION = {"OASIS3-MCT": OASIS, "NUOPC and ESMX": NUOPC, "YAC": YAC}


@pytest.fixture(scope="session")
def by_section() -> dict[str, dict[str, tuple[Overlay, Check]]]:
    """Return overlay and check of every row that sets something, by section and word."""
    return BY_SECTION


@pytest.fixture(scope="session")
def stops() -> dict[str, dict[str, tuple[Overlay, str]]]:
    """Return what each refused setting is tried in, and what is said of it, by section and word."""
    return STOPS


@pytest.fixture
def sees() -> Callable[..., Check]:
    """Return what expects numbers at the target's steps."""
    return given
