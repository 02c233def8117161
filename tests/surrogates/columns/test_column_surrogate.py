"""Column networks as surrogates: the kits hold, and the domain is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tradewind.errors import CheckpointError, DomainError
from tradewind.surrogates.columns.domain import fit_columns, refuse_outside
from tradewind.surrogates.columns.surrogate import ColumnSurrogate
from tradewind.testing import NetworkConformance, SurrogateConformance

FILE = Path(__file__).parents[3] / "examples" / "photochemistry.safetensors"


class TestFile(NetworkConformance):
    def checkpoint(self) -> Path:
        return FILE


class TestSurrogate(SurrogateConformance):
    def surrogate(self) -> ColumnSurrogate:
        return ColumnSurrogate.from_checkpoint(FILE)

    def asked(self) -> torch.Tensor:
        return torch.tensor([[10.0, 20.0, 40.0, 0.005], [5.0, 10.0, 60.0, 0.002]])

    def outside(self) -> torch.Tensor:
        return torch.tensor([[10.0, 20.0, 400.0, 0.005], [-50.0, 10.0, 60.0, 0.002]])


def test_without_an_error_model_none_is_told(network, tmp_path):
    from tradewind.surrogates.columns.files import save_columns

    save_columns(tmp_path / "n.safetensors", network)
    with pytest.raises(CheckpointError, match="error model"):
        ColumnSurrogate.from_checkpoint(tmp_path / "n.safetensors").error(torch.zeros(2, 6))


def test_the_first_column_outside_is_named():
    domain = fit_columns(torch.randn(2, 500, generator=torch.Generator().manual_seed(0)))
    x = torch.zeros(2, 9)
    refuse_outside(domain, x, "net")
    x[1, 6] = 40.0
    with pytest.raises(DomainError, match=r"net: 1 of 9 columns .* first is 7"):
        refuse_outside(domain, x, "net")
    refuse_outside(None, x, "net")
