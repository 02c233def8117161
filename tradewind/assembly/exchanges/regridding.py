"""From the cells of an export to those of an import, as the config asks and the kind wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from tradewind.assembly.exchanges.link import Link
from tradewind.config.sections.regridding import Regrid, RegridSection
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.how import Side
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.regrid.quantities import (
    AS_ASKED,
    Choice,
    QuantityRegridder,
    choose,
    norm_of,
    refuse_other_units,
    refuse_wrong_pair,
)
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.errors import ConfigError

ROUNDING = 1e-9
WHY_NORM = {
    Norm.DSTAREA: "a fraction of the source's cells: what is missing of a cell, others bring",
    Norm.FRACAREA: "means over what is covered, of which a fraction counts",
}
NOTHING = 1e-12
"""Shares of a cell that are rounding."""


def operator_of(link: Link, weighted: Side | None) -> LinearOperator:
    """Return the operator between the cells of both ends, and say how it was made.

    Parameters
    ----------
    weighted
        On whose cells a fraction multiplies the field, if one does.

    Raises
    ------
    ConfigError, SpecError, GridError
        Grids that differ where nothing regrids, schemes that do not suit, grids that lack what they need.
    """
    section, source, target = link.section, link.source, link.target
    quantity, same = link.quantity, source.layout == target.layout
    wanted = section.regrid or RegridSection()
    if wanted.method is Regrid.NONE or (section.regrid is None and section.norm is None and same):
        if not same:
            raise ConfigError(f"{link.ports} live on different grids: {_grids(link)}",
                hint="name a method under regrid:, or leave it out and the import's kind chooses",
            )  # fmt: skip
        return IdentityOperator(Distributed(source.layout))
    chosen = _chosen(link, wanted, weighted)
    for end in (source, target):
        refuse_other_units(end.layout.grid)
    weights = link.weights.between(source.layout, target.layout, chosen.scheme)
    operator = QuantityRegridder(weights, quantity.kind)
    for text in (*_how(operator, chosen), *operator.notes, *_uncovered(link, operator.regridder)):
        link.note(text)
    return operator


def weights_of(operator: LinearOperator) -> Regridder | None:
    """Return the weights between two grids; None on one and the same."""
    return operator.regridder if isinstance(operator, QuantityRegridder) else None


def _grids(link: Link) -> str:
    return f"{link.source.layout.grid!r} and {link.target.layout.grid!r}"


def _chosen(link: Link, wanted: RegridSection, weighted: Side | None) -> Choice:
    """Return the scheme that the config asks for; what it leaves open, the kind and the fraction choose."""
    grids = link.source.layout.grid, link.target.layout.grid
    if wanted.method is None:
        chosen = choose(link.quantity, *grids)
    else:
        chosen = Choice(Scheme(Method(wanted.method), norm_of(link.quantity.kind)), AS_ASKED)
    try:
        scheme = wanted.onto(chosen.scheme)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    norm = link.section.norm or wanted.norm
    found = scheme = replace(scheme, norm=norm or scheme.norm)
    scheme = _normed(link, scheme, norm, weighted)
    if not _excused(link, scheme, weighted):
        refuse_wrong_pair(link.quantity, scheme)
    return Choice(scheme, chosen.why if scheme == found else WHY_NORM[scheme.norm])


def _normed(link: Link, scheme: Scheme, asked: Norm | None, weighted: Side | None) -> Scheme:
    """Return the scheme with the norm that goes with a fraction."""
    if not scheme.method.is_conservative or weighted is None:
        return scheme
    if weighted is Side.SOURCE:
        if asked is Norm.FRACAREA:
            raise ConfigError(
                "norm fracarea takes out again what a fraction of the source's cells puts in",
                hint="remove the norm: dstarea is meant",
            )
        return replace(scheme, norm=Norm.DSTAREA)
    # the fraction says how much of a cell counts: the norm must not say it as well
    mean = asked or (scheme.norm if link.quantity.kind.is_extensive else Norm.FRACAREA)
    return replace(scheme, norm=mean)


def _excused(link: Link, scheme: Scheme, weighted: Side | None) -> bool:
    """Return whether what a scheme does to a kind is mended elsewhere.

    A state is diluted on purpose where others bring what is missing of a cell, and a flux's total may be
    lost where it is put back.
    """
    if link.quantity.kind is Kind.FLUX_INTENSIVE:
        return link.section.conserve is not None and scheme.method is not Method.NEAREST_D2S
    diluted = scheme.method.is_conservative and scheme.norm is Norm.DSTAREA
    return diluted and weighted is Side.SOURCE and link.quantity.kind is Kind.STATE_INTENSIVE


def _how(operator: QuantityRegridder, chosen: Choice) -> Iterator[str]:
    asked = "" if chosen.why == AS_ASKED else f" ({chosen.why})"
    yield f"{chosen.scheme} by the {operator.regridder.backend} backend{asked}"


def refuse_unmapped_states(link: Link, weights: Regridder, part: Tensor | None) -> None:
    """Refuse to bring states to some cells only: the others would be 0 K, or air without water.

    Parameters
    ----------
    part
        Where it is 0, nothing is needed, shape ``(target cell,)``; None: everywhere something is.

    Raises
    ------
    ConfigError
        Says how many cells receive nothing, and what to do.
    """
    target = link.target
    active = torch.from_numpy(target.layout.grid.mask)
    needed = active if part is None else active & (target.layout.gather(part) > 0)
    left_out = int((target.layout.gather(weights.unmapped.double()).bool() & needed).sum())
    if left_out and link.quantity.kind is Kind.STATE_INTENSIVE:
        raise ConfigError(
            f"{target.port} is a {link.quantity.kind}, and {left_out} of its {int(active.sum())} cells "
            "receive nothing: they would be 0",
            hint="where others bring what is missing, fraction: covered"
            if link.section.merges
            else "regrid: {method: bilinear, extrapolate: nearest}, or mask these cells in the import's grid",
        )


# ---------------------------------------------------------------------- what the target does not reach
def unmapped_shares(weights: Regridder) -> Tensor | None:
    """Return the share of each source cell that no active cell of the target reaches; None where all is.

    What cell j of the source sends is the sum of A_ij over targets i, to be compared with A_j; what differs
    by rounding is 0.

    Returns
    -------
    Shape ``(source cell,)``, 0 for masked cells; collective.
    """
    if not weights.method.is_conservative:
        return None
    source = weights.source
    whole = source.scatter(torch.from_numpy(source.grid.polygon_area))
    active = source.scatter(torch.from_numpy(source.grid.mask)) & (whole > 0)
    share = torch.where(active, 1.0 - _sent(weights) / torch.where(active, whole, 1.0), 0.0)
    share = torch.where(share.abs() < NOTHING, 0.0, share)
    return share if any(source.comm.allgather(bool(share.any()))) else None


def _sent(weights: Regridder) -> Tensor:
    """Return the area of each source cell that reaches a target, Σ_i A_ij."""
    area = weights.target.scatter(torch.from_numpy(weights.target.grid.polygon_area))
    return weights.adjoint(area * weights.frac_target if weights.norm is Norm.FRACAREA else area)


def _uncovered(link: Link, weights: Regridder) -> Iterator[str]:
    """Say how much of the source's area lies where the target does not reach, and what comes of it."""
    if not weights.method.is_conservative:
        return
    source = weights.source
    whole = torch.from_numpy(source.grid.polygon_area * source.grid.mask)
    lost = float(1.0 - source.gather(_sent(weights)).sum() / whole.sum())
    if lost > ROUNDING:
        comes = "is lost" if link.section.conserve is None else "is spread over the target's active cells"
        yield (
            f"{lost:.2%} of the source's area lies outside of the target's grid; what it sends from there "
            f"{comes}"
        )
