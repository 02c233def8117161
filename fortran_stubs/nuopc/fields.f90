! The fields of the component that are coupled: their names outside, their units, their memory.
module tradewind_nuopc_fields
  use, intrinsic :: iso_c_binding, only: c_char, c_int32_t, c_int64_t, c_loc, c_null_char, c_ptr
  use ESMF
  use NUOPC
  use tradewind_nuopc_calls
  use tradewind_nuopc_errors
  use tradewind_nuopc_options
  use tradewind_nuopc_addresses
  use tradewind_nuopc_own_geometry
  implicit none
  private
  public :: list_fields, find_grids, advertise, how_of, array_of, bytes_of, fill_field

  integer, parameter, public :: puts = 1, gets = 2, binds = 3

  type, public :: cap_field
    character(:), allocatable :: name, standard, units
    integer :: role = 0, kind = kind_real64
    integer, allocatable :: extra(:)       ! extents after that of columns
    logical :: imported = .false.
    logical :: offered = .true.            ! whether it has, or may have, a geometry of ours
    logical :: coupled = .false.           ! whether it is connected
    logical :: bindable = .true.           ! whether its name means one place of the component only
    logical :: bound = .false.             ! whether the component works on the field's own memory
    character(:), allocatable :: default   ! a number, where nothing is connected or nothing was made yet
    type(cap_survey) :: grid
    type(ESMF_Field) :: field
    character(kind=c_char), allocatable :: c_units(:)
  end type

