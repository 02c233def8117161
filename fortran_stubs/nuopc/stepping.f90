! The component's memory tied to that of the fields, its clock, its calls, and its end.
module tradewind_nuopc_stepping
  use, intrinsic :: iso_c_binding, only: c_double, c_int32_t, c_int64_t, c_loc
  use ESMF
  use NUOPC
  use NUOPC_Model, only: NUOPC_ModelGet
  use tradewind_nuopc_addresses, only: fill
  use tradewind_nuopc_calls
  use tradewind_nuopc_cells
  use tradewind_nuopc_errors
  use tradewind_nuopc_fields
  use tradewind_nuopc_options
  use tradewind_nuopc_state
  implicit none
  private
  public :: settle, set_run_clock, check_imports, advance, finish

  real(ESMF_KIND_R8), parameter :: not_made_yet = 9.969209968386869e36_ESMF_KIND_R8 ! as netCDF fills
  real(c_double), parameter :: millisecond = 1.0e-3_c_double

contains

  ! Everything is realised: tell the component its cells, tie its memory to that of the fields, and fill exports.
  subroutine settle(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    if (.not. allocated(state%per_part)) then
      call tell_cells(state, rc)
      if (rc == ESMF_SUCCESS) call tell_time(gcomp, state, rc)
      if (rc == ESMF_SUCCESS) call tie(state, rc)
      if (rc /= ESMF_SUCCESS) return
    end if
    call NUOPC_CompAttributeSet(gcomp, name="InitializeDataComplete", value="true", rc=rc)
    if (esmf_failed(rc, "end of initialisation")) return
  end subroutine

  subroutine tell_cells(state, rc)
    type(cap_state), intent(inout) :: state
    integer, intent(out) :: rc
    type(cap_cells) :: cells, others
    type(tradewind_status) :: status
    integer :: i, code, told
    rc = ESMF_SUCCESS
    told = 0
    do i = 1, size(state%fields)
      if (.not. state%fields(i)%coupled) cycle
      call cells_of(state%fields(i)%field, others, rc)
      if (esmf_failed(rc, "cells of "//state%fields(i)%name)) return
      if (told == 0) cells = others
      if (told > 0) call check_same(state, told, i, cells, others, status)
      told = merge(i, told, told == 0)
    end do
    if (any_failed(state, status, "comparing geometries", rc)) return
    state%per_part = [integer ::]
    if (told == 0) return
    state%per_part = cells%per_part
    code = component_grid(state%component, cells%index, cells%lon, cells%lat, cells%mask, status)
    if (code == 0) code = component_describe(state%component, status)
    if (any_failed(state, status, "telling the cells of "//state%fields(told)%name, rc)) return
  end subroutine

  ! A component takes one set of cells: all its fields must have the same.
  subroutine check_same(state, first, other, cells, others, status)
    type(cap_state), intent(in) :: state
    integer, intent(in) :: first, other
    type(cap_cells), intent(in) :: cells, others
    type(tradewind_status), intent(inout) :: status
    logical :: same
    same = size(cells%index) == size(others%index)
    if (same) same = all(cells%index == others%index)
    if (same .or. status%code /= 0) return
    call tell(status, code_grid, state%name, state%fields(other)%name, "has other cells on this PET than "// &
      state%fields(first)%name//": all fields of the component are on one geometry, cut in one way")
  end subroutine

  ! How far the driver's clock is from the start of the run config.
  subroutine tell_time(gcomp, state, rc)
    type(ESMF_GridComp) :: gcomp
    type(cap_state), intent(inout) :: state
    integer, intent(out) :: rc
    type(ESMF_Clock) :: clock
    type(ESMF_Time) :: stop
    type(tradewind_status) :: status
    real(c_double) :: now, last, length
    integer :: code
    call NUOPC_ModelGet(gcomp, modelClock=clock, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_ClockGet(clock, currTime=state%origin, stopTime=stop, rc=rc)
    if (esmf_failed(rc, "clock") .or. is_network(state%options%config)) return
    code = session_seconds(state%session, date_of(state%origin), now, status)
    if (code == 0) code = session_seconds(state%session, date_of(stop), last, status)
    length = seconds_of(stop - state%origin)
    state%offset = now
    if (code == 0 .and. abs(last - now - length) > millisecond) call tell(status, code_config, state%name, "", &
      "the calendar of the clock is not that of the run config: they count differently from "// &
      date_of(state%origin)//" to "//date_of(stop))
    if (any_failed(state, status, "comparing clocks", rc)) return
  end subroutine

  ! Bind or put what the component takes, bind what it gives where that is possible.
  subroutine tie(state, rc)
    type(cap_state), intent(inout) :: state
    integer, intent(out) :: rc
    type(tradewind_status) :: status
    integer :: i
    rc = ESMF_SUCCESS
    do i = 1, size(state%fields)
      associate (field => state%fields(i))
        if (.not. field%coupled .and. field%imported) call put_default(state, field, status)
        if (.not. field%coupled) cycle
        if (.not. field%imported) call begin_export(field, rc)
        if (rc /= ESMF_SUCCESS) return
        if (field%bindable .and. size(state%per_part) == 1) then
          call move(state, field, binds, status, rc)
          field%bound = rc == ESMF_SUCCESS .and. status%code == 0
        end if
      end associate
    end do
    if (any_failed(state, status, "binding fields", rc)) return
  end subroutine

  ! Before the first call an export has the number that attributes give; if none is given, it is marked as not made.
  subroutine begin_export(field, rc)
    type(cap_field), intent(inout) :: field
    integer, intent(out) :: rc
    real(ESMF_KIND_R8) :: value
    integer :: bad
    value = not_made_yet
    if (field%default /= "") read (field%default, *, iostat=bad) value
    call fill_field(field, value, rc)
    if (rc /= ESMF_SUCCESS .or. field%default == "") return
    call NUOPC_SetAttribute(field%field, name="Updated", value="true", rc=rc)
    if (esmf_failed(rc, "first values of "//field%name)) return
  end subroutine

  ! An import that nothing is connected to has one number everywhere.
  subroutine put_default(state, field, status)
    type(cap_state), intent(in) :: state
    type(cap_field), intent(in) :: field
    type(tradewind_status), intent(inout) :: status
    real(ESMF_KIND_R8), allocatable, target :: memory(:)
    type(tradewind_array) :: array
    real(ESMF_KIND_R8) :: value
    integer :: length, bad, code
    if (field%default == "" .or. status%code /= 0) return
    length = sum(state%per_part) * product(field%extra)
    allocate (memory(max(length, 1)))
    read (field%default, *, iostat=bad) value
    call fill(c_loc(memory), field%kind, length, value)
    array%data = c_loc(memory)
    array%kind = field%kind
    call extent_of(array, [sum(state%per_part), field%extra], bytes_of(field%kind))
    code = component_put(state%component, field%name, array, how_of(field, state%options, 0), status)
  end subroutine

  ! Put, get or bind all parts of a field; a PET without any takes part with none of the columns.
  subroutine move(state, field, action, status, rc)
    type(cap_state), intent(in) :: state
    type(cap_field), intent(in) :: field
    integer, intent(in) :: action
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    real(ESMF_KIND_R8), target :: nothing(1)
    type(tradewind_array) :: array
    integer :: part, first
    rc = ESMF_SUCCESS
    first = 1
    do part = 1, size(state%per_part)
      call array_of(field, part - 1, state%per_part(part), array, rc)
      if (rc /= ESMF_SUCCESS) return
      call act(state, field, action, array, merge(0, first, size(state%per_part) == 1), status)
      first = first + state%per_part(part)
    end do
    if (size(state%per_part) > 0) return
    nothing = 0
    array%data = c_loc(nothing)
    array%kind = field%kind
    call extent_of(array, [0, field%extra], bytes_of(field%kind))
    call act(state, field, action, array, 0, status)
  end subroutine

  subroutine act(state, field, action, array, first, status)
    type(cap_state), intent(in) :: state
    type(cap_field), intent(in) :: field
    integer, intent(in) :: action, first
    type(tradewind_array), intent(in) :: array
    type(tradewind_status), intent(inout) :: status
    type(tradewind_how) :: how
    integer :: code
    if (status%code /= 0) return
    how = how_of(field, state%options, first)
    select case (action)
    case (puts); code = component_put(state%component, field%name, array, how, status)
    case (gets); code = component_get(state%component, field%name, array, how, status)
    case (binds); code = component_bind(state%component, field%name, array, how, status)
    end select
  end subroutine

  ! ---- running ----------------------------------------------------------------------------------------------

  ! The component steps by the coupling interval, or by steps of its own into which the interval must divide.
  subroutine set_run_clock(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_Clock) :: driver, clock
    type(ESMF_TimeInterval) :: interval, step
    character(32) :: texts(2)
    real(c_double) :: steps
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    call NUOPC_ModelGet(gcomp, driverClock=driver, modelClock=clock, rc=rc)
    if (rc == ESMF_SUCCESS) call NUOPC_CompCheckSetClock(gcomp, driver, forceTimeStep=.true., rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_ClockGet(driver, timeStep=interval, rc=rc)
    if (esmf_failed(rc, "clock") .or. state%options%step <= 0) return
    steps = seconds_of(interval) / state%options%step
    if (steps < 0.5 .or. abs(steps - nint(steps)) > 1.0e-9 * steps) then
      write (texts(1), "(g0)") seconds_of(interval)
      write (texts(2), "(g0)") state%options%step
      call refuse(code_config, state%name, "the coupling interval of "//trim(texts(1))//" s is no whole number of "// &
        "steps of "//trim(texts(2))//" s (attribute tradewind_step)", rc)
      return
    end if
    call ESMF_TimeIntervalSet(step, s_r8=state%options%step, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_ClockSet(clock, timeStep=step, rc=rc)
    if (esmf_failed(rc, "step of the clock")) return
  end subroutine

  ! Imports are of the beginning of the coupling interval, or, from a component that runs before, of its end.
  subroutine check_imports(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_Clock) :: driver
    type(ESMF_Time) :: now
    type(ESMF_TimeInterval) :: interval
    integer :: i
    logical :: current
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    call NUOPC_ModelGet(gcomp, driverClock=driver, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_ClockGet(driver, currTime=now, timeStep=interval, rc=rc)
    if (esmf_failed(rc, "clock of the driver")) return
    do i = 1, size(state%fields)
      if (.not. (state%fields(i)%coupled .and. state%fields(i)%imported)) cycle
      current = NUOPC_IsAtTime(state%fields(i)%field, now, rc=rc)
      if (rc == ESMF_SUCCESS .and. .not. current) &
        current = NUOPC_IsAtTime(state%fields(i)%field, now + interval, rc=rc)
      if (esmf_failed(rc, "time of "//state%fields(i)%name)) return
      if (current) cycle
      call refuse(code_order, state%name, "import "//state%fields(i)%name//" is neither of "//date_of(now)//" nor of "// &
        date_of(now + interval)//": let its connector run before this component", rc)
      return
    end do
  end subroutine

  subroutine advance(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_Clock) :: clock
    type(ESMF_Time) :: now
    type(ESMF_TimeInterval) :: step
    type(tradewind_status) :: status
    integer :: code
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    call NUOPC_ModelGet(gcomp, modelClock=clock, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_ClockGet(clock, currTime=now, timeStep=step, rc=rc)
    if (esmf_failed(rc, "clock")) return
    call move_all(state, puts, status, rc)
    if (rc /= ESMF_SUCCESS) return
    ! what failed on one PET is told by this call to all
    code = component_run(state%component, state%offset + seconds_of(now - state%origin), seconds_of(step), status)
    if (call_failed(status, "stepping "//state%options%component//" from "//date_of(now), rc)) return
    call move_all(state, gets, status, rc)
    if (rc /= ESMF_SUCCESS) return
    if (any_failed(state, status, "fetching exports of "//state%options%component, rc)) return
  end subroutine

  ! Put all imports that are not bound, or get all such exports.
  subroutine move_all(state, action, status, rc)
    type(cap_state), intent(in) :: state
    integer, intent(in) :: action
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    integer :: i
    rc = ESMF_SUCCESS
    do i = 1, size(state%fields)
      associate (field => state%fields(i))
        if (.not. field%coupled .or. field%bound .or. (field%imported .neqv. action == puts)) cycle
        call move(state, field, action, status, rc)
        if (rc /= ESMF_SUCCESS) return
      end associate
    end do
  end subroutine

  subroutine finish(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(tradewind_status) :: status
    integer :: code
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    if (state%session == 0) return
    code = 0
    if (state%options%checkpoint /= "") code = session_checkpoint(state%session, state%options%checkpoint, status)
    if (code == 0 .and. state%options%report /= "") code = session_report(state%session, state%options%report, status)
    if (call_failed(status, "writing checkpoint and report", rc)) return
    code = session_close(state%session, status)
    if (call_failed(status, "closing the session", rc)) return
    deallocate (state)
  end subroutine

  ! ---- times ------------------------------------------------------------------------------------------------

  function date_of(time) result(text)
    type(ESMF_Time), intent(in) :: time
    character(:), allocatable :: text
    character(64) :: date
    integer :: rc
    call ESMF_TimeGet(time, timeStringISOFrac=date, rc=rc)
    text = trim(date)
  end function

  real(c_double) function seconds_of(interval)
    type(ESMF_TimeInterval), intent(in) :: interval
    integer :: rc
    call ESMF_TimeIntervalGet(interval, s_r8=seconds_of, rc=rc)
    if (rc /= ESMF_SUCCESS) seconds_of = 0
  end function
end module
