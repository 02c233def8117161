!> Ask a frozen network with traps on: `frozen PACKAGE COLUMNS` prints the answers to sin(1), sin(2) ...
program frozen
  use, intrinsic :: iso_fortran_env, only: real32, real64
  use, intrinsic :: ieee_arithmetic, only: ieee_get_halting_mode, ieee_invalid
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none

  type(tradewind_session) :: session
  type(tradewind_component) :: c
  type(tradewind_status) :: status
  real(real32), pointer :: x(:, :), y(:, :)
  character(1024) :: package, columns
  integer :: n, row, column
  logical :: traps

  call get_command_argument(1, package)
  call get_command_argument(2, columns)
  read (columns, *) n
  allocate (x(n, 16), y(n, 8))
  do row = 1, 16
    do column = 1, n
      x(column, row) = sin(real(n * (row - 1) + column, real32))
    end do
  end do
  call session%init(trim(package), status=status)
  if (.not. status%failed()) call session%component('network', c, status)
  if (.not. status%failed()) call c%bind('x', x, status)
  if (.not. status%failed()) call c%bind('y', y, status)
  if (.not. status%failed()) call c%run(0.0_real64, 1.0_real64, status)
  print '(a)', status%name()
  if (status%failed()) then
    print '(a)', status%message
  else
    print '(8es16.8)', (y(column, :), column=1, n)
  end if
  call ieee_get_halting_mode(ieee_invalid, traps)
  print '(l1)', traps
  call session%finalize(status)
end program frozen
