! The cells of a realised field that this PET has: global numbers, places in degrees, mask. Whose geometry it
! is, ours or one that was transferred, makes no difference.
module tradewind_nuopc_cells
  use, intrinsic :: iso_c_binding, only: c_int32_t, c_int64_t
  use ESMF
  implicit none
  private
  public :: cells_of

  integer, parameter, public :: one_mask = 1
  real(ESMF_KIND_R8), parameter :: degrees = 180 / acos(-1.0_ESMF_KIND_R8)

  type, public :: cap_cells
    integer(c_int64_t), allocatable :: index(:)
    real(ESMF_KIND_R8), allocatable :: lon(:), lat(:)
    integer(c_int32_t), allocatable :: mask(:) ! 0 where a cell takes no part
    integer, allocatable :: per_part(:)        ! cells of each of this PET's DEs
    integer :: dimensions = 1                  ! of the field's array that cells take
  end type

contains

  ! Find the cells of a field; rc is that of ESMF, or ESMF_RC_NOT_IMPL for geometries that are not known.
  subroutine cells_of(field, cells, rc)
    type(ESMF_Field), intent(in) :: field
    type(cap_cells), intent(out) :: cells
    integer, intent(out) :: rc
    type(ESMF_GeomType_Flag) :: geometry
    allocate (cells%index(0), cells%lon(0), cells%lat(0), cells%mask(0), cells%per_part(0))
    call ESMF_FieldGet(field, geomtype=geometry, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    if (geometry == ESMF_GEOMTYPE_GRID) then
      call of_grid(field, cells, rc)
    else if (geometry == ESMF_GEOMTYPE_MESH) then
      call of_mesh(field, cells, rc)
    else if (geometry == ESMF_GEOMTYPE_LOCSTREAM) then
      call of_places(field, cells, rc)
    else
      rc = ESMF_RC_NOT_IMPL
    end if
  end subroutine

  subroutine of_grid(field, cells, rc)
    type(ESMF_Field), intent(in) :: field
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    type(ESMF_Grid) :: grid
    type(ESMF_DistGrid) :: distgrid
    type(ESMF_CoordSys_Flag) :: system
    integer :: part, parts, dimensions
    call ESMF_FieldGet(field, grid=grid, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    call ESMF_GridGet(grid, localDECount=parts, dimCount=dimensions, coordSys=system, distgrid=distgrid, rc=rc)
    if (rc == ESMF_SUCCESS .and. dimensions /= 2) rc = ESMF_RC_NOT_IMPL
    cells%dimensions = 2
    do part = 0, parts - 1
      if (rc == ESMF_SUCCESS) call numbers(distgrid, part, cells, rc)
      if (rc == ESMF_SUCCESS) call part_of_grid(grid, part, unit_of(system), cells, rc)
    end do
  end subroutine

  ! Places and mask of one DE of a grid, whose coordinates may be kept per cell, or per row and column.
  subroutine part_of_grid(grid, part, unit, cells, rc)
    type(ESMF_Grid), intent(in) :: grid
    integer, intent(in) :: part
    real(ESMF_KIND_R8), intent(in) :: unit
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    integer :: low(2), high(2), i, j
    logical :: masked
    integer(ESMF_KIND_I4), pointer :: mask(:, :)
    real(ESMF_KIND_R8), allocatable :: place(:, :, :)
    call ESMF_GridGet(grid, localDE=part, staggerloc=ESMF_STAGGERLOC_CENTER, exclusiveLBound=low, &
      exclusiveUBound=high, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    allocate (place(2, low(1):high(1), low(2):high(2)))
    do j = low(2), high(2)
      do i = low(1), high(1)
        call ESMF_GridGetCoord(grid, staggerloc=ESMF_STAGGERLOC_CENTER, localDE=part, index=[i, j], &
          coord=place(:, i, j), rc=rc)
        if (rc /= ESMF_SUCCESS) return
      end do
    end do
    cells%lon = [cells%lon, pack(place(1, :, :), .true.) * unit]
    cells%lat = [cells%lat, pack(place(2, :, :), .true.) * unit]
    call ESMF_GridGetItem(grid, itemflag=ESMF_GRIDITEM_MASK, staggerloc=ESMF_STAGGERLOC_CENTER, isPresent=masked, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    if (masked) then
      call ESMF_GridGetItem(grid, itemflag=ESMF_GRIDITEM_MASK, staggerloc=ESMF_STAGGERLOC_CENTER, localDE=part, &
        farrayPtr=mask, rc=rc)
      if (rc == ESMF_SUCCESS) cells%mask = [cells%mask, pack(mask, .true.)]
    else
      cells%mask = [cells%mask, spread(int(one_mask, c_int32_t), 1, product(max(high - low + 1, 0)))]
    end if
  end subroutine

  subroutine of_mesh(field, cells, rc)
    type(ESMF_Field), intent(in) :: field
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    type(ESMF_Mesh) :: mesh
    type(ESMF_MeshLoc) :: where
    type(ESMF_CoordSys_Flag) :: system
    type(ESMF_DistGrid) :: distgrid
    real(ESMF_KIND_R8), allocatable :: places(:)
    integer :: owned
    call ESMF_FieldGet(field, mesh=mesh, meshloc=where, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    if (where == ESMF_MESHLOC_ELEMENT) then
      call ESMF_MeshGet(mesh, numOwnedElements=owned, elementDistgrid=distgrid, coordSys=system, rc=rc)
      allocate (places(2 * owned))
      if (rc == ESMF_SUCCESS) call ESMF_MeshGet(mesh, ownedElemCoords=places, rc=rc)
    else
      call ESMF_MeshGet(mesh, numOwnedNodes=owned, nodalDistgrid=distgrid, coordSys=system, rc=rc)
      allocate (places(2 * owned))
      if (rc == ESMF_SUCCESS) call ESMF_MeshGet(mesh, ownedNodeCoords=places, rc=rc)
    end if
    if (rc /= ESMF_SUCCESS) return
    call all_numbers(distgrid, cells, rc)
    cells%lon = places(1::2) * unit_of(system)
    cells%lat = places(2::2) * unit_of(system)
    cells%mask = spread(int(one_mask, c_int32_t), 1, owned)
    if (rc == ESMF_SUCCESS .and. where == ESMF_MESHLOC_ELEMENT) call mesh_mask(mesh, cells, rc)
  end subroutine

  ! The mask of a mesh's elements, where it has one and all elements are this PET's own.
  subroutine mesh_mask(mesh, cells, rc)
    type(ESMF_Mesh), intent(in) :: mesh
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    logical :: there
    integer :: count
    integer, allocatable :: mask(:)
    call ESMF_MeshGet(mesh, elementMaskIsPresent=there, elementCount=count, rc=rc)
    if (rc /= ESMF_SUCCESS .or. .not. there) return
    if (count /= size(cells%mask)) return
    allocate (mask(count))
    call ESMF_MeshGet(mesh, elementMask=mask, rc=rc)
    if (rc == ESMF_SUCCESS) cells%mask = int(mask, c_int32_t)
  end subroutine

  subroutine of_places(field, cells, rc)
    type(ESMF_Field), intent(in) :: field
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    type(ESMF_LocStream) :: places
    type(ESMF_DistGrid) :: distgrid
    type(ESMF_CoordSys_Flag) :: system
    real(ESMF_KIND_R8), pointer :: lon(:), lat(:)
    integer :: part, parts
    call ESMF_FieldGet(field, locstream=places, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    call ESMF_LocStreamGet(places, distgrid=distgrid, localDECount=parts, coordSys=system, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    do part = 0, parts - 1
      call numbers(distgrid, part, cells, rc)
      if (rc /= ESMF_SUCCESS) return
      call ESMF_LocStreamGetKey(places, keyName="ESMF:Lon", localDE=part, farray=lon, rc=rc)
      if (rc /= ESMF_SUCCESS) return
      call ESMF_LocStreamGetKey(places, keyName="ESMF:Lat", localDE=part, farray=lat, rc=rc)
      if (rc /= ESMF_SUCCESS) return
      cells%lon = [cells%lon, lon * unit_of(system)]
      cells%lat = [cells%lat, lat * unit_of(system)]
    end do
    cells%mask = spread(int(one_mask, c_int32_t), 1, size(cells%index))
  end subroutine

  subroutine all_numbers(distgrid, cells, rc)
    type(ESMF_DistGrid), intent(in) :: distgrid
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    integer :: part, parts
    call ESMF_DistGridGet(distgrid, localDeCount=parts, rc=rc)
    do part = 0, parts - 1
      if (rc == ESMF_SUCCESS) call numbers(distgrid, part, cells, rc)
    end do
  end subroutine

  ! Append the global numbers of one DE's cells.
  subroutine numbers(distgrid, part, cells, rc)
    type(ESMF_DistGrid), intent(in) :: distgrid
    integer, intent(in) :: part
    type(cap_cells), intent(inout) :: cells
    integer, intent(out) :: rc
    integer :: count
    integer, allocatable :: found(:)
    call ESMF_DistGridGet(distgrid, localDe=part, elementCount=count, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    allocate (found(count))
    call ESMF_DistGridGet(distgrid, localDe=part, seqIndexList=found, rc=rc)
    if (rc /= ESMF_SUCCESS) return
    cells%index = [cells%index, int(found, c_int64_t)]
    cells%per_part = [cells%per_part, count]
  end subroutine

  real(ESMF_KIND_R8) function unit_of(system)
    type(ESMF_CoordSys_Flag), intent(in) :: system
    unit_of = 1
    if (system == ESMF_COORDSYS_SPH_RAD) unit_of = degrees
  end function
end module
