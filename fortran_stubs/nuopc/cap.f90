! A component of a run config as a NUOPC model component. ESMX loads it by its path, other applications link it.
!
! Errors come back as ESMF return codes, the same on all PETs, with what there is to tell in the ESMF log.
module tradewind_nuopc
  use ESMF
  use NUOPC, only: NUOPC_CompDerive, NUOPC_CompSpecialize
  use NUOPC_Model, only: model_services => SetServices, model_vm => SetVM, label_Advertise, label_RealizeProvided, &
    label_AcceptTransfer, label_RealizeAccepted, label_DataInitialize, label_SetRunClock, &
    label_CheckImport, label_Advance, label_Finalize
  use tradewind_nuopc_advertising, only: advertise_fields
  use tradewind_nuopc_errors, only: esmf_failed
  use tradewind_nuopc_realising, only: realise_own, balance_meshes, realise_accepted
  use tradewind_nuopc_state, only: cap_wrap
  use tradewind_nuopc_stepping, only: settle, set_run_clock, check_imports, advance, finish
  implicit none
  private
  public :: SetServices, SetVM

contains

  subroutine SetVM(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    call model_vm(gcomp, rc)
  end subroutine

  subroutine SetServices(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_wrap) :: wrap
    call NUOPC_CompDerive(gcomp, model_services, rc=rc)
    if (esmf_failed(rc, "deriving from NUOPC_Model")) return
    allocate (wrap%state)
    call ESMF_GridCompSetInternalState(gcomp, wrap, rc)
    if (esmf_failed(rc, "internal state")) return
    call specialise(gcomp, label_Advertise, advertise_fields, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_RealizeProvided, realise_own, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_AcceptTransfer, balance_meshes, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_RealizeAccepted, realise_accepted, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_DataInitialize, settle, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_SetRunClock, set_run_clock, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_Advance, advance, rc)
    ! the generic check of imports is taken off: it allows for the beginning of the interval only
    if (rc == ESMF_SUCCESS) call ESMF_MethodRemove(gcomp, label_CheckImport, rc=rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_CheckImport, check_imports, rc)
    if (rc == ESMF_SUCCESS) call specialise(gcomp, label_Finalize, finish, rc)
  end subroutine

  subroutine specialise(gcomp, label, routine, rc)
    type(ESMF_GridComp) :: gcomp
    character(*), intent(in) :: label
    interface
      subroutine routine(gcomp, rc)
        import :: ESMF_GridComp
        type(ESMF_GridComp) :: gcomp
        integer, intent(out) :: rc
      end subroutine
    end interface
    integer, intent(out) :: rc
    call NUOPC_CompSpecialize(gcomp, specLabel=label, specRoutine=routine, rc=rc)
    if (esmf_failed(rc, "specialising "//label)) return
  end subroutine
end module

! By these names ESMX finds the component in a shared library.
subroutine SetServices(gcomp, rc)
  use ESMF, only: ESMF_GridComp
  use tradewind_nuopc, only: services => SetServices
  implicit none
  type(ESMF_GridComp) :: gcomp
  integer, intent(out) :: rc
  call services(gcomp, rc)
end subroutine

subroutine SetVM(gcomp, rc)
  use ESMF, only: ESMF_GridComp
  use tradewind_nuopc, only: set => SetVM
  implicit none
  type(ESMF_GridComp) :: gcomp
  integer, intent(out) :: rc
  call set(gcomp, rc)
end subroutine
