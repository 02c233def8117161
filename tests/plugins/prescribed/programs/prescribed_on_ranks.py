"""Steps of prescribed components whose cells are shared by ranks; rank 0 writes the whole fields.

Usage: prescribed_on_ranks.py FOLDER, where land.nc and walk.py lie.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from mpi4py import MPI

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.plugins.prescribed.constant import Constant
from tradewind.plugins.prescribed.dataset import Dataset
from tradewind.plugins.prescribed.function import FunctionComponent
from tradewind.plugins.prescribed.options import ConstantOptions, DatasetOptions, FunctionOptions

torch.set_num_threads(1)
FOLDER, COMM = Path(sys.argv[1]), as_communicator(MPI.COMM_WORLD)
START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)


def components():
    grid = {"file": FOLDER / "land.nc"}
    yield "dataset", Dataset(DatasetOptions(file=FOLDER / "land.nc", variables=("x",)))
    fields = {"c": {"value": 2.0, "units": "K"}}
    yield "constant", Constant(ConstantOptions(grid=grid, fields=fields))
    walk = FunctionOptions(
        file=FOLDER / "walk.py", function="walk", grid=grid, seed=5,
        exports={"y": {"units": "K"}}, state={"s": {"units": "K", "initial": 1.0}},
    )  # fmt: skip
    yield "function", FunctionComponent(walk)


def layouts(grid):
    """Blocks, and cells dealt out one by one but for the last rank, which owns none."""
    yield "blocks", Layout.blocks(grid, COMM, 2)
    owners = max(COMM.size - 1, 1)
    yield "strewn", Layout(grid, COMM, np.arange(grid.size)[np.arange(grid.size) % owners == COMM.rank])


def stepped(component, layout):
    """Yield the whole exports of three steps."""
    spec = component.describe()
    own = {v.name: layout for v in (*spec.exports, *spec.state, *spec.parameters)}
    state = component.initialize(spec, own, 2)
    given = {k: v.expand(2, *v.shape[1:]) for k, v in component.defaults(own).items()}
    for k in range(3):
        exports, state = component.step(state, {}, given, Interval(START + k * HOUR, START + (k + 1) * HOUR))
        yield from (layout.gather(value).numpy() for value in exports.values())


found = {}
for name, component in components():
    if hasattr(component, "share"):
        component.share(COMM)
    for how, layout in layouts(component.describe().exports[0].grid):
        found[f"{name}_{how}"] = np.stack(list(stepped(component, layout)))
if COMM.rank == 0:
    np.savez(FOLDER / f"{COMM.size}.npz", **found)
