"""Communicators, agreement and sums in serial; on ranks they are tested in test_couplers_on_ranks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.ranks.parallel import (
    Communicator,
    MpiCommunicator,
    Serial,
    agree,
    as_communicator,
    block_ranges,
    ordered_sum,
    owned_blocks,
    tree_sum,
)
from tradewind.errors import GridError, RankError, SpecError


class OneOf(Serial):
    """A rank of several that sees canned answers from the others."""

    def __init__(self, rank: int, size: int, others: list | None = None):
        self.rank, self.size, self.others = rank, size, others or []

    def allgather(self, item):
        out = list(self.others)
        out.insert(self.rank, item)
        return out


def test_no_communicator_is_serial():
    assert isinstance(as_communicator(None), Serial)


def test_serial_passes_through():
    comm = Serial()
    assert as_communicator(comm) is comm


def test_serial_is_a_communicator():
    assert isinstance(Serial(), Communicator)


def test_a_number_is_no_communicator():
    with pytest.raises(SpecError, match="int is no communicator"):
        as_communicator(3)


def test_serial_collectives_give_back_what_they_get():
    comm = Serial()
    assert comm.allgather("x") == ["x"]
    assert comm.bcast("x") == "x"
    assert comm.allgather_array(np.arange(3))[0].tolist() == [0, 1, 2]
    assert comm.exchange([np.arange(2)])[0].tolist() == [0, 1]
    assert comm.split(4).size == 1
    assert comm.barrier() is None


def test_exchange_wants_one_array_per_rank():
    with pytest.raises(SpecError, match="2 arrays to exchange among 1 ranks"):
        Serial().exchange([np.zeros(1), np.zeros(1)])


def test_mpi4py_communicators_are_wrapped():
    class Comm:
        def Get_rank(self):
            return 2

        def Get_size(self):
            return 4

    comm = as_communicator(Comm())
    assert isinstance(comm, MpiCommunicator)
    assert (comm.rank, comm.size) == (2, 4)
    assert repr(comm) == "MpiCommunicator(rank 2 of 4)"


def test_serial_imports_no_mpi4py():
    module = "tradewind.couplers.ranks.parallel"
    code = f"import sys, {module}; print('mpi4py' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_agreement_in_serial_lets_errors_pass():
    with pytest.raises(GridError, match="broken"), agree(Serial()):
        raise GridError("broken")


def test_agreement_without_a_fault_is_silent():
    with agree(OneOf(0, 3, [None, None])):
        pass


def test_the_failing_rank_raises_its_own_error():
    with pytest.raises(GridError, match="broken"), agree(OneOf(1, 2, [None])):
        raise GridError("broken")


def test_other_ranks_name_the_first_failing_rank_and_what_it_said():
    others = [None, ("GridError", "broken"), ("ValueError", "later")]
    message = "rank 2, and 1 more, reading winds: GridError: broken"
    with pytest.raises(RankError, match=message), agree(OneOf(0, 4, others), "reading winds"):
        pass


def test_blocks_cover_the_range_with_a_short_last_one():
    assert block_ranges(10, 4) == [range(0, 4), range(4, 8), range(8, 10)]


def test_nothing_has_no_blocks():
    assert block_ranges(0, 4) == []


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 9))
def test_ranks_own_every_block_once_and_in_order(n, block, size):
    owned = [owned_blocks(n, block, OneOf(r, size)) for r in range(size)]
    assert [b for blocks in owned for b in blocks] == list(range(len(block_ranges(n, block))))


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 9))
def test_no_rank_owns_two_blocks_more_than_another(n, block, size):
    counts = [len(owned_blocks(n, block, OneOf(r, size))) for r in range(size)]
    assert max(counts) - min(counts) <= 1


@given(st.integers(0, 70))
def test_tree_sum_is_a_sum(n):
    x = torch.arange(1.0, n + 1, dtype=torch.float64)
    assert tree_sum(x) == n * (n + 1) / 2


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 5))
def test_tree_sum_of_a_column_does_not_depend_on_its_neighbours(n, columns, seed):
    x = torch.randn(n, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert tree_sum(x)[0] == tree_sum(x[:, :1])[0]


@given(st.integers(1, 200), st.integers(0, 5))
def test_tree_sums_of_aligned_blocks_sum_to_the_same_bits(n, seed):
    x = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    padded = torch.cat([x, x.new_zeros(-n % 8)]).reshape(-1, 8)
    assert tree_sum(tree_sum(padded.T)) == tree_sum(x)


def test_ordered_sum_adds_in_the_order_of_block_numbers():
    # (1e16 + 1) + 1 loses both ones, 1e16 + (1 + 1) would not: the order shows
    values = torch.tensor([[1e16], [1.0], [1.0]], dtype=torch.float64)
    blocks = {2: values[2], 0: values[0], 1: values[1]}
    assert ordered_sum(Serial(), blocks).item() == 1e16
    reordered = {2: blocks[0], 0: blocks[1], 1: blocks[2]}
    assert ordered_sum(Serial(), reordered).item() == 1e16 + 2


def test_ordered_sum_takes_pairs_and_keeps_the_shape():
    pairs = [(0, torch.ones(2, 3, dtype=torch.float64)), (1, torch.ones(2, 3, dtype=torch.float64))]
    assert torch.equal(ordered_sum(Serial(), pairs), torch.full((2, 3), 2.0, dtype=torch.float64))


@pytest.mark.parametrize(
    "blocks",
    [
        {},
        {0: torch.ones(2)},
        {0: torch.ones(2, dtype=torch.float64), 1: torch.ones(3, dtype=torch.float64)},
    ],
    ids=["nothing", "float32", "two shapes"],
)
def test_ordered_sum_refuses_what_cannot_be_summed(blocks):
    with pytest.raises(SpecError, match="blocks to sum"):
        ordered_sum(Serial(), blocks)
