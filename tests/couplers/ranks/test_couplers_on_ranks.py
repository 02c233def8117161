"""Results have the same bits on 2, 3 and 4 ranks as without MPI, also where ranks own no cell at all."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.mpi
RANKS = (2, 3)
UP_TO_FOUR = (1, 2, 3, 4)
KINDS = [
    "conservative_fracarea",
    "conservative_dstarea",
    "conservative_2nd_fracarea",
    "conservative_2nd_dstarea",
    "bilinear_fracarea",
    "nearest_s2d_fracarea",
    "nearest_d2s_fracarea",
]
MASKS = ["none", "source", "target", "both"]
FAULTS = {
    "whole_field": "SpecError",
    "wrong_shape": "SpecError",
    "wrong_dtype": "SpecError",
    "wrong_gather": "SpecError",
    "bad_cells": "SpecError",
    "plain": "ValueError",
}
TOGETHER = {
    "orphan": "belong to no rank",
    "no_overlap": "do not overlap",
    "unequal_blocks": "blocks to sum",
    "unequal_batch": "leading dimensions differ between ranks",
    "halo_target": "target cells have several owners",
}


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["small", "large", "strewn"])
@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest_s2d", "nearest_d2s"])
@pytest.mark.parametrize("what", ["forward", "adjoint", "one", "gradient", "frac"])
def test_regridding_has_the_same_bits_on_any_number_of_ranks(on_one, on_ranks, ranks, layout, method, what):
    key = f"{layout}_{method}_{what}"
    assert np.array_equal(on_ranks(ranks)[key], on_one[key])


@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest_s2d", "nearest_d2s"])
def test_who_owns_what_does_not_show_in_the_result(on_one, on_ranks, method):
    found = {on_ranks(3)[f"{layout}_{method}_forward"].tobytes() for layout in ("small", "large", "strewn")}
    assert found == {on_one[f"small_{method}_forward"].tobytes()}


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["small", "large", "strewn"])
@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest_s2d", "nearest_d2s"])
def test_adjoint_is_exact_on_ranks(on_ranks, ranks, layout, method):
    assert on_ranks(ranks)[f"{layout}_{method}_dottest"] <= 1e-14


@pytest.mark.parametrize("ranks", UP_TO_FOUR)
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_adjoint_of_every_kind_is_exact_with_any_mask(on_one, on_ranks, ranks, masks, kind):
    found = on_one if ranks == 1 else on_ranks(ranks)
    assert found[f"matrix_{masks}_{kind}_dottest"] <= 1e-14


@pytest.mark.parametrize("ranks", UP_TO_FOUR[1:])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["forward", "adjoint"])
def test_every_kind_has_the_same_bits_with_many_members(on_one, on_ranks, ranks, masks, kind, what):
    key = f"matrix_{masks}_{kind}_{what}"
    assert np.array_equal(on_ranks(ranks)[key], on_one[key])


@pytest.mark.parametrize("ranks", UP_TO_FOUR[1:])
@pytest.mark.parametrize("what", ["first", "all", "again"])
def test_a_subgroup_of_the_ranks_gives_what_all_of_them_give(on_one, on_ranks, ranks, what):
    assert np.array_equal(on_ranks(ranks)[f"subgroup_{what}"], on_one["subgroup_all"])


@pytest.mark.parametrize("ranks", RANKS)
def test_a_whole_field_on_a_rank_is_refused_with_the_way_to_its_part(on_ranks, ranks):
    message = on_ranks(ranks)["fault_whole_field"][-1]
    assert "of 72 cells: layout.scatter(x) takes them" in message
    assert "from latlon grid 6x12" in message
    assert "to latlon grid 9x16" in message


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["small", "large", "strewn"])
@pytest.mark.parametrize("what", ["dot", "random"])
def test_spaces_are_the_same_on_any_number_of_ranks(on_one, on_ranks, ranks, layout, what):
    key = f"{layout}_space_{what}"
    assert np.array_equal(on_ranks(ranks)[key], on_one[key])


@pytest.mark.parametrize("layout", ["large", "strewn"])
def test_dot_does_not_depend_on_the_owners(on_one, layout):
    assert on_one[f"{layout}_space_dot"] == on_one["small_space_dot"]


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["small", "large", "strewn"])
def test_a_field_comes_back_from_its_halo_unchanged(on_ranks, ranks, layout):
    assert not on_ranks(ranks)[f"{layout}_halo_roundtrip"].any()


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["small", "large", "strewn"])
def test_halo_exchange_has_an_exact_adjoint(on_ranks, ranks, layout):
    assert on_ranks(ranks)[f"{layout}_halo_dottest"] <= 1e-14


@pytest.mark.parametrize("ranks", RANKS)
def test_sums_of_blocks_have_the_same_bits(on_one, on_ranks, ranks):
    assert np.array_equal(on_ranks(ranks)["sum_of_blocks"], on_one["sum_of_blocks"])


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("what", ["made", "cached", "read", "adjoint"])
def test_weights_from_files_and_cache_have_the_same_bits(on_one, on_ranks, ranks, what):
    assert np.array_equal(on_ranks(ranks)[f"files_{what}"], on_one[f"files_{what}"])


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("what", ["value", "entries", "frac"])
def test_some_ranks_write_the_file_that_one_writes(on_one, on_ranks, ranks, what):
    assert np.array_equal(on_ranks(ranks)[f"files_{what}"], on_one[f"files_{what}"])


@pytest.mark.parametrize("what", ["cached", "read"])
def test_weights_read_again_give_what_was_made(on_one, what):
    assert np.array_equal(on_one[f"files_{what}"], on_one["files_made"])


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_one_rank_is_raised_there_as_it_is(on_ranks, ranks, fault):
    assert on_ranks(ranks)[f"fault_{fault}"][-1].startswith(FAULTS[fault])


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_one_rank_reaches_the_others_with_its_name_and_rank(on_ranks, ranks, fault):
    for message in on_ranks(ranks)[f"fault_{fault}"][:-1]:
        assert message.startswith(f"RankError: rank {ranks - 1}")
        assert FAULTS[fault] in message


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("fault", TOGETHER)
def test_a_fault_of_all_is_raised_by_all(on_ranks, ranks, fault):
    assert all(TOGETHER[fault] in message for message in on_ranks(ranks)[f"fault_{fault}"])


def test_split_makes_a_communicator_of_each_colour(on_ranks):
    # ranks 0 and 2 have colour 0, rank 1 has colour 1
    assert on_ranks(3)["halves"].tolist() == [[0, 2], [0, 1], [1, 2]]


def test_exchange_brings_each_rank_what_the_others_sent_to_it(on_ranks):
    # rank r sends rank 0 one row of two numbers 10 r
    assert on_ranks(3)["exchanged"].tolist() == [0, 0, 10, 10, 20, 20]