contains

  ! Imports and exports, and those states and parameters that the attributes name.
  subroutine list_fields(component, name, options, fields, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: name
    type(cap_options), intent(in) :: options
    type(cap_field), allocatable, intent(out) :: fields(:)
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    type(tradewind_declared), allocatable :: declared(:)
    integer(c_int32_t) :: count, i
    rc = ESMF_SUCCESS
    allocate (fields(0))
    if (component_count(component, count, status) /= 0) return
    allocate (declared(count))
    do i = 1, count
      if (component_field(component, i, declared(i), status) /= 0) return
      if (is_coupled(declared(i), options, fields)) fields = [fields, made(declared(i), options)]
    end do
    do i = 1, size(fields)
      fields(i)%bindable = bindable(fields(i), declared)
    end do
    call check_known(name, "fields", options%fields, fields, rc)
    if (rc == ESMF_SUCCESS) call check_known(name, "defaults", options%defaults, fields, rc)
  end subroutine

  logical function is_coupled(declared, options, fields)
    type(tradewind_declared), intent(in) :: declared
    type(cap_options), intent(in) :: options
    type(cap_field), intent(in) :: fields(:)
    character(:), allocatable :: name
    name = text_of(declared%name)
    select case (int(declared%role))
    case (role_import, role_export); is_coupled = declared%rank > 0
    case default
      is_coupled = declared%rank > 0 .and. value_of(options%fields, name) /= "" .and. .not. has(fields, name)
    end select
  end function

  ! A name binds an import, a parameter or a state before it binds an export.
  pure logical function bindable(field, declared)
    type(cap_field), intent(in) :: field
    type(tradewind_declared), intent(in) :: declared(:)
    integer :: i, others
    others = 0
    do i = 1, size(declared)
      if (text_of(declared(i)%name) == field%name .and. declared(i)%role /= role_export) others = others + 1
    end do
    bindable = others == merge(1, 0, field%imported) .and. field%role /= role_state
  end function

  pure logical function has(fields, name)
    type(cap_field), intent(in) :: fields(:)
    character(*), intent(in) :: name
    integer :: i
    has = .false.
    do i = 1, size(fields)
      has = has .or. fields(i)%name == name
    end do
  end function

  function made(declared, options) result(field)
    type(tradewind_declared), intent(in) :: declared
    type(cap_options), intent(in) :: options
    type(cap_field) :: field
    character(:), allocatable :: said
    integer :: colon
    field%name = text_of(declared%name)
    said = value_of(options%fields, field%name)
    colon = index(said//":", ":")
    field%standard = trim(said(:colon - 1))
    if (field%standard == "") field%standard = field%name
    field%units = trim(adjustl(said(min(colon + 1, len(said) + 1):)))
    if (field%units == "") field%units = canonical(field%standard)
    if (field%units == "") field%units = text_of(declared%units)
    allocate (field%c_units, source=letters(field%units))
    field%role = declared%role
    field%kind = declared%kind
    allocate (field%extra, source=int(declared%extent(2:declared%rank)))
    field%imported = any(field%role == [role_import, role_parameter])
    field%default = value_of(options%defaults, field%name)
  end function

  ! Units of a standard name in NUOPC's dictionary; empty where it has none.
  function canonical(standard) result(units)
    character(*), intent(in) :: standard
    character(:), allocatable :: units
    character(ESMF_MAXSTR) :: text
    integer :: rc
    units = ""
    if (.not. NUOPC_FieldDictionaryHasEntry(standard, rc=rc)) return
    call NUOPC_FieldDictionaryGetEntry(standard, canonicalUnits=text, rc=rc)
    if (rc == ESMF_SUCCESS) units = trim(text)
  end function

  pure function letters(text) result(c_text)
    character(*), intent(in) :: text
    character(kind=c_char), allocatable :: c_text(:)
    integer :: i
    allocate (c_text(len(text) + 1))
    do i = 1, len(text)
      c_text(i) = text(i:i)
    end do
    c_text(len(text) + 1) = c_null_char
  end function

  subroutine check_known(name, attribute, pairs, fields, rc)
    character(*), intent(in) :: name, attribute
    type(cap_pair), intent(in) :: pairs(:)
    type(cap_field), intent(in) :: fields(:)
    integer, intent(inout) :: rc
    character(:), allocatable :: known
    integer :: i
    known = ""
    do i = 1, size(fields)
      known = known//" "//fields(i)%name
    end do
    do i = 1, size(pairs)
      if (has(fields, pairs(i)%key)) cycle
      call refuse(code_field, name, "attribute tradewind_"//attribute//" names "//pairs(i)%key// &
        ", which the component does not have; it has"//known, rc)
      return
    end do
  end subroutine

  ! Find out the grid of each field, by which its units are checked too.
  subroutine find_grids(component, options, fields, status)
    integer(c_int64_t), intent(in) :: component
    type(cap_options), intent(in) :: options
    type(cap_field), target, intent(inout) :: fields(:)
    type(tradewind_status), intent(inout) :: status
    integer :: i
    do i = 1, size(fields)
      call survey(component, fields(i)%name, how_of(fields(i), options, 0), fields(i)%grid, status)
      if (status%code /= 0) return
    end do
  end subroutine

  ! How arrays of a field are meant: in the units in which it is coupled, from this column on.
  function how_of(field, options, first) result(how)
    type(cap_field), target, intent(in) :: field
    type(cap_options), intent(in) :: options
    integer, intent(in) :: first
    type(tradewind_how) :: how
    how%units = c_loc(field%c_units)
    how%first = first
    how%convert = merge(1, 0, options%convert)
  end function

  subroutine advertise(state, name, field, options, rc)
    type(ESMF_State), intent(inout) :: state
    character(*), intent(in) :: name
    type(cap_field), intent(inout) :: field
    type(cap_options), intent(in) :: options
    integer, intent(out) :: rc
    if (.not. NUOPC_FieldDictionaryHasEntry(field%standard, rc=rc)) then
      call NUOPC_FieldDictionaryAddEntry(field%standard, field%units, rc=rc)
      if (esmf_failed(rc, "entry of the field dictionary: "//field%standard)) return
    end if
    field%offered = options%geometry /= "accept" .and. field%grid%kind /= no_grid
    if (any(options%geometry == [character(5) :: "own", "offer"]) .and. .not. field%offered) then
      call refuse(code_grid, name, "attribute tradewind_geometry is "//options%geometry//", but "//field%name// &
        " has no grid of its own: leave the attribute out, or say accept", rc)
      return
    end if
    call NUOPC_Advertise(state, StandardName=field%standard, Units=field%units, name=field%name, &
      TransferOfferGeomObject=offer(field%offered, options%geometry), rc=rc)
    if (esmf_failed(rc, "advertising "//field%name//" as "//field%standard//" in "//field%units)) return
  end subroutine

  pure function offer(offered, geometry) result(text)
    logical, intent(in) :: offered
    character(*), intent(in) :: geometry
    character(:), allocatable :: text
    text = "cannot provide"
    if (offered) text = "will provide"
    if (offered .and. geometry == "offer") text = "can provide"
  end function

  ! One DE's part of a field: all of its columns, however many dimensions of the array these are.
  subroutine array_of(field, part, columns, array, rc)
    type(cap_field), intent(in) :: field
    integer, intent(in) :: part, columns
    type(tradewind_array), intent(out) :: array
    integer, intent(out) :: rc
    integer :: length
    call address_of(field%field, field%kind, part, array%data, length, rc)
    if (rc == ESMF_SUCCESS .and. length /= columns * product(field%extra)) rc = ESMF_RC_ARG_SIZE
    if (esmf_failed(rc, "memory of "//field%name)) return
    array%kind = field%kind
    call extent_of(array, [columns, field%extra], bytes_of(field%kind))
  end subroutine

  pure integer function bytes_of(kind)
    integer, intent(in) :: kind
    bytes_of = merge(4, 8, any(kind == [kind_real32, kind_int32]))
  end function

  ! Give all numbers of a field one value.
  subroutine fill_field(field, value, rc)
    type(cap_field), intent(in) :: field
    real(ESMF_KIND_R8), intent(in) :: value
    integer, intent(out) :: rc
    integer :: part, parts, length
    type(c_ptr) :: at
    call ESMF_FieldGet(field%field, localDeCount=parts, rc=rc)
    do part = 0, parts - 1
      if (rc == ESMF_SUCCESS) call address_of(field%field, field%kind, part, at, length, rc)
      if (rc == ESMF_SUCCESS) call fill(at, field%kind, length, value)
    end do
    if (esmf_failed(rc, "first values of "//field%name)) return
  end subroutine
end module
