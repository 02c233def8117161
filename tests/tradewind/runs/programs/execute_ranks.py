"""Run a config under MPI: execute_ranks.py CONFIG OVERRIDE..."""

from __future__ import annotations

import sys

import torch
from mpi4py import MPI

from tradewind.execute import execute

torch.set_num_threads(1)
execute(sys.argv[1], sys.argv[2:], MPI.COMM_WORLD)
