"""Networks from the weather of a window to the fate of what its centre emits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tradewind.errors import CheckpointError
from tradewind.surrogates.networks.base import (
    CHANNELS,
    WINDOW,
    WindowNetwork,
    channel_names,
    check_inputs,
    parameter_count,
)
from tradewind.surrogates.networks.compact import CompactNetwork
from tradewind.surrogates.networks.operator import OperatorNetwork
from tradewind.surrogates.networks.published import PublishedNetwork
from tradewind.surrogates.normalisation import Normalisation

__all__ = [
    "CHANNELS",
    "NETWORKS",
    "WINDOW",
    "CompactNetwork",
    "OperatorNetwork",
    "PublishedNetwork",
    "WindowNetwork",
    "build_network",
    "channel_names",
    "check_inputs",
    "parameter_count",
]

NETWORKS: Mapping[str, type[WindowNetwork]] = MappingProxyType(
    {kind.name: kind for kind in (CompactNetwork, OperatorNetwork, PublishedNetwork)}
)


def build_network(
    name: str,
    options: Mapping[str, Any],
    normalisation: Normalisation,
    known: Mapping[str, type[WindowNetwork]] = NETWORKS,
) -> WindowNetwork:
    """Return an untrained network of a known kind.

    Parameters
    ----------
    name
        Kind of network: ``compact``, ``operator``, ``published`` or a key of `known`.
    options
        Keyword arguments of its constructor.
    normalisation
        Scales of its inputs and outputs.

    Raises
    ------
    CheckpointError
        When the kind is not known or does not take these options.
    """
    if name not in known:
        raise CheckpointError(f"no network is called {name!r}", hint=f"known: {', '.join(sorted(known))}")
    try:
        return known[name](normalisation, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the {name} network does not take these options: {error}") from error
