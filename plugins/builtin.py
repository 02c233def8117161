"""What tradewind brings along, registered through the same hooks as any other plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.markers import hookimpl

if TYPE_CHECKING:
    from tradewind.plugins.registry import Register, RegisterPolicy, RegisterSurrogate


@hookimpl
def tradewind_register_component(register: Register) -> None:
    """Register the reference models."""


@hookimpl
def tradewind_register_surrogate(register: RegisterSurrogate) -> None:
    """Register the surrogates."""


@hookimpl
def tradewind_register_policy(register: RegisterPolicy) -> None:
    """Register the policies."""


@hookimpl
def tradewind_register_solver(register: Register) -> None:
    """Register the solvers."""


@hookimpl
def tradewind_register_filter(register: Register) -> None:
    """Register the filters."""


@hookimpl
def tradewind_register_observation_operator(register: Register) -> None:
    """Register the observation operators."""
