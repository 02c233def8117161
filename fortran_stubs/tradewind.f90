!> Trained surrogates and coupled runs behind a few Fortran calls, safe in any MPI model.
!>
!> Every call has an optional `status`. Where it is given, the call returns whatever happens, and the status says
!> what; where it is absent, what went wrong is printed, and the run config's `host: {on_error: abort | return}`
!> says what follows. Nothing here stops the process by itself. The interface to C is tradewind.h.
!>
!> Arrays: the first dimension counts columns (cells of this rank), the last one members, if there are any.
module tradewind
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_double, c_f_pointer, c_f_procpointer, c_funloc, &
    c_funptr, c_int, c_int32_t, c_int64_t, c_loc, c_null_char, c_null_funptr, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
  implicit none
  private

  public :: tradewind_session, tradewind_component, tradewind_status, tradewind_field, tradewind_step
  public :: tradewind_version

  !> Codes of a status, as in tradewind.h.
  integer, parameter, public :: tradewind_ok = 0, tradewind_error_config = 1, tradewind_error_plugin = 2, &
    tradewind_error_field = 3, tradewind_error_shape = 4, tradewind_error_kind = 5, tradewind_error_units = 6, &
    tradewind_error_grid = 7, tradewind_error_data = 8, tradewind_error_checkpoint = 9, &
    tradewind_error_domain = 10, tradewind_error_ledger = 11, tradewind_error_model = 12, &
    tradewind_error_not_differentiable = 13, tradewind_error_order = 14, tradewind_error_closed = 15, &
    tradewind_error_python = 16, tradewind_error_memory = 17, tradewind_error_file = 18, &
    tradewind_error_mpi = 19, tradewind_error_unsupported = 20, tradewind_error_internal = 21

  !> What a field is to its component, and what its numbers are.
  integer, parameter, public :: tradewind_import = 1, tradewind_export = 2, tradewind_state = 3, &
    tradewind_parameter = 4
  integer, parameter, public :: tradewind_real32 = 1, tradewind_real64 = 2, tradewind_int32 = 3, tradewind_int64 = 4

  integer, parameter :: max_rank = 7, name_length = 128, message_length = 2048, traceback_length = 16384

  !> What became of a call. `rank` is the first that failed (-1: none); texts are empty where nothing is told.
  type :: tradewind_status
    integer :: code = tradewind_ok
    integer :: rank = -1
    character(:), allocatable :: component, field, message, traceback
  contains
    procedure :: failed => status_failed
    procedure :: name => status_name
  end type tradewind_status

  !> What a component declares of one of its fields; extents are those on this rank.
  type :: tradewind_field
    character(:), allocatable :: name, units
    integer :: role = 0, kind = 0
    integer(int64), allocatable :: extents(:)
  end type tradewind_field

  !> A component of a session. Copies mean the same component.
  type :: tradewind_component
    private
    integer(c_int64_t) :: handle = 0
  contains
    procedure, private :: set_grid_int32, set_grid_int64
    !> set_grid(global_index, lon, lat, mask, status): the cells of this rank, numbered from 1, in degrees.
    generic :: set_grid => set_grid_int32, set_grid_int64
    procedure :: describe => component_describe
    procedure :: fields => component_fields
    procedure :: field => component_field
    procedure :: run => component_run
    procedure :: tangent => component_tangent
    procedure :: adjoint => component_adjoint
    procedure :: dot_test => component_dot_test
    procedure :: register => component_register
    !> put, get and so on (name, array, status, units, first, cast, convert).
!@ bindings
    procedure :: put => component_put
    procedure :: put_tangent => component_put_tangent
    procedure :: put_adjoint => component_put_adjoint
    procedure :: get => component_get
    procedure :: get_tangent => component_get_tangent
    procedure :: get_adjoint => component_get_adjoint
    procedure, private :: bind_real32, bind_real64, bind_int32, bind_int64
    !> bind takes pointers: what is bound must outlive the call, which only a pointer's target does.
    generic :: bind => bind_real32, bind_real64, bind_int32, bind_int64
!@ end
  end type tradewind_component

  !> A run config or a network that has been opened. Copies mean the same session.
  type :: tradewind_session
    private
    integer(c_int64_t) :: handle = 0
  contains
