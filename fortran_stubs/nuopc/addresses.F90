! The memory of ESMF fields of any kind and rank, as one address. Fields that the cap realises have no halo, so
! that their local parts are contiguous.
module tradewind_nuopc_addresses
  use, intrinsic :: iso_c_binding, only: c_f_pointer, c_loc, c_null_ptr, c_ptr
  use ESMF
  use tradewind_nuopc_calls, only: kind_int32, kind_int64, kind_real32, kind_real64
  implicit none
  private
  public :: address_of, typekind_of, fill

contains

  ! Where the numbers of a field's local part begin, and how many there are; a part without any has no address.
  subroutine address_of(field, kind, de, at, length, rc)
    type(ESMF_Field), intent(in) :: field
    integer, intent(in) :: kind, de
    type(c_ptr), intent(out) :: at
    integer, intent(out) :: length, rc
    integer :: rank
    length = 0
    at = c_null_ptr
    call ESMF_FieldGet(field, rank=rank, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    select case (kind)
    case (kind_real32); call address_r4(field, de, rank, at, length, rc)
    case (kind_real64); call address_r8(field, de, rank, at, length, rc)
    case (kind_int32); call address_i4(field, de, rank, at, length, rc)
    case (kind_int64); call address_i8(field, de, rank, at, length, rc)
    case default; rc = ESMF_RC_NOT_IMPL
    end select
  end subroutine

  ! Give so many numbers one value.
  subroutine fill(at, kind, length, value)
    type(c_ptr), intent(in) :: at
    integer, intent(in) :: kind, length
    real(ESMF_KIND_R8), intent(in) :: value
    real(ESMF_KIND_R4), pointer :: r4(:)
    real(ESMF_KIND_R8), pointer :: r8(:)
    integer(ESMF_KIND_I4), pointer :: i4(:)
    integer(ESMF_KIND_I8), pointer :: i8(:)
    if (length == 0) return
    select case (kind)
    case (kind_real32)
      call c_f_pointer(at, r4, [length])
      r4 = real(value, ESMF_KIND_R4)
    case (kind_real64)
      call c_f_pointer(at, r8, [length])
      r8 = value
    case (kind_int32)
      call c_f_pointer(at, i4, [length])
      i4 = nint(value, ESMF_KIND_I4)
    case (kind_int64)
      call c_f_pointer(at, i8, [length])
      i8 = nint(value, ESMF_KIND_I8)
    end select
  end subroutine

  pure function typekind_of(kind) result(typekind)
    integer, intent(in) :: kind
    type(ESMF_TypeKind_Flag) :: typekind
    select case (kind)
    case (kind_real32); typekind = ESMF_TYPEKIND_R4
    case (kind_int32); typekind = ESMF_TYPEKIND_I4
    case (kind_int64); typekind = ESMF_TYPEKIND_I8
    case default; typekind = ESMF_TYPEKIND_R8
    end select
  end function

#define NAME_ address_r4
#define TYPE_ real(ESMF_KIND_R4)
#include "addresses.inc"
#undef NAME_
#undef TYPE_
#define NAME_ address_r8
#define TYPE_ real(ESMF_KIND_R8)
#include "addresses.inc"
#undef NAME_
#undef TYPE_
#define NAME_ address_i4
#define TYPE_ integer(ESMF_KIND_I4)
#include "addresses.inc"
#undef NAME_
#undef TYPE_
#define NAME_ address_i8
#define TYPE_ integer(ESMF_KIND_I8)
#include "addresses.inc"
end module
