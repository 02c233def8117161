! The C interface of tradewind.h, as far as the cap uses it. The cap calls it directly, and not through the
! module tradewind, because fields of any rank and kind come as one address with extents.
module tradewind_nuopc_calls
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_double, c_int, c_int32_t, c_int64_t, c_loc, &
    c_null_char, c_null_ptr, c_ptr, c_f_pointer
  implicit none
  private
  public :: session_open, session_close, session_agree, session_component, session_seconds, session_time
  public :: session_restore, session_checkpoint, session_report
  public :: component_grid, component_describe, component_count, component_field, component_run
  public :: component_put, component_bind, component_get
  public :: extent_of, text_of, write_text, code_name

  integer, parameter, public :: max_rank = 7, role_import = 1, role_export = 2, role_state = 3, role_parameter = 4
  integer, parameter, public :: kind_real32 = 1, kind_real64 = 2, kind_int32 = 3, kind_int64 = 4
  integer, parameter, public :: code_config = 1, code_plugin = 2, code_field = 3, code_shape = 4, code_kind = 5, &
    code_units = 6, code_grid = 7, code_data = 8, code_checkpoint = 9, code_domain = 10, code_ledger = 11, &
    code_not_differentiable = 13, code_order = 14, code_closed = 15, code_python = 16, code_memory = 17, &
    code_file = 18, code_mpi = 19, code_unsupported = 20, code_internal = 21

  type, bind(C), public :: tradewind_status
    integer(c_int32_t) :: code = 0, rank = -1
    character(kind=c_char) :: component(128) = c_null_char
    character(kind=c_char) :: field(128) = c_null_char
    character(kind=c_char) :: message(2048) = c_null_char
    character(kind=c_char) :: traceback(16384) = c_null_char
  end type

  type, bind(C), public :: tradewind_array
    type(c_ptr) :: data = c_null_ptr
    integer(c_int32_t) :: kind = 0, rank = 0
    integer(c_int64_t) :: extent(max_rank) = 0, stride(max_rank) = 0
  end type

  type, bind(C), public :: tradewind_how
    type(c_ptr) :: units = c_null_ptr
    integer(c_int64_t) :: first = 0
    integer(c_int32_t) :: cast = 0, convert = 0
  end type

  type, bind(C), public :: tradewind_declared
    character(kind=c_char) :: name(128) = c_null_char
    character(kind=c_char) :: units(128) = c_null_char
    integer(c_int32_t) :: role = 0, kind = 0, rank = 0
    integer(c_int64_t) :: extent(max_rank) = 0
  end type

  interface
    integer(c_int) function c_init(session, config, comm, engine, status) bind(C, name="tradewind_init")
      import :: c_char, c_int, c_int64_t, c_ptr, tradewind_status
      integer(c_int64_t), intent(out) :: session
      character(kind=c_char), intent(in) :: config(*)
      type(c_ptr), value :: comm, engine
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_finalize(session, status) bind(C, name="tradewind_finalize")
      import :: c_int, c_int64_t, tradewind_status
      integer(c_int64_t), intent(inout) :: session
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function session_agree(session, status) bind(C, name="tradewind_agree")
      import :: c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_component_of(session, name, component, status) bind(C, name="tradewind_component_of")
      import :: c_char, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      character(kind=c_char), intent(in) :: name(*)
      integer(c_int64_t), intent(out) :: component
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_seconds(session, date, seconds, status) bind(C, name="tradewind_seconds")
      import :: c_char, c_double, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      character(kind=c_char), intent(in) :: date(*)
      real(c_double), intent(out) :: seconds
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function session_time(session, now, stop, step, status) bind(C, name="tradewind_time")
      import :: c_double, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      real(c_double), intent(out) :: now, stop, step
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_restore(session, path, status) bind(C, name="tradewind_restore")
      import :: c_char, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      character(kind=c_char), intent(in) :: path(*)
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_checkpoint(session, path, status) bind(C, name="tradewind_checkpoint")
      import :: c_char, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      character(kind=c_char), intent(in) :: path(*)
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_report(session, path, status) bind(C, name="tradewind_report")
      import :: c_char, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: session
      character(kind=c_char), intent(in) :: path(*)
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_set_grid(component, n, global_index, lon, lat, mask, status) &
        bind(C, name="tradewind_set_grid")
      import :: c_double, c_int, c_int32_t, c_int64_t, tradewind_status
      integer(c_int64_t), value :: component, n
      integer(c_int64_t), intent(in) :: global_index(*)
      real(c_double), intent(in) :: lon(*), lat(*)
      integer(c_int32_t), intent(in) :: mask(*)
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function component_describe(component, status) bind(C, name="tradewind_describe")
      import :: c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: component
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function component_count(component, count, status) bind(C, name="tradewind_fields")
      import :: c_int, c_int32_t, c_int64_t, tradewind_status
      integer(c_int64_t), value :: component
      integer(c_int32_t), intent(out) :: count
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function component_field(component, number, field, status) bind(C, name="tradewind_field_of")
      import :: c_int, c_int32_t, c_int64_t, tradewind_declared, tradewind_status
      integer(c_int64_t), value :: component
      integer(c_int32_t), value :: number
      type(tradewind_declared), intent(out) :: field
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_put(component, name, array, how, status) bind(C, name="tradewind_put")
      import :: c_char, c_int, c_int64_t, tradewind_array, tradewind_how, tradewind_status
      integer(c_int64_t), value :: component
      character(kind=c_char), intent(in) :: name(*)
      type(tradewind_array), intent(in) :: array
      type(tradewind_how), intent(in) :: how
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_bind_field(component, name, array, how, status) bind(C, name="tradewind_bind")
      import :: c_char, c_int, c_int64_t, tradewind_array, tradewind_how, tradewind_status
      integer(c_int64_t), value :: component
      character(kind=c_char), intent(in) :: name(*)
      type(tradewind_array), intent(in) :: array
      type(tradewind_how), intent(in) :: how
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function c_get(component, name, array, how, status) bind(C, name="tradewind_get")
      import :: c_char, c_int, c_int64_t, tradewind_array, tradewind_how, tradewind_status
      integer(c_int64_t), value :: component
      character(kind=c_char), intent(in) :: name(*)
      type(tradewind_array), intent(in) :: array
      type(tradewind_how), intent(in) :: how
      type(tradewind_status), intent(inout) :: status
    end function
    integer(c_int) function component_run(component, time, dt, status) bind(C, name="tradewind_run")
      import :: c_double, c_int, c_int64_t, tradewind_status
      integer(c_int64_t), value :: component
      real(c_double), value :: time, dt
      type(tradewind_status), intent(inout) :: status
    end function
    type(c_ptr) function c_code_name(code) bind(C, name="tradewind_code_name")
      import :: c_int32_t, c_ptr
      integer(c_int32_t), value :: code
    end function
  end interface