!@ bound_init
    procedure :: init => session_init
!@ end
    procedure :: component => session_component
    procedure, private :: advance_seconds, advance_date
    !> advance(until, status): until are seconds since the start (real64), or a date.
    generic :: advance => advance_seconds, advance_date
    procedure :: time => session_time
    procedure :: record => session_record
    procedure :: forget => session_forget
    procedure :: tangent => session_tangent
    procedure :: adjoint => session_adjoint
    procedure :: analyse => session_analyse
    procedure :: solve => session_solve
    procedure :: checkpoint => session_checkpoint
    procedure :: restore => session_restore
    procedure :: report => session_report
    procedure :: agree => session_agree
    procedure :: ping => session_ping
    procedure :: finalize => session_finalize
  end type tradewind_session

  abstract interface
    !> A restartable step of the host: gets imports and state from `c`, puts exports and new state into it, keeps
    !> nothing of its own in between, and returns 0 or a code of its own.
    function tradewind_step(c, time, dt) result(code)
      import :: tradewind_component, real64
      type(tradewind_component), intent(in) :: c
      real(real64), intent(in) :: time, dt
      integer :: code
    end function tradewind_step
  end interface

  ! ---- what follows mirrors tradewind.h and engine/descriptors.c --------------------------------------------

  type, bind(c) :: raw_status
    integer(c_int32_t) :: code, rank
    character(c_char) :: component(name_length), field(name_length), message(message_length), &
      traceback(traceback_length)
  end type raw_status

  type, bind(c) :: raw_field
    character(c_char) :: name(name_length), units(name_length)
    integer(c_int32_t) :: role, kind, rank
    integer(c_int64_t) :: extent(max_rank)
  end type raw_field

  type, bind(c) :: raw_array
    type(c_ptr) :: data
    integer(c_int32_t) :: kind, rank
    integer(c_int64_t) :: extent(max_rank), stride(max_rank)
  end type raw_array

  !> The procedures of a registered step, as C keeps them for us.
  type, bind(c) :: raw_steps
    type(c_funptr) :: step, tangent, adjoint
  end type raw_steps

  enum, bind(c)
    enumerator :: do_put = 0, do_put_tangent, do_put_adjoint, do_get, do_get_tangent, do_get_adjoint, do_bind
  end enum

  interface
!@ describing
    subroutine describe_array(array, seen) bind(c, name='tradewind_fortran_array')
      import :: raw_array
      type(*), dimension(..), intent(in), target :: array
      type(raw_array), intent(out) :: seen
    end subroutine describe_array

    function communicator(comm) bind(c, name='tradewind_fortran_comm') result(handle)
      import :: c_int32_t
      type(*), dimension(..), intent(in) :: comm
      integer(c_int32_t) :: handle
    end function communicator

