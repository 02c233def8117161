! The grid that a field of the component has in the run config, as a geometry of ESMF, decomposed over the PETs.
!
! Rows and columns become an ESMF_Grid, polygons an ESMF_Mesh, places without corners an ESMF_LocStream. What they
! are made of is got by reserved names: "temperature@lon" and so on (tradewind/hosting/geometry.py).
module tradewind_nuopc_own_geometry
  use, intrinsic :: iso_c_binding, only: c_int32_t, c_int64_t, c_loc
  use ESMF
  use tradewind_nuopc_calls
  implicit none
  private
  public :: survey, make_geometry, field_on

  integer, parameter, public :: no_grid = 0, rows_and_columns = 1, polygons = 2, points = 3
  integer(c_int64_t), parameter :: rectangle_limit = huge(0)

  ! What a grid is.
  type, public :: cap_survey
    integer(c_int64_t) :: kind = no_grid, cells = 0, nx = 0, ny = 0, periodic = 0
    integer(c_int64_t) :: nodes = 0, elements = 0, connections = 0, fingerprint = 0, masked = 0
  end type

  ! One of the three.
  type, public :: cap_geometry
    integer(c_int64_t) :: fingerprint = 0, kind = no_grid
    type(ESMF_Grid) :: grid
    type(ESMF_Mesh) :: mesh
    type(ESMF_LocStream) :: places
  end type

