!> Makes wrong calls, and writes what it was told: misuse [--mpi] CASE[@CONFIG]...
!>
!> One line per case, apart by tabs: case, code, its name, first rank that failed, component, field, whether the
!> host could go on (the session works after a right call), whether its traps are still set, whether all ranks were
!> told the same, and the message.
program misuse
  use, intrinsic :: ieee_arithmetic, only: ieee_get_halting_mode
  use, intrinsic :: ieee_exceptions, only: ieee_divide_by_zero, ieee_invalid, ieee_overflow
  use, intrinsic :: iso_fortran_env, only: output_unit, real64
  use company, only: agreed, begin, finish, rank_here
  use tradewind, only: tradewind_status
  use wrong_calls, only: arrays, close_host, files, grids, host, open_host, order, sessions, steps, values
  implicit none

  call all_cases()

contains

  subroutine all_cases()
    character(256) :: argument
    logical :: parallel
    integer :: number

    call get_command_argument(1, argument)
    parallel = argument == '--mpi'
    if (parallel) call begin()
    do number = merge(2, 1, parallel), command_argument_count()
      call get_command_argument(number, argument)
      call one_case(trim(argument), parallel)
    end do
    if (parallel) call finish()
  end subroutine all_cases

  subroutine one_case(argument, parallel)
    character(*), intent(in) :: argument
    logical, intent(in) :: parallel
    type(host) :: h
    type(tradewind_status) :: told
    character(:), allocatable :: name, config
    integer :: at

    at = index(argument, '@')
    name = argument(:merge(at - 1, len(argument), at > 0))
    config = 'run.yaml'
    if (at > 0) config = argument(at + 1:)
    call open_host(h, config, parallel)
    if (.not. h%status%failed()) call make(name, h)
    told = h%status
    call tell(argument, told, parallel, goes_on(h))
    call close_host(h)
  end subroutine one_case

  subroutine make(name, h)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical :: known

    if (name == 'whole') then
      call whole(h)
      return
    end if
    call arrays(name, h, known)
    if (.not. known) call values(name, h, known)
    if (.not. known) call order(name, h, known)
    if (.not. known) call files(name, h, known)
    if (.not. known) call grids(name, h, known)
    if (.not. known) call steps(name, h, known)
    if (.not. known) call sessions(name, h, known)
    if (.not. known) error stop 'no such case'
  end subroutine make

  !> A run from beginning to end; what fails is the plugin.
  subroutine whole(h)
    type(host), intent(inout) :: h
    real(real64) :: found(4)

    call right(h, found)
    if (h%status%failed()) return
    call h%pond%put_tangent('inflow', h%ones, h%status)
    call h%pond%tangent(h%status)
    if (h%status%failed()) return
    call h%session%finalize(h%status)
  end subroutine whole

  subroutine right(h, found)
    type(host), intent(inout) :: h
    real(real64), intent(out) :: found(4)

    found = -1
    call h%pond%put('rate', h%rate, h%status)
    if (.not. h%status%failed()) call h%pond%put('inflow', h%ones, h%status)
    if (.not. h%status%failed()) call h%pond%run(0.0_real64, 3600.0_real64, h%status)
    if (.not. h%status%failed()) call h%pond%get('level', found, h%status)
  end subroutine right

  !> Whether right calls succeed after the wrong one.
  function goes_on(h) result(so)
    type(host), intent(inout) :: h
    real(real64) :: found(4)
    logical :: so

    ! what failed on this rank alone is told, and over
    call h%session%agree(h%status)
    call right(h, found)
    so = .not. h%status%failed() .and. all(found > 0)
  end function goes_on

  function traps() result(set)
    logical :: set, one(3)

    call ieee_get_halting_mode(ieee_invalid, one(1))
    call ieee_get_halting_mode(ieee_divide_by_zero, one(2))
    call ieee_get_halting_mode(ieee_overflow, one(3))
    set = all(one)
  end function traps

  subroutine tell(argument, told, parallel, right_after)
    character(*), intent(in) :: argument
    type(tradewind_status), intent(in) :: told
    logical, intent(in) :: parallel, right_after
    character(1), parameter :: tab = achar(9)
    character(:), allocatable :: message
    logical :: same
    integer :: i

    same = .true.
    if (parallel) same = agreed(told%code)
    if (parallel) then
      if (rank_here() /= 0) return
    end if
    message = told%message
    do i = 1, len(message)
      if (message(i:i) == new_line('a')) message(i:i) = ' '
    end do
    write (output_unit, '(2a, i0, 3a, i0, 5a, 3(l1, a), a)') argument, tab, told%code, tab, told%name(), tab, &
      told%rank, tab, told%component, tab, told%field, tab, right_after, tab, traps(), tab, same, tab, message
    flush (output_unit)
  end subroutine tell
end program misuse
