"""A config with a model of a few lines and a host beside it, and sessions of it."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.session import Session

FUNCTIONS = """
def decay(imports, state, parameters):
    amount = state["amount"] * parameters["kept"][:, None] + imports["source"].sum(1)
    return {"twice": 2 * amount}, {"amount": amount}


def fail(imports, state, parameters):
    if float(imports["source"].max()) > 100:
        raise KeyError("too much")
    return decay(imports, state, parameters)
"""
CONFIG = """
run: {{start: 2020-01-01, stop: 2020-01-02, step: 6h}}
components:
  pond:
    plugin: function
    options:
      file: functions.py
      function: {function}
      grid: {{lat: [0, 10], lon: [0, 10, 20]}}
      imports: {{source: {{units: kg, levels: 2}}}}
      exports: {{twice: {{units: kg}}}}
      state: {{amount: {{units: kg, initial: 1.0}}}}
      parameters: {{kept: {{value: 0.5}}}}
  sea:
    plugin: host
    options:
      imports: {{rain: {{units: mm d-1}}}}
      exports: {{warmth: {{units: K}}}}
{more}
"""
SOURCE = np.arange(12.0).reshape(2, 6)
"""Of two levels and six cells; its sum over levels is 6, 8, 10, 12, 14, 16."""
SUM = np.array([6.0, 8.0, 10.0, 12.0, 14.0, 16.0])


@pytest.fixture
def write(tmp_path):
    """Write a config; return its path."""

    def written(function: str = "decay", more: str = "") -> str:
        (tmp_path / "functions.py").write_text(FUNCTIONS)
        path = tmp_path / "run.yaml"
        path.write_text(CONFIG.format(function=function, more=more))
        return str(path)

    return written


@pytest.fixture
def session(write):
    """A session of the config."""
    opened = Session(write(), Serial())
    yield opened
    opened.close()


@pytest.fixture
def pond(session):
    """The model, described."""
    part = session.component("pond")
    part.describe()
    return part
