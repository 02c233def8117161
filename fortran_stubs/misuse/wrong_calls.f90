!> Wrong calls of a host, each against the pond of pond.py; `known` says whether there is a case of this name.
module wrong_calls
  use, intrinsic :: ieee_arithmetic, only: ieee_positive_inf, ieee_quiet_nan, ieee_value
  use, intrinsic :: iso_c_binding, only: c_f_pointer, c_null_ptr
  use, intrinsic :: iso_fortran_env, only: int32, real32, real64
  use company, only: freed, nobody, rank_here, world
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none
  private
  public :: host, open_host, close_host, arrays, values, order, files, grids, steps, sessions

  real(real64), parameter :: hour = 3600

  !> A host that has opened a run, and what it was told last.
  type :: host
    type(tradewind_session) :: session
    type(tradewind_component) :: pond, model
    type(tradewind_status) :: status
    character(:), allocatable :: config
    logical :: parallel = .false.
    real(real64) :: ones(4) = 1, rate = 0.125_real64
    real(real64), pointer :: lent(:) => null()
  end type host

contains

  subroutine open_host(h, config, parallel)
    type(host), intent(out) :: h
    character(*), intent(in) :: config
    logical, intent(in) :: parallel

    h%config = config
    h%parallel = parallel
    allocate (h%lent(4), source=1.0_real64)
    if (parallel) then
      call h%session%init(config, world(), h%status)
    else
      call h%session%init(config, status=h%status)
    end if
    if (h%status%failed()) return
    call h%session%component('pond', h%pond, h%status)
    if (h%status%failed()) return
    call h%session%component('model', h%model, h%status)
  end subroutine open_host

  subroutine close_host(h)
    type(host), intent(inout) :: h

    call h%session%finalize(h%status)
    deallocate (h%lent)
  end subroutine close_host

  !> Another shape, kind or units.
  subroutine arrays(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    real(real64) :: twice(4, 2)
    real(real32) :: single(4)
    integer(int32) :: whole(4)
    real(real64), pointer :: part(:)

    known = .true.
    part => h%lent(1:2)
    twice = 1
    single = 1
    whole = 1
    select case (name)
    case ('short'); call h%pond%put('inflow', h%ones(1:3), h%status)
    case ('long'); call h%pond%put('inflow', [h%ones, h%ones], h%status)
    case ('empty'); call h%pond%put('inflow', h%ones(1:0), h%status)
    case ('scalar_for_field'); call h%pond%put('inflow', h%rate, h%status)
    case ('field_for_scalar'); call h%pond%put('rate', h%ones, h%status)
    case ('one_too_many_dimensions'); call h%pond%put('inflow', twice, h%status)
    case ('get_short'); call h%pond%get('rate', h%ones(1:2), h%status)
    case ('block_beyond_end'); call h%pond%put('inflow', h%ones(1:2), h%status, first=4)
    case ('block_from_zero'); call h%pond%put('inflow', h%ones(1:2), h%status, first=-1)
    case ('block_of_scalar'); call h%pond%put('rate', h%ones(1:1), h%status, first=2)
    case ('bind_block'); call h%pond%bind('inflow', part, h%status, first=1)
    case ('real32'); call h%pond%put('inflow', single, h%status)
    case ('int32'); call h%pond%put('inflow', whole, h%status)
    case ('get_real32'); call h%pond%get('amount', single, h%status)
    case ('units_other'); call h%pond%put('inflow', h%ones, h%status, units='K')
    case ('units_unconverted'); call h%pond%put('inflow', h%ones, h%status, units='g')
    case ('units_unknown'); call h%pond%put('inflow', h%ones, h%status, units='furlong', convert=.true.)
    case ('units_unconvertible'); call h%pond%put('inflow', h%ones, h%status, units='s', convert=.true.)
    case default; call other_kinds(name, h, known)
    end select
  end subroutine arrays

  !> Kinds that C knows nothing of.
  subroutine other_kinds(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    type :: thing
      integer :: parts(2) = 0
    end type thing
    character(8) :: words(4)
    complex(real64) :: z(4)
    logical :: flags(4)
    type(thing) :: things(4)

    known = .true.
    words = 'one'
    z = 1
    flags = .true.
    select case (name)
    case ('character'); call h%pond%put('inflow', words, h%status)
    case ('complex'); call h%pond%put('inflow', z, h%status)
    case ('logical'); call h%pond%put('inflow', flags, h%status)
    case ('derived_type'); call h%pond%put('inflow', things%parts(1), h%status)
    case default; known = .false.
    end select
  end subroutine other_kinds

  !> Fields that there are not, and values that cannot be.
  subroutine values(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    real(real64) :: odd(4)

    known = .true.
    odd = 1
    select case (name)
    case ('field_misspelled'); call h%pond%put('inflwo', h%ones, h%status)
    case ('field_empty'); call h%pond%put('', h%ones, h%status)
    case ('field_long'); call h%pond%put(repeat('x', 400), h%ones, h%status)
    case ('get_misspelled'); call h%pond%get('levle', odd, h%status)
    case ('bind_misspelled'); call h%pond%bind('inflwo', h%lent, h%status)
    case ('component_misspelled'); call h%session%component('pnod', h%pond, h%status)
    case ('put_export'); call h%pond%put('level', h%ones, h%status)
    case ('nan')
      odd(3) = ieee_value(odd(3), ieee_quiet_nan)
      call h%pond%put('inflow', odd, h%status)
    case ('infinity')
      odd(3) = ieee_value(odd(3), ieee_positive_inf)
      call h%pond%put('inflow', odd, h%status)
    case ('nan_in_bound')
      call h%pond%put('rate', h%rate, h%status)
      call h%pond%bind('inflow', h%lent, h%status)
      h%lent(2) = ieee_value(odd(3), ieee_quiet_nan)
      call h%pond%run(0.0_real64, hour, h%status)
      h%lent = 1
    case ('nothing_there'); call put_nothing(h)
    case default; known = .false.
    end select
  end subroutine values

  !> An array without memory.
  subroutine put_nothing(h)
    type(host), intent(inout) :: h
    real(real64), pointer :: nothing(:)

    call c_f_pointer(c_null_ptr, nothing, [4])
    call h%pond%put('inflow', nothing, h%status)
  end subroutine put_nothing

  !> Calls before others that they need.
  subroutine order(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    real(real64) :: found(4), error

    known = .true.
    select case (name)
    case ('run_before_put'); call h%pond%run(0.0_real64, hour, h%status)
    case ('run_after_some_blocks')
      call h%pond%put('rate', h%rate, h%status)
      call h%pond%put('inflow', h%ones(1:3), h%status, first=2)
      call h%pond%run(0.0_real64, hour, h%status)
    case ('get_before_run'); call h%pond%get('level', found, h%status)
    case ('tangent_before_run'); call h%pond%tangent(h%status)
    case ('adjoint_before_run'); call h%pond%adjoint(h%status)
    case ('dot_test_before_run'); call h%pond%dot_test(error, h%status)
    case ('get_tangent_before_tangent'); call h%pond%get_tangent('level', found, h%status)
    case ('session_adjoint_unrecorded'); call h%session%adjoint(h%status)
    case ('analyse_without_filter'); call h%session%analyse(h%status)
    case ('solve_without_solver'); call h%session%solve(h%status)
    case ('register_a_model'); call h%pond%register(useless, h%status)
    case default; call times(name, h, known)
    end select
  end subroutine order

  !> Times that cannot be.
  subroutine times(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    real(real64) :: nan

    known = index(name, 'time_') == 1
    if (.not. known) return
    nan = ieee_value(nan, ieee_quiet_nan)
    call h%pond%put('rate', h%rate, h%status)
    call h%pond%put('inflow', h%ones, h%status)
    call h%model%put('inflow', h%ones, h%status)
    select case (name)
    case ('time_step_of_nothing'); call h%pond%run(0.0_real64, 0.0_real64, h%status)
    case ('time_step_backwards'); call h%pond%run(0.0_real64, -hour, h%status)
    case ('time_step_nan'); call h%pond%run(nan, hour, h%status)
    case ('time_backwards')
      call h%session%advance(2*hour, h%status)
      call h%session%advance(hour, h%status)
    case ('time_beyond_end'); call h%session%advance(1e9_real64, h%status)
    case ('time_nan'); call h%session%advance(nan, h%status)
    case ('time_half_a_step'); call h%session%advance(0.5_real64*hour, h%status)
    case ('time_no_date'); call h%session%advance('yesterday', h%status)
    case default; known = .false.
    end select
  end subroutine times

  !> Files that are not there, damaged, or cannot be written.
  subroutine files(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known

    known = .true.
    select case (name)
    case ('restore_missing'); call h%session%restore('missing.nc', h%status)
    case ('restore_damaged'); call h%session%restore('damaged.nc', h%status)
    case ('restore_of_another'); call h%session%restore('pond.py', h%status)
    case ('restore_folder'); call h%session%restore('.', h%status)
    case ('restore_no_path'); call h%session%restore('', h%status)
    case ('checkpoint_no_folder'); call h%session%checkpoint('/nowhere/kept.nc', h%status)
    case ('checkpoint_disk_full'); call h%session%checkpoint('full/kept.nc', h%status)
    case ('report_no_folder'); call h%session%report('/nowhere/report.json', h%status)
    case ('report_disk_full'); call h%session%report('/dev/full', h%status)
    case ('report_full'); call h%session%report('full/report.txt', h%status)
    case default; known = .false.
    end select
  end subroutine files

  !> Cells that cannot be those of a grid, for a model that takes the host's.
  subroutine grids(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    integer :: number(4)
    real(real64) :: lon(4), lat(4)

    known = .true.
    number = [1, 2, 3, 4]
    lon = [0.0_real64, 10.0_real64, 0.0_real64, 10.0_real64]
    lat = [10.0_real64, 10.0_real64, 20.0_real64, 20.0_real64]
    select case (name)
    case ('grid_twice_the_same'); number(2) = 1
    case ('grid_from_zero'); number = number - 1
    case ('grid_number_missing'); number(4) = 6
    case ('grid_latitude'); lat(1) = 95
    case ('grid_nan'); lon(1) = ieee_value(lon(1), ieee_quiet_nan)
    case ('grid_lengths')
    case ('grid_too_late'); call h%pond%describe(h%status)
    case default; known = .false.
    end select
    if (.not. known) return
    if (name == 'grid_lengths') then
      call h%pond%set_grid(number, lon(1:3), lat, status=h%status)
    else
      call h%pond%set_grid(number, lon, lat, status=h%status)
    end if
  end subroutine grids

  !> Steps of the host that fail, or do what they must not.
  subroutine steps(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known

    known = .true.
    select case (name)
    case ('host_fails'); call h%model%register(failing, h%status)
    case ('host_puts_nothing'); call h%model%register(useless, h%status)
    case ('host_runs_itself'); call h%model%register(running, h%status)
    case default; known = .false.
    end select
    if (.not. known .or. h%status%failed()) return
    call h%pond%put('rate', h%rate, h%status)
    call h%session%advance(hour, h%status)
  end subroutine steps

  function failing(c, time, dt) result(code)
    type(tradewind_component), intent(in) :: c
    real(real64), intent(in) :: time, dt
    integer :: code
    type(tradewind_status) :: status

    code = merge(7, 8, time >= 0 .and. dt > 0)
    call c%describe(status)
  end function failing

  function useless(c, time, dt) result(code)
    type(tradewind_component), intent(in) :: c
    real(real64), intent(in) :: time, dt
    integer :: code
    real(real64) :: state(4)
    type(tradewind_status) :: status

    code = 0
    if (time < 0 .or. dt < 0) call c%get('nothing', state, status)
  end function useless

  function running(c, time, dt) result(code)
    type(tradewind_component), intent(in) :: c
    real(real64), intent(in) :: time, dt
    integer :: code
    type(tradewind_status) :: status

    call c%run(time, dt, status)
    code = status%code
  end function running

  !> Handles that are closed or were never opened, communicators that are none, one rank that fails alone.
  subroutine sessions(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known
    type(tradewind_session) :: other, copy
    type(tradewind_component) :: never

    known = .true.
    copy = h%session
    select case (name)
    case ('closed')
      call h%session%finalize(h%status)
      call h%pond%put('inflow', h%ones, h%status)
    case ('closed_copy')
      call h%session%finalize(h%status)
      call copy%advance(hour, h%status)
    case ('never_opened'); call other%advance(hour, h%status)
    case ('never_found'); call never%run(0.0_real64, hour, h%status)
    case ('finalized_twice')
      call h%session%finalize(h%status)
      call copy%finalize(h%status)
    case ('comm_null'); call other%init(h%config, nobody(), h%status)
    case ('comm_freed'); call other%init(h%config, freed(), h%status)
    case ('comm_garbage'); call other%init(h%config, 123456789, h%status)
    case ('comm_real'); call other%init(h%config, 1.0_real64, h%status)
    case ('comm_before_mpi'); call other%init(h%config, world(), h%status)
    case ('config_of_one_rank')
      if (rank_here() == 1) h%config = 'missing.yaml'
      call other%init(h%config, world(), h%status)
    case ('engine_unknown'); call other%init(h%config, status=h%status, engine='fortran')
    case default; call alone(name, h, known)
    end select
  end subroutine sessions

  !> What one rank does wrong, all are told at the next collective call; without a status, the config decides.
  subroutine alone(name, h, known)
    character(*), intent(in) :: name
    type(host), intent(inout) :: h
    logical, intent(out) :: known

    known = index(name, 'alone_') == 1
    if (.not. known) return
    call h%pond%put('rate', h%rate, h%status)
    call h%pond%put('inflow', h%ones, h%status)
    select case (name)
    case ('alone_short')
      if (rank_here() == 1) call h%pond%put('inflow', h%ones(1:3), h%status)
      call h%pond%run(0.0_real64, hour, h%status)
    case ('alone_nan')
      if (rank_here() == 1) h%ones(1) = ieee_value(h%rate, ieee_quiet_nan)
      call h%pond%put('inflow', h%ones, h%status)
      call h%session%agree(h%status)
    case ('alone_without_status')
      call h%pond%put('inflow', h%ones(1:3))
      call h%session%agree(h%status)
    case default; known = .false.
    end select
    h%ones = 1
  end subroutine alone
end module wrong_calls
