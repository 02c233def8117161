!> Opens and closes sessions, or steps on, and writes the resident size in KiB every tenth of the way:
!> memory sessions|steps COUNT CONFIG
program memory
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, output_unit, real64
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none

  real(real64), parameter :: hour = 3600
  character(1024) :: what, config
  character(32) :: word
  integer :: count

  call get_command_argument(1, what)
  call get_command_argument(2, word)
  call get_command_argument(3, config)
  read (word, *) count
  if (what == 'steps') then
    call steps(trim(config), count)
  else
    call sessions(trim(config), count)
  end if

contains

  subroutine sessions(config, count)
    character(*), intent(in) :: config
    integer, intent(in) :: count
    type(tradewind_session) :: session
    type(tradewind_component) :: pond
    type(tradewind_status) :: status
    integer :: number

    do number = 1, count
      call open_pond(config, session, pond)
      call one_step(pond)
      call session%finalize(status)
      call need(status)
      call mark(number, count)
    end do
  end subroutine sessions

  subroutine steps(config, count)
    character(*), intent(in) :: config
    integer, intent(in) :: count
    type(tradewind_session) :: session
    type(tradewind_component) :: pond
    type(tradewind_status) :: status
    integer :: number

    call open_pond(config, session, pond)
    do number = 1, count
      call one_step(pond)
      call mark(number, count)
    end do
    call session%finalize(status)
    call need(status)
  end subroutine steps

  subroutine open_pond(config, session, pond)
    character(*), intent(in) :: config
    type(tradewind_session), intent(out) :: session
    type(tradewind_component), intent(out) :: pond
    type(tradewind_status) :: status
    real(real64) :: rate

    rate = 0.125_real64
    call session%init(config, status=status)
    call need(status)
    call session%component('pond', pond, status)
    call need(status)
    call pond%put('rate', rate, status)
    call need(status)
  end subroutine open_pond

  !> Right calls, and a wrong one: errors must not pile up either.
  subroutine one_step(pond)
    type(tradewind_component), intent(in) :: pond
    type(tradewind_status) :: status
    real(real64) :: inflow(4), level(4)

    inflow = 0.125_real64
    call pond%put('inflow', inflow(1:3), status)
    if (.not. status%failed()) error stop 'a short array was taken'
    call pond%put('inflow', inflow, status)
    call need(status)
    call pond%run(0.0_real64, hour, status)
    call need(status)
    call pond%get('level', level, status)
    call need(status)
  end subroutine one_step

  subroutine need(status)
    type(tradewind_status), intent(in) :: status

    if (.not. status%failed()) return
    write (error_unit, '(a)') status%message
    error stop 1
  end subroutine need

  subroutine mark(number, count)
    integer, intent(in) :: number, count

    if (mod(number, max(count/10, 1)) /= 0) return
    write (output_unit, '(i0)') resident()
    flush (output_unit)
  end subroutine mark

  !> Resident size, KiB; Linux counts in pages.
  function resident() result(size)
    integer(int64) :: size, pages(2)
    integer :: unit

    open (newunit=unit, file='/proc/self/statm', action='read')
    read (unit, *) pages
    close (unit)
    size = pages(2)*4
  end function resident
end program memory
