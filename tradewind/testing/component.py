"""Conformance of a component: what the coupled run, its tape and the filters rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Component, Interval, Step, StepCall
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import TradewindError
from tradewind.testing.checks import Unchanged, require, require_close, require_same, skip

if TYPE_CHECKING:
    from tradewind.verification.derivatives import Check
    from tradewind.verification.subjects import StepSubject

Answer: TypeAlias = tuple[Fields, State]
Flat: TypeAlias = dict[tuple[str, str], Tensor]


@dataclass(frozen=True)
class Trial:
    """A component with everything that one step of it needs."""

    component: Component
    spec: Spec
    layouts: Layouts
    state: State
    imports: Fields
    parameters: Fields
    interval: Interval

    def step(self, **changes: Fields | State) -> Answer:
        """Take the step, with some of what it is given changed."""
        given = replace(self, **changes)  # type: ignore[arg-type]
        return self.component.step(given.state, given.imports, given.parameters, self.interval)

    def flat(self) -> Flat:
        """Return everything that the step is given, by role and name."""
        roles = {"state": self.state.fields, "import": self.imports, "parameter": self.parameters}
        return {(role, name): v for role, fields in roles.items() for name, v in fields.items()}

    def moved(self, by: Flat, length: float) -> Flat:
        """Return the outcome of a step from what is given plus `length` times `by`."""
        at = {key: v + length * by[key] for key, v in self.flat().items()}
        state = replace(self.state, fields=_role(at, "state"))
        return outcome(self.step(state=state, imports=_role(at, "import"), parameters=_role(at, "parameter")))

    def subject(self) -> StepSubject:
        """Return the step with its derivatives, as the coupled run finds them."""
        # late, so that the kits of operators and solvers do not load the coupled run
        from tradewind.coupled.tape import Participant, Taken
        from tradewind.verification.subjects import StepSubject

        participant = Participant("component", self.component, self.spec, self._answer, self.layouts)
        taken = Taken(participant, self.interval, self.state, self.imports, self.parameters)
        return StepSubject(taken, ("state", "import", "parameter"))

    def tangent(self, by: Flat) -> Flat:
        """Return the step's tangent."""
        return dict(self.subject().tangent(by))

    def _answer(self, call: StepCall) -> Step:
        return Step(*self.component.step(call.state, call.imports, call.parameters, call.interval))