!@ end
    function exchange(component, action, name, length, array, units, units_length, first, options, status) &
        bind(c, name='tradewind_fortran_exchange') result(code)
      import :: c_char, c_int, c_int32_t, c_int64_t, c_ptr, raw_array
      integer(c_int64_t), value :: component, length, units_length, first
      integer(c_int), value :: action, options
      character(c_char), intent(in) :: name(*)
      character(c_char), intent(in), optional :: units(*)
      type(raw_array), intent(in) :: array
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function exchange

    function enroll(component, steps, step, tangent, adjoint, status) &
        bind(c, name='tradewind_fortran_register') result(code)
      import :: c_funptr, c_int, c_int64_t, c_ptr, raw_steps
      integer(c_int64_t), value :: component
      type(raw_steps), intent(in) :: steps
      type(c_funptr), value :: step, tangent, adjoint
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function enroll

    function code_name(code) bind(c, name='tradewind_code_name') result(name)
      import :: c_int32_t, c_ptr
      integer(c_int32_t), value :: code
      type(c_ptr) :: name
    end function code_name

    function library_version() bind(c, name='tradewind_version') result(name)
      import :: c_ptr
      type(c_ptr) :: name
    end function library_version

    function init(session, config, comm, engine, status) bind(c, name='tradewind_init') result(code)
      import :: c_char, c_int, c_int32_t, c_int64_t, c_ptr
      integer(c_int64_t), intent(out) :: session
      character(c_char), intent(in) :: config(*)
      integer(c_int32_t), intent(in), optional :: comm
      character(c_char), intent(in), optional :: engine(*)
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function init

    function finalize(session, status) bind(c, name='tradewind_finalize') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), intent(inout) :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function finalize

    function component_of(session, name, component, status) bind(c, name='tradewind_component_of') result(code)
      import :: c_char, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      character(c_char), intent(in) :: name(*)
      integer(c_int64_t), intent(out) :: component
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function component_of

    function advance(session, until, status) bind(c, name='tradewind_advance') result(code)
      import :: c_double, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      real(c_double), value :: until
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function advance

    function seconds(session, date, until, status) bind(c, name='tradewind_seconds') result(code)
      import :: c_char, c_double, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      character(c_char), intent(in) :: date(*)
      real(c_double), intent(out) :: until
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function seconds

    function times(session, now, stop, step, status) bind(c, name='tradewind_time') result(code)
      import :: c_double, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      real(c_double), intent(out) :: now, stop, step
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function times

    function record(session, on, status) bind(c, name='tradewind_record') result(code)
      import :: c_int, c_int32_t, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      integer(c_int32_t), value :: on
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function record

    function ping(session, count, guarded, status) bind(c, name='tradewind_ping') result(code)
      import :: c_int, c_int32_t, c_int64_t, c_ptr
      integer(c_int64_t), value :: session, count
      integer(c_int32_t), value :: guarded
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function ping

    ! calls that take nothing but a handle
    function agree(session, status) bind(c, name='tradewind_agree') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function agree

    function advance_tangent(session, status) bind(c, name='tradewind_advance_tangent') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function advance_tangent

    function advance_adjoint(session, status) bind(c, name='tradewind_advance_adjoint') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function advance_adjoint

    function analyse(session, status) bind(c, name='tradewind_analyse') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function analyse

    function solve(session, status) bind(c, name='tradewind_solve') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function solve

    function describe(component, status) bind(c, name='tradewind_describe') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function describe

    function tangent(component, status) bind(c, name='tradewind_tangent') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function tangent

    function adjoint(component, status) bind(c, name='tradewind_adjoint') result(code)
      import :: c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function adjoint

    ! calls with a path
    function checkpoint(session, path, status) bind(c, name='tradewind_checkpoint') result(code)
      import :: c_char, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      character(c_char), intent(in) :: path(*)
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function checkpoint

    function restore(session, path, status) bind(c, name='tradewind_restore') result(code)
      import :: c_char, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      character(c_char), intent(in) :: path(*)
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function restore

    function report(session, path, status) bind(c, name='tradewind_report') result(code)
      import :: c_char, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: session
      character(c_char), intent(in) :: path(*)
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function report

    ! calls of one component
    function set_grid(component, n, global_index, lon, lat, mask, status) &
        bind(c, name='tradewind_set_grid') result(code)
      import :: c_double, c_int, c_int32_t, c_int64_t, c_ptr
      integer(c_int64_t), value :: component, n
      integer(c_int64_t), intent(in) :: global_index(*)
      real(c_double), intent(in) :: lon(*), lat(*)
      integer(c_int32_t), intent(in), optional :: mask(*)
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function set_grid

    function fields(component, count, status) bind(c, name='tradewind_fields') result(code)
      import :: c_int, c_int32_t, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      integer(c_int32_t), intent(out) :: count
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function fields

    function field_of(component, number, field, status) bind(c, name='tradewind_field_of') result(code)
      import :: c_int, c_int32_t, c_int64_t, c_ptr, raw_field
      integer(c_int64_t), value :: component
      integer(c_int32_t), value :: number
      type(raw_field), intent(out) :: field
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function field_of

    function run(component, time, dt, status) bind(c, name='tradewind_run') result(code)
      import :: c_double, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      real(c_double), value :: time, dt
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function run

    function dot_test(component, error, status) bind(c, name='tradewind_dot_test') result(code)
      import :: c_double, c_int, c_int64_t, c_ptr
      integer(c_int64_t), value :: component
      real(c_double), intent(out) :: error
      type(c_ptr), value :: status
      integer(c_int) :: code
    end function dot_test
  end interface

