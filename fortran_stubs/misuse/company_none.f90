!> The ranks of a host without MPI: one.
module company
  use, intrinsic :: iso_fortran_env, only: int32
  implicit none
  private
  public :: begin, finish, world, nobody, freed, rank_here, agreed

contains

  subroutine begin()
  end subroutine begin

  subroutine finish()
  end subroutine finish

  integer(int32) function world()
    world = 0
  end function world

  integer(int32) function nobody()
    nobody = 0
  end function nobody

  integer(int32) function freed()
    freed = 0
  end function freed

  integer function rank_here()
    rank_here = 0
  end function rank_here

  logical function agreed(number)
    integer, intent(in) :: number

    agreed = number == number
  end function agreed
end module company
