! Before anything is connected: the session is opened, and what its component takes and gives is advertised.
module tradewind_nuopc_advertising
  use ESMF
  use NUOPC, only: NUOPC_CompGet
  use NUOPC_Model, only: NUOPC_ModelGet
  use tradewind_nuopc_calls
  use tradewind_nuopc_errors
  use tradewind_nuopc_fields
  use tradewind_nuopc_options
  use tradewind_nuopc_state
  implicit none
  private
  public :: advertise_fields

contains

  subroutine advertise_fields(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_State) :: imports, exports
    type(tradewind_status) :: status
    character(ESMF_MAXSTR) :: name
    integer :: i
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    call NUOPC_CompGet(gcomp, name=name, rc=rc)
    if (esmf_failed(rc, "name of the component")) return
    state%name = trim(name)
    call read_options(gcomp, state%name, state%options, rc)
    if (rc == ESMF_SUCCESS) call open_session(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    call list_fields(state%component, state%name, state%options, state%fields, status, rc)
    if (rc /= ESMF_SUCCESS) return
    if (status%code == 0 .and. .not. is_network(state%options%config)) call &
      find_grids(state%component, state%options, state%fields, status)
    if (any_failed(state, status, "asking for the fields of "//state%options%component, rc)) return
    call NUOPC_ModelGet(gcomp, importState=imports, exportState=exports, rc=rc)
    if (esmf_failed(rc, "states")) return
    do i = 1, size(state%fields)
      if (state%fields(i)%imported) call advertise(imports, state%name, state%fields(i), state%options, rc)
      if (.not. state%fields(i)%imported) call advertise(exports, state%name, state%fields(i), state%options, rc)
      if (rc /= ESMF_SUCCESS) return
    end do
  end subroutine

  subroutine open_session(gcomp, state, rc)
    type(ESMF_GridComp) :: gcomp
    type(cap_state), intent(inout) :: state
    integer, intent(out) :: rc
    type(tradewind_status) :: status
    type(ESMF_VM) :: vm
    integer :: comm, pets
    call ESMF_GridCompGet(gcomp, vm=vm, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_VMGet(vm, mpiCommunicator=comm, petCount=pets, rc=rc)
    if (esmf_failed(rc, "virtual machine")) return
    associate (options => state%options)
      if (session_open(state%session, options%config, comm, pets, options%engine, status) /= 0) state%session = 0
      if (call_failed(status, "opening "//options%config, rc)) return
      if (session_component(state%session, options%component, state%component, status) /= 0) continue
      if (call_failed(status, "looking for component "//options%component, rc)) return
      if (options%restore == "") return
      if (session_restore(state%session, options%restore, status) /= 0) continue
      if (call_failed(status, "restoring "//options%restore, rc)) return
    end associate
  end subroutine
end module
