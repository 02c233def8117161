"""Trained surrogates in place of expensive model calls inside data-assimilation loops.

Names are imported when they are first used, so that ``import tradewind`` stays light.
"""

from importlib import import_module

_HOMES = {
    "Clock": "couplers.coupling.time.clock",
    "Component": "couplers.coupling.component",
    "Control": "couplers.assimilation",
    "CoupledRun": "coupled.run",
    "Distributed": "couplers.operators",
    "Ensemble": "couplers.assimilation",
    "Filter": "couplers.assimilation",
    "ForwardModel": "couplers.assimilation",
    "Grid": "couplers.grids",
    "Interval": "couplers.coupling.component",
    "Kind": "couplers.coupling.fields",
    "Layout": "couplers.ranks.layout",
    "LinearOperator": "couplers.operators",
    "Observations": "couplers.assimilation",
    "Posterior": "couplers.assimilation",
    "Regridder": "couplers.regrid.regridder",
    "Replicated": "couplers.operators",
    "Solver": "couplers.assimilation",
    "Space": "couplers.operators",
    "Spec": "couplers.coupling.fields",
    "State": "couplers.coupling.fields",
    "Surrogate": "surrogates.surrogate",
    "TradewindError": "errors",
    "Variable": "couplers.coupling.fields",
    "dot_test": "couplers.operators",
    "hookimpl": "markers",
    "load_config": "config",
    "run": "execute",
}
_OTHER_NAMES = {"run": "execute"}

__all__ = tuple(_HOMES)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from tradewind.provenance import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'tradewind' has no attribute {name!r}")
    return getattr(import_module(f"tradewind.{_HOMES[name]}"), _OTHER_NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
