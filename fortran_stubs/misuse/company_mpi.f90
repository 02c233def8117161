!> The ranks of a host with MPI.
module company
  use, intrinsic :: iso_fortran_env, only: int32
  use mpi_f08, only: MPI_Comm, MPI_COMM_NULL, MPI_COMM_WORLD, MPI_INTEGER, MPI_MAX, MPI_MIN, MPI_Allreduce, &
    MPI_Comm_dup, MPI_Comm_free, MPI_Comm_rank, MPI_Finalize, MPI_Init
  implicit none
  private
  public :: begin, finish, world, nobody, freed, rank_here, agreed

contains

  subroutine begin()
    call MPI_Init()
  end subroutine begin

  subroutine finish()
    call MPI_Finalize()
  end subroutine finish

  integer(int32) function world()
    world = int(MPI_COMM_WORLD%mpi_val, int32)
  end function world

  integer(int32) function nobody()
    nobody = int(MPI_COMM_NULL%mpi_val, int32)
  end function nobody

  !> A communicator that was freed again.
  integer(int32) function freed()
    type(MPI_Comm) :: handle

    call MPI_Comm_dup(MPI_COMM_WORLD, handle)
    freed = int(handle%mpi_val, int32)
    call MPI_Comm_free(handle)
  end function freed

  integer function rank_here()
    call MPI_Comm_rank(MPI_COMM_WORLD, rank_here)
  end function rank_here

  !> Whether all ranks have the same number.
  logical function agreed(number)
    integer, intent(in) :: number
    integer :: least, most

    call MPI_Allreduce(number, least, 1, MPI_INTEGER, MPI_MIN, MPI_COMM_WORLD)
    call MPI_Allreduce(number, most, 1, MPI_INTEGER, MPI_MAX, MPI_COMM_WORLD)
    agreed = least == most
  end function agreed
end module company
