"""Small column networks that tests of files, evaluation and freezing share."""

from __future__ import annotations

import pytest
import torch

from tradewind.surrogates.columns.header import ColumnField
from tradewind.surrogates.columns.network import MLP

PROFILE = ColumnField(name="profile", units="kg kg-1", size=5, mean=(0.5,), scale=(2.0,))
LIGHT = ColumnField(name="light", units="s-1", mean=(1.0,), scale=(0.5,))
FLUX = ColumnField(name="flux", units="kg m-2 s-1", scale=(3.0,))
RATES = ColumnField(name="rates", units="s-1", size=2, mean=(1.0, -1.0), scale=(1.0, 4.0))


@pytest.fixture
def network() -> MLP:
    torch.manual_seed(0)
    return MLP((PROFILE, LIGHT), (FLUX, RATES), widths=(12, 7)).eval()


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(6, 700, generator=torch.Generator().manual_seed(1))
