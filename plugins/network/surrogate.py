"""A column network that stands in for the step of any component whose fields it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from torch import Tensor

from tradewind.couplers.coupling.component import Step, StepCall
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.coupling.units import Conversion, conversion
from tradewind.errors import SpecError, UnitsError, did_you_mean
from tradewind.plugins.network.columns import Columns, dtype_of
from tradewind.plugins.network.options import StandInOptions
from tradewind.surrogates.columns.header import ColumnField

if TYPE_CHECKING:
    from tradewind.couplers.coupling.component import Component

SAME = Conversion(1.0, 0.0)
ROLES = {"import": "imports", "state": "state", "parameter": "parameters"}
"""Where an input is looked for, in this order."""


class NetworkStandIn:
    """Answers ``tradewind_step`` for a component.

    The network's inputs are among the component's imports, state and parameters, looked for in this order;
    its outputs are all of its exports and state variables. Units and extra dimensions are the same, and all
    fields lie on one grid; a parameter without a grid is the same for all columns.

    Parameters
    ----------
    options
        The file.
    component
        That it stands in for.

    Raises
    ------
    CheckpointError
        When the file cannot be used.
    SpecError
        When its fields are not those of the component.
    """

    def __init__(self, options: StandInOptions, component: Component) -> None:
        self.columns = Columns(options.checkpoint, options.precision)
        self.spec, self._where = component.describe(), str(options.checkpoint)
        header = self.columns.header
        self.inputs = tuple(self._input(f) for f in header.inputs)
        self._check_outputs({f.name: f for f in header.outputs})
        _check_one_grid(self.spec, self._where)

    def _input(self, field: ColumnField) -> tuple[str, str]:
        for role, among in ROLES.items():
            for variable in getattr(self.spec, among):
                if variable.name == field.name:
                    self._check(field, variable)
                    return role, field.name
        known = [v.name for among in ROLES.values() for v in getattr(self.spec, among)]
        hint = did_you_mean(field.name, known)
        raise SpecError(f"its input {field.name!r} is none of the component's", where=self._where, hint=hint)

    def _check_outputs(self, outputs: dict[str, ColumnField]) -> None:
        wanted = {v.name: v for v in (*self.spec.state, *self.spec.exports)}
        if wanted.keys() != outputs.keys():
            what = f"it makes {', '.join(sorted(outputs))}, the component makes {', '.join(sorted(wanted))}"
            hint = "all exports and state variables, by their names"
            raise SpecError(what, where=self._where, hint=hint)
        for variable in (*self.spec.state, *self.spec.exports):
            self._check(outputs[variable.name], variable)

    def _check(self, field: ColumnField, variable: Variable) -> None:
        lengths = () if field.size is None else (field.size,)
        if tuple(n for _, n in variable.extra) != lengths:
            what = f"{field.name!r} has extra lengths {lengths}, that of the component {variable.extra}"
            raise SpecError(what, where=self._where)
        if field.units != variable.units and conversion(field.units, variable.units) != SAME:
            what = f"{field.name!r} is in {field.units!r}, that of the component in {variable.units!r}"
            raise UnitsError(what, where=self._where, hint="train it in the component's units")

    def verify(self, window: timedelta | None) -> None:
        """Read the weights.

        Raises
        ------
        CheckpointError
            When they are damaged.
        """
        _ = self.columns.evaluator

    def tradewind_step(self, call: StepCall) -> Step:
        """Answer in place of the model; ``valid`` says which members lie within the domain."""
        columns = self.columns
        values = list(self._values(call))
        shape = _shape(values, self.inputs, self.spec)
        x = columns.features(values, (shape[0], shape[-1] if len(shape) > 1 else 1))
        dtype = dtype_of({**call.imports, **call.state.fields, **call.parameters})
        found = columns.fields(columns.evaluator(x), shape, dtype)
        exports = {v.name: found[v.name] for v in self.spec.exports}
        state = State({v.name: found[v.name] for v in self.spec.state}, call.state.extras)
        return Step(exports, state, columns.inside(x, shape[0]))

    def _values(self, call: StepCall) -> Iterator[Tensor]:
        given = {"import": call.imports, "state": call.state.fields, "parameter": call.parameters}
        return (given[role][name] for role, name in self.inputs)


def _check_one_grid(spec: Spec, where: str) -> None:
    every = (*spec.imports, *spec.state, *spec.parameters, *spec.exports)
    grids = {v.grid.fingerprint for v in every if v.grid is not None}
    if len(grids) > 1:
        what = "the component's fields lie on several grids, a column network knows one"
        raise SpecError(what, where=where)


def _shape(values: Sequence[Tensor], inputs: Sequence[tuple[str, str]], spec: Spec) -> tuple[int, ...]:
    """Return the number of members, and of cells where the fields have a grid."""
    for value, (role, name) in zip(values, inputs, strict=True):
        if spec.variable(ROLES[role], name).grid is not None:
            return len(value), value.shape[-1]
    return (len(values[0]),)