contains

  !> Version of the library.
  function tradewind_version() result(version)
    character(:), allocatable :: version

    version = text_at(library_version())
  end function tradewind_version

  ! ---- status ------------------------------------------------------------------------------------------------

  !> Whether the call failed.
  elemental function status_failed(status) result(failed)
    class(tradewind_status), intent(in) :: status
    logical :: failed

    failed = status%code /= tradewind_ok
  end function status_failed

  !> The code's name, such as "shape".
  function status_name(status) result(name)
    class(tradewind_status), intent(in) :: status
    character(:), allocatable :: name

    name = text_at(code_name(int(status%code, c_int32_t)))
  end function status_name

  !> Where C is to write its status: nowhere, if the host has not asked for one.
  function place(raw, status) result(address)
    type(raw_status), target, intent(inout) :: raw
    type(tradewind_status), intent(in), optional :: status
    type(c_ptr) :: address

    address = c_null_ptr
    if (present(status)) address = c_loc(raw)
  end function place

  !> Tell the host what became of a call.
  subroutine tell(code, raw, status)
    integer(c_int), intent(in) :: code
    type(raw_status), intent(in) :: raw
    type(tradewind_status), intent(inout), optional :: status

    if (.not. present(status)) return
    if (code == tradewind_ok) then
      call clear(status)
    else
      status%code = code
      status%rank = raw%rank
      status%component = text(raw%component)
      status%field = text(raw%field)
      status%message = text(raw%message)
      status%traceback = text(raw%traceback)
    end if
  end subroutine tell

  !> An empty status; texts that are empty already are left alone, since a model calls this often.
  subroutine clear(status)
    type(tradewind_status), intent(inout) :: status

    if (allocated(status%message) .and. status%code == tradewind_ok) return
    status%code = tradewind_ok
    status%rank = -1
    status%component = ''
    status%field = ''
    status%message = ''
    status%traceback = ''
  end subroutine clear

  ! ---- texts -------------------------------------------------------------------------------------------------

  !> A C text in an array of fixed length.
  pure function text(raw) result(string)
    character(c_char), intent(in) :: raw(:)
    character(:), allocatable :: string
    integer :: i, length

    length = findloc(raw, c_null_char, dim=1) - 1
    if (length < 0) length = size(raw)
    allocate (character(length) :: string)
    do i = 1, length
      string(i:i) = raw(i)
    end do
  end function text

  !> A C text at an address.
  function text_at(address) result(string)
    type(c_ptr), intent(in) :: address
    character(:), allocatable :: string
    character(c_char), pointer :: raw(:)
    integer :: length

    string = ''
    if (.not. c_associated(address)) return
    call c_f_pointer(address, raw, [name_length])
    do length = 0, name_length - 1
      if (raw(length + 1) == c_null_char) exit
    end do
    string = text(raw(1:length))
  end function text_at

  !> A text for C, without the blanks that Fortran pads with.
  pure function to_c(string) result(raw)
    character(*), intent(in) :: string
    character(:, c_char), allocatable :: raw

    raw = trim(string)//c_null_char
  end function to_c

  !> Whether an optional flag is set.
  pure function asked(flag) result(yes)
    logical, intent(in), optional :: flag
    logical :: yes

    yes = .false.
    if (present(flag)) yes = flag
  end function asked

  ! ---- sessions ----------------------------------------------------------------------------------------------

!@ init
  !> Open a run config, or a network. comm: an integer or a type(MPI_Comm); absent: this process alone. engine:
  !> "python", "frozen" or "replay"; absent: as the file's ending says. Collective.
  subroutine session_init(session, config, comm, status, engine)
    class(tradewind_session), intent(inout) :: session
    character(*), intent(in) :: config
    type(*), dimension(..), intent(in), optional :: comm
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: engine

    if (present(comm)) then
      call open_session(session, config, status, communicator(comm), engine)
    else
      call open_session(session, config, status, engine=engine)
    end if
  end subroutine session_init
