"""A column network as a component: exports are what it makes of imports, column by column."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.grids import Grid
from tradewind.errors import CheckpointError, DomainError
from tradewind.plugins.network.component import NetworkComponent
from tradewind.plugins.network.options import NetworkOptions
from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import describe_columns, load_columns, save_columns
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import MLP
from tradewind.testing import ComponentConformance

GRID = {"lat": {"centres": [0.0, 1.0, 2.0]}, "lon": {"centres": [0.0, 1.0]}}
HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1) + timedelta(hours=1))
PROFILE = ColumnField(name="profile", units="kg kg-1", size=4)
LIGHT = ColumnField(name="light", units="s-1", mean=(1.0,), scale=(2.0,))
FLUX = ColumnField(name="flux", units="kg m-2 s-1")
RATES = ColumnField(name="rates", units="s-1", size=2)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "net.safetensors"
    network = MLP((PROFILE, LIGHT), (FLUX, RATES), widths=(8,))
    x = 1.0 + torch.randn(5, 500)
    save_columns(path, network, ColumnHeader(**describe_columns(network), domain=fit_columns(x).bounds()))
    return path


@pytest.fixture
def imports():
    torch.manual_seed(1)
    return {"profile": 0.5 + torch.rand(2, 4, 6), "light": 0.5 + torch.rand(2, 6)}


class TestConformance(ComponentConformance):
    @pytest.fixture(autouse=True)
    def _file(self, file):
        self.file = file

    def component(self):
        options = NetworkOptions(checkpoint=self.file, grid=GRID, precision="real64", outside="answer")
        return NetworkComponent(options)


def test_fields_are_those_of_the_file_on_the_grid(file):
    spec = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID)).describe()
    assert [(v.name, v.units, v.extra) for v in spec.imports] == [
        ("profile", "kg kg-1", (("level", 4),)), ("light", "s-1", ()),
    ]  # fmt: skip
    assert {v.grid.size for v in (*spec.imports, *spec.exports)} == {6}


def test_every_column_is_asked_by_itself(file, imports):
    exports, _ = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID)).step(State(), imports, {}, HOUR)
    network, _ = load_columns(file)
    for member, cell in ((0, 0), (1, 5)):
        x = torch.cat([imports["profile"][member, :, cell], imports["light"][member, cell, None]])
        found = torch.cat([exports["flux"][member, cell, None], exports["rates"][member, :, cell]])
        torch.testing.assert_close(found, network(x[:, None])[:, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_answers_have_the_precision_of_what_is_asked(file, imports, dtype):
    component = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID))
    given = {name: value.to(dtype) for name, value in imports.items()}
    assert {v.dtype for v in component.step(State(), given, {}, HOUR)[0].values()} == {dtype}


def test_without_a_grid_there_is_one_column(file):
    component = NetworkComponent(NetworkOptions(checkpoint=file))
    exports, _ = component.step(State(), {"profile": torch.ones(3, 4), "light": torch.ones(3)}, {}, HOUR)
    assert (exports["flux"].shape, exports["rates"].shape) == ((3,), (3, 2))


def test_a_host_may_tell_the_grid(file):
    component = NetworkComponent(NetworkOptions(checkpoint=file))
    assert component.gridless
    component.adopt(Grid.points(np.zeros(3), np.zeros(3)))
    assert not component.gridless
    assert component.describe().exports[0].grid.size == 3
    assert set(component.dtypes.values()) == {torch.float32}


def test_a_rank_without_columns_answers_with_none(file):
    component = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID))
    exports, _ = component.step(
        State(), {"profile": torch.zeros(2, 4, 0), "light": torch.zeros(2, 0)}, {}, HOUR
    )
    assert exports["rates"].shape == (2, 2, 0)


def test_outside_its_domain_it_refuses_unless_told_otherwise(file, imports):
    imports["light"][1, 3] = 100.0
    refusing = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID))
    with pytest.raises(DomainError, match=r"1 of 12 columns .* first is 10"):
        refusing.step(State(), imports, {}, HOUR)
    answering = NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID, outside="answer"))
    assert answering.step(State(), imports, {}, HOUR)[0]["flux"].isfinite().all()


def test_a_damaged_file_is_found_by_check(file, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated"):
        NetworkComponent(NetworkOptions(checkpoint=broken, grid=GRID)).verify(None)


def test_its_files_are_told(file):
    assert list(NetworkComponent(NetworkOptions(checkpoint=file, grid=GRID)).inputs()) == [file]
