"""Control of an inversion: what it may change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.assembly.faults import Faults
from tradewind.assembly.parts import Assembly, Member
from tradewind.config.sections.control import ControlSection
from tradewind.couplers.assimilation.control import Clustering, Per, PriorError, ScaledField
from tradewind.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import numpy as np


def build_control(assembly: Assembly, faults: Faults) -> None:
    """Build what the inversion may change."""
    section = assembly.config.control
    member = None if section is None else assembly.members.get(section.field.component)
    if section is None or member is None:
        return  # a component that is missing is reported where it stands
    name = section.field.variable
    known = tuple(v.name for v in member.spec.parameters)
    if name not in known:
        what = f"{section.field.component} has no parameter {name!r}, {did_you_mean(name, known)}"
        faults.add(("control", "field"), what)
    elif name in member.defaults:
        with faults.at("control"):
            assembly.control = _control(section, member)
    elif not hasattr(member.component, "defaults"):
        faults.add(("control", "field"), f"{section.field.component} gives {name!r} no prior value")


def _control(section: ControlSection, member: Member) -> ScaledField:
    name = section.field.variable
    clustering = Clustering(Per(section.per), section.tile, _regions(section.regions))
    error = PriorError(section.prior_error, section.correlation_km)
    prior = member.defaults[name][0]
    return ScaledField(str(section.field), prior, member.layouts[name], clustering, error)


def _regions(path: Path | None) -> np.ndarray | None:
    """Return the labels of the file's variable ``region``, None without a file."""
    import numpy as np
    import xarray as xr

    if path is None:
        return None
    try:
        with xr.open_dataset(path) as ds:
            return np.asarray(ds["region"].values)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no variable 'region' can be read: {error}", where=str(path)) from error