!@ end

  subroutine open_session(session, config, status, comm, engine)
    class(tradewind_session), intent(inout) :: session
    character(*), intent(in) :: config
    type(tradewind_status), intent(inout), optional :: status
    integer(c_int32_t), intent(in), optional :: comm
    character(*), intent(in), optional :: engine
    type(raw_status), target :: raw
    integer(c_int) :: code

    if (present(engine)) then
      code = init(session%handle, to_c(config), comm, to_c(engine), place(raw, status))
    else
      code = init(session%handle, to_c(config), comm, status=place(raw, status))
    end if
    call tell(code, raw, status)
  end subroutine open_session

  !> Close the session; closing a closed one does nothing. Collective.
  subroutine session_finalize(session, status)
    class(tradewind_session), intent(inout) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(finalize(session%handle, place(raw, status)), raw, status)
  end subroutine session_finalize

  !> Find a component by its name. Collective.
  subroutine session_component(session, name, c, status)
    class(tradewind_session), intent(in) :: session
    character(*), intent(in) :: name
    type(tradewind_component), intent(out) :: c
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(component_of(session%handle, to_c(name), c%handle, place(raw, status)), raw, status)
  end subroutine session_component

  !> Let the coupled run go on until then, in seconds since its start. Collective.
  subroutine advance_seconds(session, until, status)
    class(tradewind_session), intent(in) :: session
    real(real64), intent(in) :: until
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(advance(session%handle, until, place(raw, status)), raw, status)
  end subroutine advance_seconds

  !> Let the coupled run go on until a date, such as "2019-01-02T00:00". Collective.
  subroutine advance_date(session, until, status)
    class(tradewind_session), intent(in) :: session
    character(*), intent(in) :: until
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw
    real(c_double) :: time

    time = 0
    if (seconds(session%handle, to_c(until), time, place(raw, status)) /= tradewind_ok) time = -1
    ! a date that one rank cannot read fails on all of them here, so that none is waited for
    call tell(advance(session%handle, time, place(raw, status)), raw, status)
  end subroutine advance_date

  !> Where the coupled run stands, where it ends, and the step of its exchanges, in seconds since its start.
  subroutine session_time(session, now, status, stop, step)
    class(tradewind_session), intent(in) :: session
    real(real64), intent(out) :: now
    type(tradewind_status), intent(inout), optional :: status
    real(real64), intent(out), optional :: stop, step
    type(raw_status), target :: raw
    real(c_double) :: its_stop, its_step

    now = 0
    its_stop = 0
    its_step = 0
    call tell(times(session%handle, now, its_stop, its_step, place(raw, status)), raw, status)
    if (present(stop)) stop = its_stop
    if (present(step)) step = its_step
  end subroutine session_time

  !> Keep what is put, run and advanced from here on, for tangents and adjoints over several steps. Collective.
  subroutine session_record(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(record(session%handle, 1_c_int32_t, place(raw, status)), raw, status)
  end subroutine session_record

  !> Forget what was recorded, and record no more. Collective.
  subroutine session_forget(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(record(session%handle, 0_c_int32_t, place(raw, status)), raw, status)
  end subroutine session_forget

  !> Carry the tangents that were put through the recorded advance that is next; one advance a call. Collective.
  subroutine session_tangent(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(advance_tangent(session%handle, place(raw, status)), raw, status)
  end subroutine session_tangent

  !> Carry the adjoints that were put back through the recorded advance before; one advance a call. Collective.
  subroutine session_adjoint(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(advance_adjoint(session%handle, place(raw, status)), raw, status)
  end subroutine session_adjoint

  !> One analysis of the members as they stand, by the config's filter. Collective.
  subroutine session_analyse(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(analyse(session%handle, place(raw, status)), raw, status)
  end subroutine session_analyse

  !> The whole inversion, by the config's solver. Collective.
  subroutine session_solve(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(solve(session%handle, place(raw, status)), raw, status)
  end subroutine session_solve

  !> Write all that a later `restore` needs to go on, bit for bit. Collective.
  subroutine session_checkpoint(session, path, status)
    class(tradewind_session), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(checkpoint(session%handle, to_c(path), place(raw, status)), raw, status)
  end subroutine session_checkpoint

  !> Go on from what `checkpoint` wrote. Collective.
  subroutine session_restore(session, path, status)
    class(tradewind_session), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(restore(session%handle, to_c(path), place(raw, status)), raw, status)
  end subroutine session_restore

  !> Write what the session has done: calls, seconds, answers, ledger, and the posterior if there is one. Collective.
  subroutine session_report(session, path, status)
    class(tradewind_session), intent(in) :: session
    character(*), intent(in) :: path
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(report(session%handle, to_c(path), place(raw, status)), raw, status)
  end subroutine session_report

  !> Tell all ranks what failed on any of them since the last collective call. `status` comes in as this rank's
  !> own, so that a failure of the host's can be told in the same way. Collective.
  subroutine session_agree(session, status)
    class(tradewind_session), intent(in) :: session
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    if (present(status)) call to_raw(status, raw)
    call tell(agree(session%handle, place(raw, status)), raw, status)
  end subroutine session_agree

  subroutine to_raw(status, raw)
    type(tradewind_status), intent(in) :: status
    type(raw_status), intent(out) :: raw

    raw%code = int(status%code, c_int32_t)
    raw%rank = int(status%rank, c_int32_t)
    call fill(raw%component, status%component)
    call fill(raw%field, status%field)
    call fill(raw%message, status%message)
    call fill(raw%traceback, status%traceback)
  end subroutine to_raw

  pure subroutine fill(raw, string)
    character(c_char), intent(out) :: raw(:)
    character(:), allocatable, intent(in) :: string
    integer :: i

    raw = c_null_char
    if (.not. allocated(string)) return
    do i = 1, min(len(string), size(raw) - 1)
      raw(i) = string(i:i)
    end do
  end subroutine fill

  !> Call a function of the engine that does nothing, to see what calls cost. guarded: save and restore the
  !> floating-point environment around each, as every real call does (the default).
  subroutine session_ping(session, count, status, guarded)
    class(tradewind_session), intent(in) :: session
    integer, intent(in) :: count
    type(tradewind_status), intent(inout), optional :: status
    logical, intent(in), optional :: guarded
    type(raw_status), target :: raw
    integer(c_int32_t) :: guard

    guard = 1
    if (present(guarded)) guard = merge(1_c_int32_t, 0_c_int32_t, guarded)
    call tell(ping(session%handle, int(count, c_int64_t), guard, place(raw, status)), raw, status)
  end subroutine session_ping

  ! ---- components --------------------------------------------------------------------------------------------

  subroutine set_grid_int64(c, global_index, lon, lat, mask, status)
    class(tradewind_component), intent(in) :: c
    integer(int64), intent(in) :: global_index(:)
    real(real64), intent(in) :: lon(:), lat(:)
    logical, intent(in), optional :: mask(:)
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw
    integer(c_int64_t) :: n
    integer(c_int) :: code

    n = size(global_index, kind=c_int64_t)
    if (size(lon) /= n .or. size(lat) /= n) n = -1
    if (present(mask)) then
      if (size(mask) /= n) n = -1
      ! lengths that differ are told by C, since all ranks must enter it
      code = set_grid(c%handle, n, global_index, lon, lat, merge(1_c_int32_t, 0_c_int32_t, mask), place(raw, status))
    else
      code = set_grid(c%handle, n, global_index, lon, lat, status=place(raw, status))
    end if
    call tell(code, raw, status)
  end subroutine set_grid_int64

  subroutine set_grid_int32(c, global_index, lon, lat, mask, status)
    class(tradewind_component), intent(in) :: c
    integer(int32), intent(in) :: global_index(:)
    real(real64), intent(in) :: lon(:), lat(:)
    logical, intent(in), optional :: mask(:)
    type(tradewind_status), intent(inout), optional :: status

    call set_grid_int64(c, int(global_index, int64), lon, lat, mask, status)
  end subroutine set_grid_int32

  !> Settle what the component declares; shapes are fixed from here on. Collective.
  subroutine component_describe(c, status)
    class(tradewind_component), intent(in) :: c
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(describe(c%handle, place(raw, status)), raw, status)
  end subroutine component_describe

  !> How many fields the component has.
  function component_fields(c, status) result(count)
    class(tradewind_component), intent(in) :: c
    type(tradewind_status), intent(inout), optional :: status
    integer :: count
    type(raw_status), target :: raw
    integer(c_int32_t) :: found

    found = 0
    call tell(fields(c%handle, found, place(raw, status)), raw, status)
    count = found
  end function component_fields

  !> What the component declares of a field, by its number from 1.
  subroutine component_field(c, number, field, status)
    class(tradewind_component), intent(in) :: c
    integer, intent(in) :: number
    type(tradewind_field), intent(out) :: field
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw
    type(raw_field) :: seen
    integer(c_int) :: code

    code = field_of(c%handle, int(number, c_int32_t), seen, place(raw, status))
    if (code == tradewind_ok) then
      field%name = text(seen%name)
      field%units = text(seen%units)
      field%role = seen%role
      field%kind = seen%kind
      field%extents = seen%extent(1:seen%rank)
    end if
    call tell(code, raw, status)
  end subroutine component_field

  !> One model call, over [time, time + dt), in seconds since the session's start. Collective.
  subroutine component_run(c, time, dt, status)
    class(tradewind_component), intent(in) :: c
    real(real64), intent(in) :: time, dt
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(run(c%handle, time, dt, place(raw, status)), raw, status)
  end subroutine component_run

  !> Carry the tangents that were put through the last run; when recording, one run a call. Collective.
  subroutine component_tangent(c, status)
    class(tradewind_component), intent(in) :: c
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(tangent(c%handle, place(raw, status)), raw, status)
  end subroutine component_tangent

  !> Carry the adjoints that were put back through the last run; when recording, one run a call. Collective.
  subroutine component_adjoint(c, status)
    class(tradewind_component), intent(in) :: c
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    call tell(adjoint(c%handle, place(raw, status)), raw, status)
  end subroutine component_adjoint

  !> |<M x, y> - <x, M* y>| / (|M x| |y|) about the last run, with random x and y. Collective.
  subroutine component_dot_test(c, error, status)
    class(tradewind_component), intent(in) :: c
    real(real64), intent(out) :: error
    type(tradewind_status), intent(inout), optional :: status
    type(raw_status), target :: raw

    error = 0
    call tell(dot_test(c%handle, error, place(raw, status)), raw, status)
  end subroutine component_dot_test

  ! ---- the host's own step -----------------------------------------------------------------------------------

  !> Make a restartable step of the host the component (plugin: host), with its tangent and adjoint if it has them.
  subroutine component_register(c, step, status, tangent, adjoint)
    class(tradewind_component), intent(in) :: c
    procedure(tradewind_step) :: step
    type(tradewind_status), intent(inout), optional :: status
    procedure(tradewind_step), optional :: tangent, adjoint
    type(raw_status), target :: raw
    type(raw_steps) :: steps
    type(c_funptr) :: on_tangent, on_adjoint

    steps = raw_steps(c_funloc(step), c_null_funptr, c_null_funptr)
    on_tangent = c_null_funptr
    on_adjoint = c_null_funptr
    if (present(tangent)) then
      steps%tangent = c_funloc(tangent)
      on_tangent = c_funloc(call_tangent)
    end if
    if (present(adjoint)) then
      steps%adjoint = c_funloc(adjoint)
      on_adjoint = c_funloc(call_adjoint)
    end if
    call tell(enroll(c%handle, steps, c_funloc(call_step), on_tangent, on_adjoint, place(raw, status)), raw, status)
  end subroutine component_register

  function call_step(context, component, time, dt) bind(c, name='') result(code)
    type(c_ptr), value :: context
    integer(c_int64_t), value :: component
    real(c_double), value :: time, dt
    integer(c_int) :: code
    type(raw_steps), pointer :: steps

    call c_f_pointer(context, steps)
    code = called(steps%step, component, time, dt)
  end function call_step

  function call_tangent(context, component, time, dt) bind(c, name='') result(code)
    type(c_ptr), value :: context
    integer(c_int64_t), value :: component
    real(c_double), value :: time, dt
    integer(c_int) :: code
    type(raw_steps), pointer :: steps

    call c_f_pointer(context, steps)
    code = called(steps%tangent, component, time, dt)
  end function call_tangent

  function call_adjoint(context, component, time, dt) bind(c, name='') result(code)
    type(c_ptr), value :: context
    integer(c_int64_t), value :: component
    real(c_double), value :: time, dt
    integer(c_int) :: code
    type(raw_steps), pointer :: steps

    call c_f_pointer(context, steps)
    code = called(steps%adjoint, component, time, dt)
  end function call_adjoint

  function called(procedure_at, component, time, dt) result(code)
    type(c_funptr), intent(in) :: procedure_at
    integer(c_int64_t), intent(in) :: component
    real(c_double), intent(in) :: time, dt
    integer(c_int) :: code
    procedure(tradewind_step), pointer :: step
    type(tradewind_component) :: c

    call c_f_procpointer(procedure_at, step)
    c%handle = component
    code = int(step(c, time, dt), c_int)
  end function called

  ! ---- arrays ------------------------------------------------------------------------------------------------

  !> Hand a described array to C. first: the first column that it covers, from 1 (absent: it covers all).
  subroutine hand(c, action, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    integer(c_int), intent(in) :: action
    character(*), intent(in) :: name
    type(raw_array), intent(in) :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_status), target :: raw
    integer(c_int64_t) :: start, length
    integer(c_int) :: options, code

    start = 0
    if (present(first)) start = first
    if (present(first) .and. start < 1) start = -1
    length = 0
    if (present(units)) length = len(units, c_int64_t)
    options = merge(1_c_int, 0_c_int, asked(cast)) + merge(2_c_int, 0_c_int, asked(convert))
    code = exchange(c%handle, action, name, len(name, c_int64_t), array, units, length, start, options, &
      place(raw, status))
    call tell(code, raw, status)
  end subroutine hand

!@ arrays
  !> Copy an array into a field.
  subroutine component_put(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(in), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_put, name, seen, status, units, first, cast, convert)
  end subroutine component_put

  !> Copy an array into the tangent of an import, a state or a parameter.
  subroutine component_put_tangent(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(in), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_put_tangent, name, seen, status, units, first, cast, convert)
  end subroutine component_put_tangent

  !> Copy an array into the adjoint of an export or a state.
  subroutine component_put_adjoint(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(in), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_put_adjoint, name, seen, status, units, first, cast, convert)
  end subroutine component_put_adjoint

  !> Copy a field into an array.
  subroutine component_get(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(inout), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_get, name, seen, status, units, first, cast, convert)
  end subroutine component_get

  !> Copy the tangent of an export or a state into an array.
  subroutine component_get_tangent(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(inout), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_get_tangent, name, seen, status, units, first, cast, convert)
  end subroutine component_get_tangent

  !> Copy the adjoint of an import, a state or a parameter into an array.
  subroutine component_get_adjoint(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    type(*), dimension(..), intent(inout), target :: array
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_get_adjoint, name, seen, status, units, first, cast, convert)
  end subroutine component_get_adjoint

  !> Use the target of a pointer at every run from here on: imports are read from it, exports written to it.
  subroutine bind_real32(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    real(real32), pointer, intent(inout) :: array(..)
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_bind, name, seen, status, units, first, cast, convert)
  end subroutine bind_real32

  subroutine bind_real64(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    real(real64), pointer, intent(inout) :: array(..)
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_bind, name, seen, status, units, first, cast, convert)
  end subroutine bind_real64

  subroutine bind_int32(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    integer(int32), pointer, intent(inout) :: array(..)
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_bind, name, seen, status, units, first, cast, convert)
  end subroutine bind_int32

  subroutine bind_int64(c, name, array, status, units, first, cast, convert)
    class(tradewind_component), intent(in) :: c
    character(*), intent(in) :: name
    integer(int64), pointer, intent(inout) :: array(..)
    type(tradewind_status), intent(inout), optional :: status
    character(*), intent(in), optional :: units
    integer, intent(in), optional :: first
    logical, intent(in), optional :: cast, convert
    type(raw_array) :: seen

    call describe_array(array, seen)
    call hand(c, do_bind, name, seen, status, units, first, cast, convert)
  end subroutine bind_int64
!@ end

end module tradewind
