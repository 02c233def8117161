"""Controls of a field with levels on ranks that own scattered cells; rank 0 writes what it found."""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PriorError,
    sample,
)
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.errors import TradewindError

LEVELS = 3


def layout_of(comm) -> Layout:
    """Deal the cells out by their remainder; the last of several ranks has none."""
    mask = np.ones((6, 9), dtype=bool)
    mask[2, 3:6] = False
    grid = Grid.latlon(np.arange(6) + 0.5, np.arange(9) + 0.5, mask=mask)
    shared = as_communicator(comm)
    parts = max(shared.size - 1, 1)
    cells = np.arange(grid.size)
    return Layout(grid, comm, cells[cells % parts == shared.rank] if shared.rank < parts else cells[:0])


def prior(layout: Layout) -> torch.Tensor:
    whole = torch.arange(LEVELS * layout.n_global, dtype=torch.float64).reshape(LEVELS, -1) % 7 + 1
    return layout.scatter(whole)


def joint(layout: Layout) -> JointControl:
    field, error = prior(layout), PriorError(0.5, 300.0)
    tiles = Clustering(Per.CLUSTER, 3.0)
    rates = FieldControl(
        "a.rate", torch.tensor([1.0, 2.0]).double(), None, Clustering(Per.CELL), change=Add()
    )
    columns = FieldControl("a.column", field, layout, tiles, error, Lognormal())
    cells = FieldControl("b.state", field, layout, Clustering(Per.CELL), error, Add())
    return JointControl([columns, rates, cells])


def refused(layout: Layout) -> str:
    field = prior(layout)
    if 20 in layout.owned.tolist():
        field[1, layout.owned.tolist().index(20)] = float("nan")
    try:
        FieldControl("a.b", field, layout)
    except TradewindError as error:
        return str(error)
    return ""


def results(comm) -> dict[str, np.ndarray]:
    layout = layout_of(comm)
    control = joint(layout)
    x = sample(control, range(4), seed=5)
    operator, fields = control.linearize(x[0]), control.to_fields(x)
    y = torch.cat([part.range.random(k) for k, part in enumerate(operator.parts)])
    sigma = control.sigma(x[1], control.covariance.diagonal())
    return {
        "x": x.numpy(),
        "columns": layout.gather(fields["a.column"]).numpy(),
        "cells": layout.gather(fields["b.state"]).numpy(),
        "rates": fields["a.rate"].numpy(),
        "sigma": layout.gather(sigma["a.column"]).numpy(),
        "adjoint": operator.adjoint(y).numpy(),
        "places": np.stack(control.places),
        "dot": np.array(dot_test(operator, batch=(2,))),
        "refused": np.array(refused(layout)),
    }


if __name__ == "__main__":
    from mpi4py import MPI

    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(sys.argv[1], **found)