class ComponentConformance(ABC):
    """Tests of a component; subclass with `component`, and whatever else needs to be special.

    Attributes
    ----------
    members
        Number of members in the trials, at least two.
    dtype
        Of all fields.
    gradient_tolerance
        Of the dot test and of linearity, for one product in double precision; it grows with the root of
        their number: see `tradewind.verification.derivatives`.
    difference_tolerance
        Of tangents against finite differences of length `difference`; a model with kinks (limiters,
        thresholds) needs a larger one.
    """

    members = 3
    dtype = torch.float64
    gradient_tolerance = 1e-12
    difference_tolerance = 1e-5
    difference = 1e-5

    @abstractmethod
    def component(self) -> Component:
        """Return a new component."""

    def imports(self, spec: Spec, layouts: Layouts) -> Fields:
        """Return imports that the component can live with; by default random ones between 0.5 and 1.5."""
        return {v.name: self.random(v, layouts, seed) for seed, v in enumerate(spec.imports)}

    def parameters(self, component: Component, spec: Spec, layouts: Layouts) -> Fields:
        """Return parameters: the component's ``defaults(layouts)`` where it has any, or random ones."""
        defaults = getattr(component, "defaults", None)
        known: Fields = defaults(layouts) if defaults is not None else {}
        drawn = {v.name: self.random(v, layouts, 100 + seed) for seed, v in enumerate(spec.parameters)}
        return {k: known[k].expand_as(v).clone() if k in known else v for k, v in drawn.items()}

    def interval(self, spec: Spec) -> Interval:
        """Return the interval to step over: one step of the component's own, or an hour."""
        start = datetime(2000, 1, 1)
        return Interval(start, start + timedelta(seconds=spec.step_seconds or 3600.0))

    def random(self, variable: Variable, layouts: Layouts, seed: int) -> Tensor:
        """Return random numbers between 0.5 and 1.5 of a variable's shape."""
        generator = torch.Generator().manual_seed(seed)
        shape = _shape(variable, layouts, self.members)
        return 0.5 + torch.rand(shape, generator=generator, dtype=self.dtype)

    def trial(self) -> Trial:
        """Return a new component in its initial state."""
        component = self.component()
        spec = component.describe()
        roles = (spec.imports, spec.exports, spec.state, spec.parameters)
        layouts = {v.name: Layout(v.grid) for role in roles for v in role if v.grid is not None}
        state = component.initialize(spec, layouts, self.members)
        parameters = self.parameters(component, spec, layouts)
        imports = self.imports(spec, layouts)
        return Trial(component, spec, layouts, state, imports, parameters, self.interval(spec))

    # ------------------------------------------------------------------ what it says of itself
    def test_describes_itself_the_same_twice(self) -> None:
        """`describe` starts nothing and remembers nothing."""
        component = self.component()
        require(component.describe() == component.describe(), "two calls of describe differ")

    def test_declares_every_variable_once_with_units(self) -> None:
        """Names are unique within a role; units are not empty."""
        spec = self.component().describe()
        for role in ("imports", "exports", "state", "parameters"):
            names = [v.name for v in getattr(spec, role)]
            require(len(set(names)) == len(names), f"{role} repeat a name: {names}")
            for variable in getattr(spec, role):
                require(variable.units.strip(), f"{variable.name} has no units; 1 stands for none")

    def test_begins_in_the_declared_state(self) -> None:
        """`initialize` gives the state variables of the spec, with their shapes and type."""
        trial = self.trial()
        self._declared(trial, trial.state.fields, trial.spec.state, "initial state")

    def test_gives_what_it_declares(self) -> None:
        """A step gives the exports and state of the spec, with their shapes and type, all finite."""
        trial = self.trial()
        exports, state = trial.step()
        self._declared(trial, exports, trial.spec.exports, "exports")
        self._declared(trial, state.fields, trial.spec.state, "state")
        for name, value in outcome((exports, state)).items():
            require(torch.isfinite(value).all(), f"{name} is not finite")

    def _declared(self, trial: Trial, found: Fields, declared: tuple[Variable, ...], what: str) -> None:
        wanted = {v.name: _shape(v, trial.layouts, self.members) for v in declared}
        require(found.keys() == wanted.keys(), f"{what}: {sorted(found)}, declared are {sorted(wanted)}")
        for name, shape in wanted.items():
            have = tuple(found[name].shape), found[name].dtype
            require(have == (shape, self.dtype), f"{what}, {name}: {have}, declared is {(shape, self.dtype)}")

    # ------------------------------------------------------------------ state is a value
    def test_leaves_what_it_was_given_alone(self) -> None:
        """A step changes neither state nor imports nor parameters in place."""
        trial = self.trial()
        with Unchanged("step", trial.state, trial.imports, trial.parameters):
            trial.step()

    def test_answers_the_same_twice(self) -> None:
        """The same step gives the same bits, whatever was stepped in between: no memory but the state."""
        trial = self.trial()
        exports, state = trial.step()
        trial.step(state=state)
        require_same(trial.step(), (exports, state), "a step taken again")

    def test_a_new_component_answers_the_same(self) -> None:
        """Nothing that matters is kept outside of component and state."""
        require_same(self.trial().step(), self.trial().step(), "a step of a new component")

    def test_members_do_not_know_of_each_other(self) -> None:
        """Members stepped apart give what they give together."""
        trial, some = self.trial(), torch.tensor([self.members - 1, 0])
        whole = {k: v[some] for k, v in outcome(trial.step()).items()}
        imports, parameters = (_select(f, some) for f in (trial.imports, trial.parameters))
        apart = trial.step(state=trial.state.select(some), imports=imports, parameters=parameters)
        require_close(outcome(apart), whole, 1e-12, "members stepped apart")

    def test_members_can_be_put_back(self) -> None:
        """Selecting members of a state and merging them changes nothing."""
        state, some = self.trial().step()[1], torch.tensor([self.members - 1, 0])
        require_same(state.merge(state.select(some), some).fields, state.fields, "state merged again")

    # ------------------------------------------------------------------ derivatives
    def test_gradient_is_the_adjoint_of_the_tangent(self) -> None:
        """<J u, v> = <u, Jᵀ v> for random u and v."""
        from tradewind.verification.derivatives import AdjointDot

        self._holds(AdjointDot(self.gradient_tolerance))

    def test_derivatives_are_linear(self) -> None:
        """J 0 = 0, Jᵀ 0 = 0 and J (a u) = a J u."""
        from tradewind.verification.derivatives import Linearity, ZeroPerturbation

        self._holds(ZeroPerturbation())
        self._holds(Linearity(self.gradient_tolerance))

    def _holds(self, check: Check) -> None:
        from tradewind.verification.findings import NotApplicable, Outcome
        from tradewind.verification.rays import Ray

        try:
            found = check.of(Ray(self._differentiable().subject(), seed=1))
        except NotApplicable as reason:
            skip(str(reason))
            return
        told = f"{check.name}: {found.figure} is above {found.tolerance}; {found.advice}"
        require(found.outcome is Outcome.PASSED, told)

    def test_tangent_is_the_limit_of_differences(self) -> None:
        """J u = (f(x + h u) - f(x - h u)) / 2h, u in the scale of x."""
        trial = self._differentiable()
        given = {k: v * (trial.flat()[k].abs() + 0.1) for k, v in _like(trial.flat(), 1).items()}
        h, moved = self.difference, partial(trial.moved, given)
        ahead, behind = moved(h), moved(-h)
        differences = {k: (ahead[k] - behind[k]) / (2 * h) for k in ahead}
        tangents = trial.tangent(given)
        found = {k: tangents.get(k, torch.zeros_like(v)) for k, v in differences.items()}
        require_close(found, differences, self.difference_tolerance, "tangent against differences")

    def test_superposes_where_it_claims_to(self) -> None:
        """f(x + 2 u) - f(x) = 2 f(u) in state and imports, where the spec says linear."""
        trial = self.trial()
        if not trial.spec.linear:
            skip("does not claim to be linear")
        if not (trial.spec.state or trial.spec.imports):
            skip("has neither state nor imports to be linear in")
        one, two = trial.flat(), _like(trial.flat(), 3)
        both = {k: v + 2 * two[k] if k[0] != "parameter" else v for k, v in one.items()}
        parts = [_step_at(trial, at) for at in (one, two | _only(one, "parameter"), both)]
        expected = {k: parts[0][k] + 2 * parts[1][k] for k in parts[0]}
        require_close(parts[2], expected, 1e-10, "superposition")

    def _differentiable(self) -> Trial:
        trial = self.trial()
        if not trial.spec.differentiable:
            skip("declares that it has no adjoint")
        trial.step()  # a derivative is always asked of a step that was taken
        return trial

    # ------------------------------------------------------------------ bad values
    def test_a_nan_is_refused_or_shows(self) -> None:
        """NaN in one member's import is an error of ours, or shows in that member and in no other."""
        trial = self.trial()
        for name in trial.imports:
            spoilt = {k: v.clone() for k, v in trial.imports.items()}
            spoilt[name][0] = torch.nan
            try:
                found = outcome(trial.step(imports=spoilt))
            except TradewindError:
                continue
            shows = any(bool(v[0].isnan().any()) for v in found.values())
            require(shows, f"NaN in {name} has vanished")
            clean = all(bool(torch.isfinite(v[1:]).all()) for v in found.values())
            require(clean, f"NaN in {name} of one member has spread to others")


def outcome(answer: Answer) -> Flat:
    """Return exports and new state of a step, by role and name."""
    exports, state = answer
    return {("export", k): v for k, v in exports.items()} | {("state", k): v for k, v in state.fields.items()}


def _step_at(trial: Trial, at: Flat) -> Flat:
    state = replace(trial.state, fields=_role(at, "state"))
    return outcome(trial.step(state=state, imports=_role(at, "import"), parameters=_role(at, "parameter")))


def _role(flat: Flat, role: str) -> Fields:
    return {name: v for (r, name), v in flat.items() if r == role}


def _only(flat: Flat, role: str) -> Flat:
    return {key: v for key, v in flat.items() if key[0] == role}


def _like(flat: Flat, seed: int) -> Flat:
    generator = torch.Generator().manual_seed(seed)
    return {k: torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in flat.items()}


def _select(fields: Fields, some: Tensor) -> Fields:
    return {k: v[some] for k, v in fields.items()}


def _shape(variable: Variable, layouts: Layouts, members: int) -> tuple[int, ...]:
    cells = () if variable.grid is None else (layouts[variable.name].n_local,)
    return (members, *(length for _, length in variable.extra), *cells)
