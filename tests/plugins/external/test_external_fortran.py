"""A Fortran program is a component like any other: it conforms, couples, rewinds and differentiates."""

from __future__ import annotations

import pytest

from tradewind.plugins.external.derivatives import external
from tradewind.plugins.external.options import ExternalOptions
from tradewind.testing import ComponentConformance


class TestBox(ComponentConformance):
    members = 2
    difference = 1e-8  # of the rate, which is 1e-5, a thousandth at most

    @pytest.fixture(autouse=True)
    def _box(self, box):
        self.settings = box

    def component(self):
        return external(ExternalOptions(**self.settings))
