! What went wrong, in the words of ESMF: return codes, and lines in its log. Nothing here ends a program.
module tradewind_nuopc_errors
  use ESMF
  use tradewind_nuopc_calls
  implicit none
  private
  public :: esmf_failed, call_failed, refuse, tell

contains

  ! Whether a call of ESMF has failed; the log then says where, as ESMF's own routines do.
  logical function esmf_failed(rc, where)
    integer, intent(in) :: rc
    character(*), intent(in) :: where
    esmf_failed = ESMF_LogFoundError(rcToCheck=rc, msg="tradewind: "//where)
  end function

  ! Return an error of the cap's own, with a message in the log.
  subroutine refuse(code, component, message, rc)
    integer, intent(in) :: code
    character(*), intent(in) :: component, message
    integer, intent(out) :: rc
    integer :: returned
    returned = esmf_code(code)
    call ESMF_LogSetError(returned, msg="tradewind: "//code_name(code)//": "//trim(component)//": "//message)
    rc = returned
  end subroutine

  ! Fill a status of the cap's own, for all PETs to agree on.
  pure subroutine tell(status, code, component, field, message)
    type(tradewind_status), intent(inout) :: status
    integer, intent(in) :: code
    character(*), intent(in) :: component, field, message
    status%code = code
    call write_text(component, status%component)
    call write_text(field, status%field)
    call write_text(message, status%message)
  end subroutine

  ! Whether a call of tradewind has failed: its status becomes a return code, its message lines of the log.
  logical function call_failed(status, doing, rc)
    type(tradewind_status), intent(in) :: status
    character(*), intent(in) :: doing
    integer, intent(inout) :: rc
    character(12) :: rank
    call_failed = status%code /= 0
    if (.not. call_failed) return
    write (rank, "(i0)") status%rank
    rc = esmf_code(int(status%code))
    call ESMF_LogSetError(rc, msg="tradewind: "//code_name(int(status%code))//" while "//doing//place(status)// &
      " on rank "//trim(rank)//" (status of the first rank that failed):")
    call write_lines(text_of(status%message), ESMF_LOGMSG_ERROR)
    call write_lines(text_of(status%traceback), ESMF_LOGMSG_ERROR)
  end function

  function place(status) result(text)
    type(tradewind_status), intent(in) :: status
    character(:), allocatable :: text
    text = ""
    if (text_of(status%component) /= "") text = ", component "//text_of(status%component)
    if (text_of(status%field) /= "") text = text//", field "//text_of(status%field)
  end function

  subroutine write_lines(text, kind)
    character(*), intent(in) :: text
    type(ESMF_LogMsg_Flag), intent(in) :: kind
    integer :: start, length
    start = 1
    do while (start <= len(text))
      length = index(text(start:), new_line("a")) - 1
      if (length < 0) length = len(text) - start + 1
      call ESMF_LogWrite("tradewind: "//text(start:start + length - 1), kind)
      start = start + length + 1
    end do
  end subroutine

  ! The return code of ESMF that is nearest to a code of tradewind.
  pure integer function esmf_code(code)
    integer, intent(in) :: code
    select case (code)
    case (code_config); esmf_code = ESMF_RC_FILE_UNEXPECTED
    case (code_plugin); esmf_code = ESMF_RC_LIB_NOT_PRESENT
    case (code_field); esmf_code = ESMF_RC_NOT_FOUND
    case (code_shape); esmf_code = ESMF_RC_ARG_SIZE
    case (code_kind); esmf_code = ESMF_RC_ARG_SAMETYPE
    case (code_units); esmf_code = ESMF_RC_ARG_INCOMP
    case (code_grid); esmf_code = ESMF_RC_OBJ_WRONG
    case (code_data); esmf_code = ESMF_RC_VAL_WRONG
    case (code_checkpoint); esmf_code = ESMF_RC_FILE_READ
    case (code_domain); esmf_code = ESMF_RC_VAL_OUTOFRANGE
    case (code_ledger); esmf_code = ESMF_RC_VAL_ERRBOUND
    case (code_order); esmf_code = ESMF_RC_OBJ_NOT_CREATED
    case (code_closed); esmf_code = ESMF_RC_OBJ_DELETED
    case (code_python); esmf_code = ESMF_RC_LIB
    case (code_memory); esmf_code = ESMF_RC_MEM
    case (code_file); esmf_code = ESMF_RC_FILE_WRITE
    case (code_mpi); esmf_code = ESMF_RC_SYS
    case (code_unsupported, code_not_differentiable); esmf_code = ESMF_RC_NOT_IMPL
    case (code_internal); esmf_code = ESMF_RC_INTNRL_BAD
    case default; esmf_code = ESMF_FAILURE
    end select
  end function
end module
