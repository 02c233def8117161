module probe
  use, intrinsic :: iso_c_binding, only: c_float
  implicit none
  interface
    subroutine look(array) bind(c, name='look')
      type(*), dimension(..), intent(in), target :: array
    end subroutine look
  end interface
contains
  subroutine pass(array)
    type(*), dimension(..), intent(in), target :: array
    call look(array)
  end subroutine pass
  subroutine point(array)
    real(c_float), pointer, intent(inout) :: array(..)
    call look(array)
  end subroutine point
end module probe
program main
end program main
