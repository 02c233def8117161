! What the cap keeps of one component between its phases.
module tradewind_nuopc_state
  use, intrinsic :: iso_c_binding, only: c_double, c_int64_t
  use ESMF
  use NUOPC_Model, only: NUOPC_ModelGet
  use tradewind_nuopc_calls
  use tradewind_nuopc_errors
  use tradewind_nuopc_fields, only: cap_field
  use tradewind_nuopc_options, only: cap_options
  implicit none
  private
  public :: find_state, any_failed, state_of

  type, public :: cap_state
    character(:), allocatable :: name
    integer(c_int64_t) :: session = 0, component = 0
    type(cap_options) :: options
    type(cap_field), allocatable :: fields(:)
    integer, allocatable :: per_part(:)          ! columns of each of this PET's DEs
    real(c_double) :: offset = 0                 ! seconds from the session's start to the clock's `origin`
    type(ESMF_Time) :: origin
  end type

  type, public :: cap_wrap
    type(cap_state), pointer :: state => null()
  end type

contains

  ! What the cap keeps of a component.
  subroutine find_state(gcomp, state, rc)
    type(ESMF_GridComp) :: gcomp
    type(cap_state), pointer, intent(out) :: state
    integer, intent(out) :: rc
    type(cap_wrap) :: wrap
    nullify (state)
    call ESMF_GridCompGetInternalState(gcomp, wrap, rc)
    if (esmf_failed(rc, "internal state")) return
    state => wrap%state
  end subroutine

  ! Make what went wrong on any PET known to all of them; then whether anything did.
  logical function any_failed(state, status, doing, rc)
    type(cap_state), intent(in) :: state
    type(tradewind_status), intent(inout) :: status
    character(*), intent(in) :: doing
    integer, intent(inout) :: rc
    integer :: code
    if (state%session /= 0) then
      code = session_agree(state%session, status)
      if (code == 0) status%code = 0
    end if
    any_failed = call_failed(status, doing, rc)
  end function

  subroutine state_of(gcomp, field, where, rc)
    type(ESMF_GridComp) :: gcomp
    type(cap_field), intent(in) :: field
    type(ESMF_State), intent(out) :: where
    integer, intent(out) :: rc
    if (field%imported) call NUOPC_ModelGet(gcomp, importState=where, rc=rc)
    if (.not. field%imported) call NUOPC_ModelGet(gcomp, exportState=where, rc=rc)
    if (esmf_failed(rc, "state of "//field%name)) return
  end subroutine
end module
