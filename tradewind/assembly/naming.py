"""Which variables of a component a run config names: some are made only where somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from tradewind.config import RunConfig
from tradewind.config.sections.values import Endpoint


def variables_named(config: RunConfig, component: str) -> frozenset[str]:
    """Return the variables of a component that exchanges, observations, controls or outputs name."""
    return frozenset(end.variable for end in _endpoints(config) if end.component == component)


def _endpoints(setting: object) -> Iterator[Endpoint]:
    """Yield every ``component.variable`` among settings, however deep."""
    if isinstance(setting, Endpoint):
        yield setting
    elif isinstance(setting, BaseModel):
        yield from _endpoints(dict(setting))
    elif isinstance(setting, Mapping | list | tuple):
        for value in setting.values() if isinstance(setting, Mapping) else setting:
            yield from _endpoints(value)
