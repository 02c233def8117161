! What the component attributes say: which run config, which of its components, and how its fields are coupled.
module tradewind_nuopc_options
  use ESMF
  use NUOPC, only: NUOPC_CompAttributeGet
  use tradewind_nuopc_calls, only: code_config
  use tradewind_nuopc_errors, only: esmf_failed, refuse
  implicit none
  private
  public :: read_options, value_of, is_network

  integer, parameter :: longest = 4096
  character(*), parameter :: prefix = "tradewind_"
  character(10), parameter :: known(11) = [character(10) :: "config", "component", "engine", "fields", "defaults", &
    "geometry", "convert", "step", "restore", "checkpoint", "report"]

  ! One "key=value" of a list.
  type, public :: cap_pair
    character(:), allocatable :: key, value
  end type

  type, public :: cap_options
    character(:), allocatable :: config, component, engine, geometry, restore, checkpoint, report
    type(cap_pair), allocatable :: fields(:)   ! name of a field = standard name[: units]
    type(cap_pair), allocatable :: defaults(:) ! name of a field = number
    logical :: convert = .false.
    real(ESMF_KIND_R8) :: step = 0 ! seconds of one call; 0: the coupling interval
  end type

contains

  subroutine read_options(gcomp, name, options, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: name
    type(cap_options), intent(out) :: options
    integer, intent(out) :: rc
    rc = ESMF_SUCCESS
    call check_names(gcomp, name, rc)
    if (rc /= ESMF_SUCCESS) return
    call attribute(gcomp, "config", options%config, rc)
    call attribute(gcomp, "component", options%component, rc)
    call attribute(gcomp, "engine", options%engine, rc)
    call attribute(gcomp, "geometry", options%geometry, rc)
    call attribute(gcomp, "restore", options%restore, rc)
    call attribute(gcomp, "checkpoint", options%checkpoint, rc)
    call attribute(gcomp, "report", options%report, rc)
    if (rc /= ESMF_SUCCESS) return
    call list(gcomp, name, "fields", options%fields, rc)
    if (rc /= ESMF_SUCCESS) return
    call list(gcomp, name, "defaults", options%defaults, rc)
    if (rc /= ESMF_SUCCESS) return
    call plain(gcomp, name, options, rc)
    if (rc == ESMF_SUCCESS) call check(name, options, rc)
  end subroutine

  ! Attributes of ours are all known: one that is misspelled would else be overlooked.
  subroutine check_names(gcomp, name, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: name
    integer, intent(out) :: rc
    type(ESMF_Info) :: info
    character(ESMF_MAXSTR) :: key
    integer :: i, n
    call ESMF_InfoGetFromHost(gcomp, info, rc=rc)
    if (esmf_failed(rc, "attributes")) return
    call ESMF_InfoGet(info, key="/NUOPC/Instance", size=n, rc=rc)
    if (esmf_failed(rc, "number of attributes")) return
    do i = 1, n
      call ESMF_InfoGet(info, key="/NUOPC/Instance", idx=i, ikey=key, rc=rc)
      if (esmf_failed(rc, "name of an attribute")) return
      if (index(key, prefix) /= 1) cycle
      if (any(known == key(len(prefix) + 1:))) cycle
      call refuse(code_config, name, "there is no attribute "//trim(key)//"; known are "//prefix//joined(known), rc)
      return
    end do
  end subroutine

  ! The value of an attribute; empty where it is absent.
  subroutine attribute(gcomp, key, value, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: key
    character(:), allocatable, intent(out) :: value
    integer, intent(inout) :: rc
    character(longest) :: text
    logical :: there, given
    integer :: local
    value = ""
    call NUOPC_CompAttributeGet(gcomp, name=prefix//key, value=text, isPresent=there, isSet=given, rc=local)
    if (esmf_failed(local, "attribute "//key)) rc = local
    if (local == ESMF_SUCCESS .and. there .and. given) value = trim(adjustl(text))
  end subroutine

  ! A list "key=value, key=value".
  subroutine list(gcomp, name, key, pairs, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: name, key
    type(cap_pair), allocatable, intent(out) :: pairs(:)
    integer, intent(inout) :: rc
    character(:), allocatable :: rest, item
    integer :: comma, equal
    allocate (pairs(0))
    call attribute(gcomp, key, rest, rc)
    do while (rest /= "" .and. rc == ESMF_SUCCESS)
      comma = index(rest//",", ",")
      item = trim(adjustl(rest(:comma - 1)))
      rest = rest(min(comma + 1, len(rest) + 1):)
      if (item == "") cycle
      equal = index(item, "=")
      if (equal < 2 .or. equal == len(item)) then
        call refuse(code_config, name, "attribute "//prefix//key//": '"//item//"' is not name=value", rc)
        return
      end if
      pairs = [pairs, cap_pair(trim(item(:equal - 1)), trim(adjustl(item(equal + 1:))))]
    end do
  end subroutine

  ! Those that are no texts.
  subroutine plain(gcomp, name, options, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: name
    type(cap_options), intent(inout) :: options
    integer, intent(inout) :: rc
    character(:), allocatable :: text
    integer :: bad
    call attribute(gcomp, "convert", text, rc)
    select case (text)
    case ("", "F", "f", "false", "FALSE", "False", ".false."); options%convert = .false.
    case ("T", "t", "true", "TRUE", "True", ".true."); options%convert = .true.
    case default
      call refuse(code_config, name, "attribute "//prefix//"convert is true or false, not "//text, rc)
    end select
    call attribute(gcomp, "step", text, rc)
    if (text == "") return
    read (text, *, iostat=bad) options%step
    if (bad == 0 .and. options%step > 0) return
    call refuse(code_config, name, "attribute "//prefix//"step is a number of seconds, not "//text, rc)
  end subroutine

  subroutine check(name, options, rc)
    character(*), intent(in) :: name
    type(cap_options), intent(inout) :: options
    integer, intent(out) :: rc
    rc = ESMF_SUCCESS
    if (options%config == "") then
      call refuse(code_config, name, "attribute "//prefix//"config is missing: the path of a run config", rc)
    else if (options%component == "" .and. .not. is_network(options%config)) then
      call refuse(code_config, name, "attribute "//prefix//"component is missing: a name from the run config", rc)
    else if (.not. any(options%geometry == [character(6) :: "", "own", "offer", "accept"])) then
      call refuse(code_config, name, "attribute "//prefix//"geometry is own, offer or accept, not "// &
        options%geometry, rc)
    end if
    if (options%component == "") options%component = "network"
  end subroutine

  pure logical function is_network(path)
    character(*), intent(in) :: path
    is_network = ends(path, ".safetensors") .or. ends(path, ".pt2")
  end function

  pure logical function ends(text, ending)
    character(*), intent(in) :: text, ending
    ends = len(text) >= len(ending)
    if (ends) ends = text(len(text) - len(ending) + 1:) == ending
  end function

  ! The value of a key; empty where it is absent.
  pure function value_of(pairs, key) result(value)
    type(cap_pair), intent(in) :: pairs(:)
    character(*), intent(in) :: key
    character(:), allocatable :: value
    integer :: i
    value = ""
    do i = 1, size(pairs)
      if (pairs(i)%key == key) value = pairs(i)%value
    end do
  end function

  pure function joined(words) result(text)
    character(*), intent(in) :: words(:)
    character(:), allocatable :: text
    integer :: i
    text = trim(words(1))
    do i = 2, size(words)
      text = text//", "//prefix//trim(words(i))
    end do
  end function
end module
