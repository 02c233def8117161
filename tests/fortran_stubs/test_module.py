"""The Fortran module: what it knows without a session, and what it says of one that was never opened."""

from __future__ import annotations

import pytest

UNOPENED = """
program unopened
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status, tradewind_version
  implicit none
  type(tradewind_session) :: session
  type(tradewind_component) :: c
  type(tradewind_status) :: status

  print '(a)', tradewind_version()
  call session%analyse(status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%message
  call c%put('x', [1.0, 2.0], status)
  print '(l1, 1x, a, 1x, a)', status%failed(), status%name(), status%field
  call session%finalize(status)
  print '(l1, 1x, a, 1x, i0)', status%failed(), status%name(), len(status%message)
end program unopened
"""


LENGTHS = """
program lengths
  use, intrinsic :: iso_fortran_env, only: int64, real64
  use tradewind, only: tradewind_component, tradewind_field, tradewind_session, tradewind_status
  implicit none
  type(tradewind_session) :: session
  type(tradewind_component) :: c
  type(tradewind_status) :: status
  type(tradewind_field) :: field
  real(real64) :: places(3) = [0, 10, 20]

  call session%init('pond.fields', status=status)
  call session%component('pond', c, status)
  call c%set_grid([1, 2, 3], places, places(1:2), status=status)
  print '(4a)', status%name(), ' ', status%component, ': '//status%message
  call c%set_grid([1_int64, 2_int64, 3_int64], places, places, [.true.], status)
  print '(a)', status%name()
  call c%set_grid([1, 2, 3], places, places, [.true., .true., .false.], status)
  print '(a)', status%name()
  call c%describe(status)
  print '(i0)', c%fields(status)
  call c%field(2, field, status)
  print '(3a, 2(1x, i0), 9(1x, i0))', field%name, ' ', field%units, field%role, field%kind, field%extents
  call session%finalize(status)
end program lengths
"""


COMMUNICATORS = """
program communicators
  use, intrinsic :: iso_fortran_env, only: int64
  use mpi_f08, only: mpi_comm, mpi_comm_null, mpi_comm_rank, mpi_comm_split, mpi_comm_world, &
    mpi_finalize, mpi_init
  use tradewind, only: tradewind_session, tradewind_status
  implicit none
  type(tradewind_session) :: session
  type(tradewind_status) :: status
  type(mpi_comm) :: half
  integer :: rank

  call mpi_init()
  call mpi_comm_rank(mpi_comm_world, rank)
  call mpi_comm_split(mpi_comm_world, mod(rank, 2), 0, half)
  call session%init('pond.fields', mpi_comm_world, status)
  if (rank == 1) status%code = 8
  if (rank == 1) status%message = 'rank 1 has no ice'
  call session%agree(status)
  if (rank == 0) print '(a, 1x, i0, 1x, a)', status%name(), status%rank, status%message
  call session%finalize(status)
  call tried(half%mpi_val)
  call session%init('pond.fields', int(half%mpi_val, int64), status)
  if (rank == 0) print '(a)', status%name()
  call session%finalize(status)
  call session%init('pond.fields', mpi_comm_null, status)
  if (rank == 0) print '(a)', status%name()
  call session%init('pond.fields', 1.5, status)
  if (rank == 0) print '(a)', status%name()
  call session%init('pond.fields', [half%mpi_val], status)
  if (rank == 0) print '(a)', status%name()
  call mpi_finalize()
contains
  subroutine tried(comm)
    integer, intent(in) :: comm

    call session%init('pond.fields', comm, status)
    if (rank == 0) print '(a)', status%name()
    call session%finalize(status)
  end subroutine tried
end program communicators
"""


@pytest.mark.mpi
def test_a_communicator_is_an_integer_or_of_its_type(hosting, compile_host, launch, tmp_path):
    if hosting.mpiexec is None:
        pytest.skip("ranks need an MPI with Fortran: mpifort was not found")
    (tmp_path / "pond.fields").write_text("tradewind fields 1\ncomponent pond\nimport rain 1 real64 *\n")
    told = launch(compile_host(COMMUNICATORS, library="tradewind_stub"), ranks=2).stdout.splitlines()
    assert told[0] == "data 1 rank 1 has no ice"
    assert told[1:] == ["ok", "ok", "mpi", "mpi", "mpi"]


def test_a_grid_of_different_lengths_is_refused_and_fields_are_told(compile_host, launch, tmp_path):
    pond = "component pond\nimport rain kg/m2 real64 *\nexport level m real32 *,2\n"
    (tmp_path / "pond.fields").write_text(f"tradewind fields 1\n{pond}")
    told = launch(compile_host(LENGTHS, library="tradewind_stub")).stdout.splitlines()
    assert told[0] == "grid pond: set_grid: global_index, lon, lat and mask differ in length"
    assert told[1:] == ["grid", "ok", "2", "level m 2 1 3 2"]


@pytest.mark.parametrize("library", ["tradewind", "tradewind_stub"])
def test_a_session_that_was_never_opened_is_named(compile_host, launch, library):
    version, *lines = launch(compile_host(UNOPENED, library=library)).stdout.splitlines()
    assert version == "0.1.0"
    assert lines[0].startswith("T closed ")
    assert lines[1].startswith("T closed ")
    assert lines[2] == "F ok 0"
