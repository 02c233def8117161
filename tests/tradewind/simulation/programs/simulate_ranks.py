"""Run a config under MPI: simulate_ranks.py BEGIN CONFIG OVERRIDE..."""

from __future__ import annotations

import sys

import torch
from mpi4py import MPI

from tradewind.execute import execute
from tradewind.simulation import Begin

torch.set_num_threads(1)
execute(sys.argv[2], sys.argv[3:], MPI.COMM_WORLD, None, Begin(sys.argv[1]))