contains

  ! Open a run config or a network, by so many ranks of a communicator; one alone needs none.
  integer function session_open(session, config, comm, ranks, engine, status)
    integer(c_int64_t), intent(out) :: session
    character(*), intent(in) :: config, engine
    integer, intent(in) :: comm, ranks
    type(tradewind_status), intent(inout) :: status
    character(kind=c_char, len=len_trim(engine) + 1), target :: name
    integer(c_int32_t), target :: handle
    type(c_ptr) :: ours, by
    name = trim(engine)//c_null_char
    handle = int(comm, c_int32_t)
    ours = c_null_ptr
    by = c_null_ptr
    if (ranks > 1) ours = c_loc(handle)
    if (engine /= "") by = c_loc(name)
    session_open = c_init(session, trim(config)//c_null_char, ours, by, status)
  end function

  integer function session_close(session, status)
    integer(c_int64_t), intent(inout) :: session
    type(tradewind_status), intent(inout) :: status
    session_close = c_finalize(session, status)
  end function

  integer function session_component(session, name, component, status)
    integer(c_int64_t), intent(in) :: session
    character(*), intent(in) :: name
    integer(c_int64_t), intent(out) :: component
    type(tradewind_status), intent(inout) :: status
    session_component = c_component_of(session, trim(name)//c_null_char, component, status)
  end function

  integer function session_seconds(session, date, seconds, status)
    integer(c_int64_t), intent(in) :: session
    character(*), intent(in) :: date
    real(c_double), intent(out) :: seconds
    type(tradewind_status), intent(inout) :: status
    session_seconds = c_seconds(session, trim(date)//c_null_char, seconds, status)
  end function

  integer function session_restore(session, path, status)
    integer(c_int64_t), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout) :: status
    session_restore = c_restore(session, trim(path)//c_null_char, status)
  end function

  integer function session_checkpoint(session, path, status)
    integer(c_int64_t), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout) :: status
    session_checkpoint = c_checkpoint(session, trim(path)//c_null_char, status)
  end function

  integer function session_report(session, path, status)
    integer(c_int64_t), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout) :: status
    session_report = c_report(session, trim(path)//c_null_char, status)
  end function

  integer function component_grid(component, global_index, lon, lat, mask, status)
    integer(c_int64_t), intent(in) :: component, global_index(:)
    real(c_double), intent(in) :: lon(:), lat(:)
    integer(c_int32_t), intent(in) :: mask(:)
    type(tradewind_status), intent(inout) :: status
    component_grid = c_set_grid(component, size(global_index, kind=c_int64_t), global_index, lon, lat, mask, status)
  end function

  integer function component_put(component, name, array, how, status)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: name
    type(tradewind_array), intent(in) :: array
    type(tradewind_how), intent(in) :: how
    type(tradewind_status), intent(inout) :: status
    component_put = c_put(component, trim(name)//c_null_char, array, how, status)
  end function

  integer function component_bind(component, name, array, how, status)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: name
    type(tradewind_array), intent(in) :: array
    type(tradewind_how), intent(in) :: how
    type(tradewind_status), intent(inout) :: status
    component_bind = c_bind_field(component, trim(name)//c_null_char, array, how, status)
  end function

  integer function component_get(component, name, array, how, status)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: name
    type(tradewind_array), intent(in) :: array
    type(tradewind_how), intent(in) :: how
    type(tradewind_status), intent(inout) :: status
    component_get = c_get(component, trim(name)//c_null_char, array, how, status)
  end function

  ! Extents of an array that lies densely, whose numbers have so many bytes.
  pure subroutine extent_of(array, extents, bytes)
    type(tradewind_array), intent(inout) :: array
    integer, intent(in) :: extents(:), bytes
    integer :: i
    array%rank = size(extents)
    do i = 1, size(extents)
      array%extent(i) = extents(i)
      array%stride(i) = bytes * product(int(extents(:i - 1), c_int64_t))
    end do
  end subroutine

  ! The name of a code, such as "units".
  function code_name(code) result(name)
    integer, intent(in) :: code
    character(:), allocatable :: name
    character(kind=c_char), pointer :: letters(:)
    type(c_ptr) :: at
    at = c_code_name(int(code, c_int32_t))
    name = "unknown"
    if (.not. c_associated(at)) return
    call c_f_pointer(at, letters, [64])
    name = text_of(letters)
  end function

  ! What stands before the first NUL.
  pure function text_of(letters) result(text)
    character(kind=c_char), intent(in) :: letters(:)
    character(:), allocatable :: text
    integer :: i, n
    n = 0
    do while (n < size(letters))
      if (letters(n + 1) == c_null_char) exit
      n = n + 1
    end do
    allocate (character(n) :: text)
    do i = 1, n
      text(i:i) = letters(i)
    end do
  end function

  ! Write a text, and a NUL after it.
  pure subroutine write_text(text, letters)
    character(*), intent(in) :: text
    character(kind=c_char), intent(inout) :: letters(:)
    integer :: i
    do i = 1, min(len(text), size(letters) - 1)
      letters(i) = text(i:i)
    end do
    letters(i) = c_null_char
  end subroutine
end module