contains

  ! Ask what grid a field has; its units are checked by the way.
  subroutine survey(component, field, how, found, status)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(tradewind_how), intent(in) :: how
    type(cap_survey), intent(out) :: found
    type(tradewind_status), intent(inout) :: status
    integer(c_int64_t), target :: told(10)
    type(tradewind_array) :: array
    told = 0
    array%data = c_loc(told)
    array%kind = kind_int64
    call extent_of(array, [size(told)], 8)
    if (component_get(component, trim(field)//"@grid", array, how, status) /= 0) return
    found = cap_survey(told(1), told(2), told(3), told(4), told(5), told(6), told(7), told(8), told(9), told(10))
  end subroutine

  subroutine make_geometry(component, field, found, geometry, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(cap_survey), intent(in) :: found
    type(cap_geometry), intent(out) :: geometry
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    rc = ESMF_RC_NOT_IMPL
    geometry%kind = found%kind
    geometry%fingerprint = found%fingerprint
    if (found%cells > rectangle_limit) return
    select case (found%kind)
    case (rows_and_columns); call make_grid(component, field, found, geometry%grid, status, rc)
    case (polygons); call make_mesh(component, field, found, geometry%mesh, status, rc)
    case (points); call make_places(component, field, found, geometry%places, status, rc)
    end select
  end subroutine

  ! An empty field on a geometry, with dimensions after those of cells.
  function field_on(geometry, name, typekind, extra, rc) result(field)
    type(cap_geometry), intent(in) :: geometry
    character(*), intent(in) :: name
    type(ESMF_TypeKind_Flag), intent(in) :: typekind
    integer, intent(in) :: extra(:)
    integer, intent(out) :: rc
    type(ESMF_Field) :: field
    integer, allocatable :: low(:), high(:) ! absent arguments, where there are no further dimensions
    if (size(extra) > 0) then
      allocate (high, source=extra)
      allocate (low, source=spread(1, 1, size(extra)))
    end if
    rc = ESMF_RC_NOT_IMPL
    select case (geometry%kind)
    case (rows_and_columns)
      field = ESMF_FieldCreate(geometry%grid, typekind, name=name, ungriddedLBound=low, ungriddedUBound=high, rc=rc)
    case (polygons)
      field = ESMF_FieldCreate(geometry%mesh, typekind, name=name, meshloc=ESMF_MESHLOC_ELEMENT, &
        ungriddedLBound=low, ungriddedUBound=high, rc=rc)
    case (points)
      field = ESMF_FieldCreate(geometry%places, typekind, name=name, ungriddedLBound=low, ungriddedUBound=high, rc=rc)
    end select
  end function

  subroutine make_grid(component, field, found, grid, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(cap_survey), intent(in) :: found
    type(ESMF_Grid), intent(out) :: grid
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    integer :: nx, ny, columns
    nx = int(found%nx)
    ny = int(found%ny)
    if (found%periodic /= 0) then
      grid = ESMF_GridCreate1PeriDim(maxIndex=[nx, ny], regDecomp=decomposition(nx, ny), &
        coordSys=ESMF_COORDSYS_SPH_DEG, indexflag=ESMF_INDEX_GLOBAL, name=field//"_grid", rc=rc)
    else
      grid = ESMF_GridCreateNoPeriDim(maxIndex=[nx, ny], regDecomp=decomposition(nx, ny), &
        coordSys=ESMF_COORDSYS_SPH_DEG, indexflag=ESMF_INDEX_GLOBAL, name=field//"_grid", rc=rc)
    end if
    if (rc /= ESMF_SUCCESS) return
    call fill(component, field//"@lon", grid, 1, ESMF_STAGGERLOC_CENTER, nx, ny, status, rc)
    if (rc == ESMF_SUCCESS) call fill(component, field//"@lat", grid, 2, ESMF_STAGGERLOC_CENTER, nx, ny, status, rc)
    if (rc == ESMF_SUCCESS .and. found%masked /= 0) call fill_mask(component, field, grid, nx, ny, status, rc)
    if (rc /= ESMF_SUCCESS .or. found%nodes == 0) return
    columns = int(found%nodes) / (ny + 1)
    call fill(component, field//"@node_lon", grid, 1, ESMF_STAGGERLOC_CORNER, columns, ny + 1, status, rc)
    if (rc /= ESMF_SUCCESS) return
    call fill(component, field//"@node_lat", grid, 2, ESMF_STAGGERLOC_CORNER, columns, ny + 1, status, rc)
  end subroutine

  ! Cut the longer side, so that PETs have whole rows, or whole columns.
  function decomposition(nx, ny) result(parts)
    integer, intent(in) :: nx, ny
    integer :: parts(2), pets, rc
    type(ESMF_VM) :: vm
    pets = 1
    call ESMF_VMGetCurrent(vm, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_VMGet(vm, petCount=pets, rc=rc)
    parts = [1, min(pets, ny)]
    if (nx > ny) parts = [min(pets, nx), 1]
  end function

  ! Coordinates of this PET's part.
  subroutine fill(component, what, grid, dimension, stagger, nx, ny, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: what
    type(ESMF_Grid), intent(inout) :: grid
    integer, intent(in) :: dimension, nx, ny
    type(ESMF_StaggerLoc), intent(in) :: stagger
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    real(ESMF_KIND_R8), allocatable :: whole(:, :)
    real(ESMF_KIND_R8), pointer :: part(:, :)
    integer :: parts
    whole = reshape(numbers(component, what, nx * ny, status), [nx, ny])
    rc = ESMF_SUCCESS
    if (dimension == 1) call ESMF_GridAddCoord(grid, staggerloc=stagger, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    call ESMF_GridGet(grid, localDECount=parts, rc=rc)
    if (rc /= ESMF_SUCCESS .or. parts == 0) return
    call ESMF_GridGetCoord(grid, coordDim=dimension, localDE=0, staggerloc=stagger, farrayPtr=part, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    part = whole(lbound(part, 1):ubound(part, 1), lbound(part, 2):ubound(part, 2))
  end subroutine

  subroutine fill_mask(component, field, grid, nx, ny, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(ESMF_Grid), intent(inout) :: grid
    integer, intent(in) :: nx, ny
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    integer(c_int32_t), allocatable :: whole(:, :)
    integer(ESMF_KIND_I4), pointer :: part(:, :)
    integer :: parts
    whole = reshape(int(integers(component, field//"@mask", nx * ny, status), c_int32_t), [nx, ny])
    call ESMF_GridAddItem(grid, itemflag=ESMF_GRIDITEM_MASK, staggerloc=ESMF_STAGGERLOC_CENTER, &
      itemTypeKind=ESMF_TYPEKIND_I4, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    call ESMF_GridGet(grid, localDECount=parts, rc=rc)
    if (rc /= ESMF_SUCCESS .or. parts == 0) return
    call ESMF_GridGetItem(grid, itemflag=ESMF_GRIDITEM_MASK, localDE=0, staggerloc=ESMF_STAGGERLOC_CENTER, &
      farrayPtr=part, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    part = whole(lbound(part, 1):ubound(part, 1), lbound(part, 2):ubound(part, 2))
  end subroutine

  ! This PET's share of the polygons; neighbouring polygons have nodes in common, also across PETs.
  subroutine make_mesh(component, field, found, mesh, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(cap_survey), intent(in) :: found
    type(ESMF_Mesh), intent(out) :: mesh
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    integer :: nodes, elements
    real(ESMF_KIND_R8), allocatable :: corners(:), centres(:)
    nodes = int(found%nodes)
    elements = int(found%elements)
    corners = pairs(numbers(component, field//"@node_lon", nodes, status), &
      numbers(component, field//"@node_lat", nodes, status))
    centres = pairs(numbers(component, field//"@element_lon", elements, status), &
      numbers(component, field//"@element_lat", elements, status))
    mesh = ESMF_MeshCreate(parametricDim=2, spatialDim=2, coordSys=ESMF_COORDSYS_SPH_DEG, name=field//"_mesh", &
      nodeIds=integers(component, field//"@nodes", nodes, status), nodeCoords=corners, &
      nodeOwners=integers(component, field//"@owners", nodes, status), &
      elementIds=integers(component, field//"@elements", elements, status), &
      elementTypes=integers(component, field//"@corners", elements, status), &
      elementConn=integers(component, field//"@connections", int(found%connections), status), &
      elementMask=integers(component, field//"@element_mask", elements, status), elementCoords=centres, rc=rc)
  end subroutine

  subroutine make_places(component, field, found, places, status, rc)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: field
    type(cap_survey), intent(in) :: found
    type(ESMF_LocStream), intent(out) :: places
    type(tradewind_status), intent(inout) :: status
    integer, intent(out) :: rc
    integer :: n
    real(ESMF_KIND_R8), allocatable :: lon(:), lat(:)
    n = int(found%elements)
    lon = numbers(component, field//"@element_lon", n, status)
    lat = numbers(component, field//"@element_lat", n, status)
    places = ESMF_LocStreamCreate(localCount=n, indexflag=ESMF_INDEX_GLOBAL, coordSys=ESMF_COORDSYS_SPH_DEG, &
      name=field//"_places", rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_LocStreamAddKey(places, keyName="ESMF:Lon", farray=lon, &
      datacopyflag=ESMF_DATACOPY_VALUE, keyUnits="Degrees", keyLongName="Longitude", rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_LocStreamAddKey(places, keyName="ESMF:Lat", farray=lat, &
      datacopyflag=ESMF_DATACOPY_VALUE, keyUnits="Degrees", keyLongName="Latitude", rc=rc)
  end subroutine

  ! Real numbers by a reserved name.
  function numbers(component, what, n, status) result(values)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: what
    integer, intent(in) :: n
    type(tradewind_status), intent(inout) :: status
    real(ESMF_KIND_R8), allocatable, target :: values(:)
    type(tradewind_array) :: array
    integer :: code
    allocate (values(n), source=0.0_ESMF_KIND_R8)
    if (n == 0 .or. status%code /= 0) return
    array%data = c_loc(values)
    array%kind = kind_real64
    call extent_of(array, [n], 8)
    code = component_get(component, what, array, tradewind_how(), status)
    if (code /= 0) values = 0
  end function

  ! Whole numbers by a reserved name.
  function integers(component, what, n, status) result(values)
    integer(c_int64_t), intent(in) :: component
    character(*), intent(in) :: what
    integer, intent(in) :: n
    type(tradewind_status), intent(inout) :: status
    integer(c_int32_t), allocatable, target :: values(:)
    type(tradewind_array) :: array
    integer :: code
    allocate (values(n), source=0_c_int32_t)
    if (n == 0 .or. status%code /= 0) return
    array%data = c_loc(values)
    array%kind = kind_int32
    call extent_of(array, [n], 4)
    code = component_get(component, what, array, tradewind_how(), status)
    if (code /= 0) values = 0
  end function

  pure function pairs(x, y) result(both)
    real(ESMF_KIND_R8), intent(in) :: x(:), y(:)
    real(ESMF_KIND_R8) :: both(2 * size(x))
    both(1::2) = x
    both(2::2) = y
  end function

end module
