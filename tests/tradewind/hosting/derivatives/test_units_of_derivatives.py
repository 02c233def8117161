"""Units of tangents and adjoints: differences have no offset, and a derivative by a field its reciprocal."""

import numpy as np
import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.failing import CallError
from tradewind.hosting.session import Session

HOW = (0, False, True)
CONFIG = """
run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}
host: {}
components:
  pond:
    plugin: function
    options:
      file: pond.py
      function: warmed
      grid: {lat: [0, 10], lon: [0, 10]}
      imports: {air: {units: K}}
      exports: {heat: {units: kJ}}
"""
FUNCTION = """
def warmed(imports, state, parameters):
    return {"heat": 3.0 * imports["air"]}
"""


@pytest.fixture
def pond(tmp_path):
    (tmp_path / "pond.yaml").write_text(CONFIG)
    (tmp_path / "pond.py").write_text(FUNCTION)
    session = Session(str(tmp_path / "pond.yaml"), Serial())
    part = session.component("pond")
    part.put(0, "air", np.full(4, 10.0), "degC", *HOW)
    part.run(0.0, 3600.0)
    yield part
    session.close()


def test_a_value_has_an_offset(pond):
    heat = np.empty(4)
    pond.get(0, "heat", heat)
    assert heat.tolist() == pytest.approx([849.45] * 4)


def test_a_tangent_has_none(pond):
    heat = np.empty(4)
    pond.put(1, "air", np.ones(4), "degC", *HOW)
    pond.tangent()
    pond.get(1, "heat", heat, "J", *HOW)
    assert heat.tolist() == pytest.approx([3000.0] * 4)


def test_an_adjoint_is_a_derivative_by_the_field(pond):
    air = np.empty(4)
    pond.put(2, "heat", np.ones(4), "J", *HOW)
    pond.adjoint()
    pond.get(2, "air", air, "degC", *HOW)
    # 1 per J is 1000 per kJ
    assert air.tolist() == pytest.approx([3000.0] * 4)


def test_other_units_are_only_converted_when_asked(pond):
    with pytest.raises(CallError, match="declared in 'kJ'"):
        pond.put(2, "heat", np.ones(4), "J", 0, False, False)
