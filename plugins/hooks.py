"""Every place where a plugin can extend a run: this file is the whole extension surface.

A plugin is a module or an object whose functions bear the names below and the marker
`tradewind.markers.hookimpl`. The ``register`` hooks take descriptors, plain strings that name an options
model and a factory by ``"package.module:Name"``, so that a run can be checked without importing a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.markers import hookspec

if TYPE_CHECKING:
    import torch

    from tradewind.couplers.coupling.component import Interval, Step, StepCall
    from tradewind.couplers.operators import LinearOperator
    from tradewind.plugins.registry import Register, RegisterPolicy, RegisterSurrogate


@hookspec
def tradewind_register_component(register: Register) -> None:
    """Name the models that ``components.*.plugin`` of a run config can ask for."""


@hookspec
def tradewind_register_surrogate(register: RegisterSurrogate) -> None:
    """Name the surrogates, what each stands in for, and the kind of component that it replaces."""


@hookspec
def tradewind_register_policy(register: RegisterPolicy) -> None:
    """Name the wrappers of a model call (guard, shadow, …) and the order in which they nest."""


@hookspec
def tradewind_register_solver(register: Register) -> None:
    """Name the methods that ``solve.method`` can ask for."""


@hookspec
def tradewind_register_filter(register: Register) -> None:
    """Name the methods that update an ensemble without calling a model."""


@hookspec
def tradewind_register_observation_operator(register: Register) -> None:
    """Name the operators that ``observations.operator`` can ask for."""


@hookspec(firstresult=True)
def tradewind_step(call: StepCall) -> Step | None:
    """Answer one step of one component, or return None to let the next answerer do it."""


@hookspec(firstresult=True)
def tradewind_linearize(model: Any, x: torch.Tensor | None, window: Interval) -> LinearOperator | None:
    """Return the linear operator of a model about `x` over `window`, or None to let the next answer."""
