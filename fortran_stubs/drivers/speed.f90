!> What a call costs: one network, asked through each way that there is, in turn, in one process.
!>
!>   speed NETWORK PACKAGE CONFIG SCRIPT ROUNDS
!>
!> NETWORK.safetensors embeds Python, PACKAGE.pt2 does not, CONFIG asks the same network through the hook of its
!> component "network", SCRIPT is what the other bridge loads (see speed_alone.f90); "-" leaves one out. Prints
!> lines of `name columns microseconds median`: the least of all rounds, since whatever disturbs a process makes
!> it slower, and their median; and how far the answers are from those of the first.
program speed
  use, intrinsic :: iso_fortran_env, only: int64, real32, real64
  use other_bridge, only: bridge_close, bridge_forward, bridge_open
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none

  integer, parameter :: taken = 16, given = 8, most = 4, columns(3) = [1, 64, 1024]
  real(real64), parameter :: batch_us = 2000 ! long beside the clock's own cost, short beside a time slice

  !> One way to the network.
  type :: way
    character(:), allocatable :: name, file
    logical :: wanted = .false.
    type(tradewind_session) :: session
    type(tradewind_component) :: c
    real(real32), pointer, contiguous :: answer(:, :) => null()
    integer :: batch = 0
    real(real64), allocatable :: us(:)
  end type way

  type(way) :: ways(most)
  type(tradewind_status) :: status
  real(real32), pointer, contiguous :: x(:, :)
  integer :: rounds, i

  ways(1)%name = 'embedded'
  ways(2)%name = 'frozen'
  ways(3)%name = 'hooked'
  ways(4)%name = 'other'
  do i = 1, most
    ways(i)%file = argument(i)
    ways(i)%wanted = ways(i)%file /= '-'
  end do
  rounds = number(argument(5))
  call measure_crossing()
  do i = 1, size(columns)
    call measure(columns(i))
  end do

contains

  subroutine measure(n)
    integer, intent(in) :: n
    integer :: k, round

    allocate (x(n, taken))
    call fill(x)
    do k = 1, most
      if (ways(k)%wanted) call open_way(ways(k), n)
    end do
    do round = 1, rounds
      do k = 1, most
        if (ways(k)%wanted) ways(k)%us(round) = time_of(ways(k), ways(k)%batch)
      end do
    end do
    do k = 1, most
      if (ways(k)%wanted) call tell_and_close(ways(k), n)
    end do
    do k = 1, most
      if (associated(ways(k)%answer)) deallocate (ways(k)%answer)
    end do
    deallocate (x)
  end subroutine measure

  !> The same numbers in every run, in -1..1.
  subroutine fill(values)
    real(real32), intent(out) :: values(:, :)
    integer :: row, column

    do row = 1, size(values, 2)
      do column = 1, size(values, 1)
        values(column, row) = sin(real(37 * row + 11 * column, real32))
      end do
    end do
  end subroutine fill

  subroutine open_way(w, n)
    type(way), intent(inout) :: w
    integer, intent(in) :: n
    integer :: warming

    allocate (w%answer(n, given))
    w%answer = -huge(1.0_real32)
    if (.not. allocated(w%us)) allocate (w%us(rounds))
    if (w%name == 'other') then
      call bridge_open(w%file, x, w%answer)
    else
      call open_session(w, n)
    end if
    do warming = 1, 3 ! what is slow once: caches, threads, compilation
      w%batch = max(1, min(2000, int(batch_us / time_of(w, 20))))
    end do
  end subroutine open_way

  subroutine open_session(w, n)
    type(way), intent(inout) :: w
    integer, intent(in) :: n
    integer :: i

    call w%session%init(w%file, status=status)
    call check(w%name//': init')
    call w%session%component('network', w%c, status)
    call check(w%name//': component')
    if (w%name == 'hooked') call w%c%set_grid([(i, i=1, n)], [(real(i, real64) * 360 / (n + 1), i=1, n)], &
      [(0.0_real64, i=1, n)], status=status)
    call check(w%name//': set_grid')
    call w%c%bind('x', x, status)
    call check(w%name//': bind x')
    call w%c%bind('y', w%answer, status)
    call check(w%name//': bind y')
  end subroutine open_session

  !> Microseconds of one call.
  function time_of(w, times) result(us)
    type(way), intent(inout) :: w
    integer, intent(in) :: times
    real(real64) :: us
    integer(int64) :: start, stop, rate
    integer :: i

    call system_clock(start, rate)
    if (w%name == 'other') then
      do i = 1, times
        call bridge_forward()
      end do
    else
      do i = 1, times
        call w%c%run(0.0_real64, 3600.0_real64, status)
      end do
    end if
    call system_clock(stop)
    us = 1e6_real64 * real(stop - start, real64) / real(rate, real64) / times
    call check(w%name//': run')
  end function time_of

  subroutine tell_and_close(w, n)
    type(way), intent(inout) :: w
    integer, intent(in) :: n
    integer :: first

    first = findloc(ways%wanted, .true., dim=1)
    print '(a, i6, 2f14.4)', w%name, n, minval(w%us), median(w%us)
    print '(a, i6, es14.4)', 'apart_'//w%name, n, maxval(abs(w%answer - ways(first)%answer))
    if (w%name == 'other') then
      call bridge_close()
    else
      call w%session%finalize(status)
      call check(w%name//': finalize')
    end if
  end subroutine tell_and_close

  !> From here to an engine's function that does nothing, and back.
  subroutine measure_crossing()
    integer, parameter :: times = 20000
    type(tradewind_session) :: session
    real(real64) :: us(rounds, 0:1)
    integer :: round, guarded

    if (.not. ways(1)%wanted) return
    call session%init(ways(1)%file, status=status)
    call check('crossing: init')
    do round = 1, rounds
      do guarded = 0, 1
        us(round, guarded) = crossing(session, guarded == 1, times)
      end do
    end do
    print '(a, i6, 2f14.4)', 'crossing', 0, minval(us(:, 0)), median(us(:, 0))
    print '(a, i6, 2f14.4)', 'crossing_guarded', 0, minval(us(:, 1)), median(us(:, 1))
    call session%finalize(status)
    call check('crossing: finalize')
  end subroutine measure_crossing

  function crossing(session, guarded, times) result(us)
    type(tradewind_session), intent(in) :: session
    logical, intent(in) :: guarded
    integer, intent(in) :: times
    real(real64) :: us
    integer(int64) :: start, stop, rate

    call system_clock(start, rate)
    call session%ping(times, status, guarded)
    call system_clock(stop)
    us = 1e6_real64 * real(stop - start, real64) / real(rate, real64) / real(times, real64)
    call check('ping')
  end function crossing

  !> By counting: there are few values.
  function median(values) result(middle)
    real(real64), intent(in) :: values(:)
    real(real64) :: middle
    integer :: i

    middle = maxval(values)
    do i = 1, size(values)
      if (count(values > values(i)) <= size(values) / 2) middle = min(middle, values(i))
    end do
  end function median

  subroutine check(doing)
    character(*), intent(in) :: doing

    if (.not. status%failed()) return
    print '(a)', 'failed '//doing//': '//status%name()//': '//status%message
    error stop 1
  end subroutine check

  function argument(number) result(text)
    integer, intent(in) :: number
    character(:), allocatable :: text
    integer :: length

    call get_command_argument(number, length=length)
    allocate (character(length) :: text)
    call get_command_argument(number, text)
  end function argument
  function number(text) result(value)
    character(*), intent(in) :: text
    integer :: value

    read (text, *) value
  end function number
end program speed
