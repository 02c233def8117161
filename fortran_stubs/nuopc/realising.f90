! Geometries: the component's own, or those that are transferred, and the fields that are realised on them.
module tradewind_nuopc_realising
  use ESMF
  use NUOPC
  use tradewind_nuopc_addresses, only: typekind_of
  use tradewind_nuopc_calls
  use tradewind_nuopc_errors
  use tradewind_nuopc_fields
  use tradewind_nuopc_own_geometry
  use tradewind_nuopc_state
  implicit none
  private
  public :: realise_own, balance_meshes, realise_accepted

contains

  ! Fields that nothing is connected to go; those that we bring a geometry for are realised on it.
  subroutine realise_own(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(cap_geometry), allocatable :: geometries(:)
    type(ESMF_State) :: where
    logical :: accepted
    integer :: i
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    allocate (geometries(0))
    do i = 1, size(state%fields)
      associate (field => state%fields(i))
        call state_of(gcomp, field, where, rc)
        if (rc == ESMF_SUCCESS) call find_connection(where, field, accepted, rc)
        if (rc /= ESMF_SUCCESS) return
        if (.not. field%coupled) call remove(where, field, state%name, rc)
        if (field%coupled .and. .not. accepted) call realise(where, state, field, geometries, rc)
        if (rc /= ESMF_SUCCESS) return
      end associate
    end do
  end subroutine

  ! Whether a field is connected, and then whether its geometry comes from the other side.
  subroutine find_connection(where, field, accepted, rc)
    type(ESMF_State), intent(in) :: where
    type(cap_field), intent(inout) :: field
    logical, intent(out) :: accepted
    integer, intent(out) :: rc
    type(ESMF_Field) :: advertised
    character(ESMF_MAXSTR) :: action
    accepted = .false.
    field%coupled = NUOPC_IsConnected(where, fieldName=field%name, rc=rc)
    if (esmf_failed(rc, "connection of "//field%name) .or. .not. field%coupled) return
    call ESMF_StateGet(where, itemName=field%name, field=advertised, rc=rc)
    if (esmf_failed(rc, "field "//field%name)) return
    call NUOPC_GetAttribute(advertised, name=trim(merge("Consumer", "Producer", field%imported))//"TransferAction", &
      value=action, rc=rc)
    if (esmf_failed(rc, "geometry of "//field%name)) return
    accepted = action == "accept"
  end subroutine

  subroutine remove(where, field, name, rc)
    type(ESMF_State), intent(inout) :: where
    type(cap_field), intent(in) :: field
    character(*), intent(in) :: name
    integer, intent(out) :: rc
    if (field%role == role_import .and. field%default == "") then
      call refuse(code_field, name, "import "//field%name//" ("//field%standard//") is connected to nothing: let a "// &
        "component of the run sequence export it, or give it a number in attribute tradewind_defaults", rc)
      return
    end if
    call ESMF_StateRemove(where, [field%name], rc=rc)
    if (esmf_failed(rc, "removing "//field%name)) return
  end subroutine

  subroutine realise(where, state, field, geometries, rc)
    type(ESMF_State), intent(inout) :: where
    type(cap_state), intent(in) :: state
    type(cap_field), intent(inout) :: field
    type(cap_geometry), allocatable, intent(inout) :: geometries(:)
    integer, intent(out) :: rc
    type(cap_geometry) :: geometry
    type(tradewind_status) :: status
    integer :: i
    do i = 1, size(geometries)
      if (geometries(i)%fingerprint == field%grid%fingerprint) exit
    end do
    if (i > size(geometries)) then
      call make_geometry(state%component, field%name, field%grid, geometry, status, rc)
      if (any_failed(state, status, "making the grid of "//field%name, rc)) return
      if (esmf_failed(rc, "making the grid of "//field%name)) return
      geometries = [geometries, geometry]
    end if
    field%field = field_on(geometries(i), field%name, typekind_of(field%kind), field%extra, rc)
    if (esmf_failed(rc, "making field "//field%name)) return
    call NUOPC_Realize(where, field=field%field, rc=rc)
    if (esmf_failed(rc, "realising "//field%name)) return
  end subroutine

  ! A mesh has one part on each PET. One that comes from a component on another number of PETs is cut anew.
  subroutine balance_meshes(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_State) :: where
    integer :: i
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    do i = 1, size(state%fields)
      if (.not. state%fields(i)%coupled) cycle
      call state_of(gcomp, state%fields(i), where, rc)
      if (rc == ESMF_SUCCESS) call balance_mesh(gcomp, where, state%fields(i), rc)
      if (rc /= ESMF_SUCCESS) return
    end do
  end subroutine

  subroutine balance_mesh(gcomp, where, field, rc)
    type(ESMF_GridComp) :: gcomp
    type(ESMF_State), intent(in) :: where
    type(cap_field), intent(in) :: field
    integer, intent(out) :: rc
    type(ESMF_Field) :: accepted
    type(ESMF_FieldStatus_Flag) :: stage
    type(ESMF_GeomType_Flag) :: geometry
    type(ESMF_Mesh) :: mesh
    type(ESMF_MeshLoc) :: place
    type(ESMF_DistGrid) :: elements, nodes
    type(ESMF_DELayout) :: layout
    integer :: pets, parts
    call ESMF_StateGet(where, itemName=field%name, field=accepted, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_FieldGet(accepted, status=stage, rc=rc)
    if (esmf_failed(rc, "transferred "//field%name) .or. stage /= ESMF_FIELDSTATUS_GRIDSET) return
    call ESMF_FieldGet(accepted, geomtype=geometry, rc=rc)
    if (esmf_failed(rc, "geometry of "//field%name) .or. geometry /= ESMF_GEOMTYPE_MESH) return
    call ESMF_FieldGet(accepted, mesh=mesh, meshloc=place, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_MeshGet(mesh, elementDistgrid=elements, nodalDistgrid=nodes, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_DistGridGet(elements, delayout=layout, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_DELayoutGet(layout, deCount=parts, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_GridCompGet(gcomp, petCount=pets, rc=rc)
    if (esmf_failed(rc, "mesh of "//field%name) .or. parts == pets) return
    elements = ESMF_DistGridCreate(elements, balanceFlag=.true., rc=rc)
    if (rc == ESMF_SUCCESS) nodes = ESMF_DistGridCreate(nodes, balanceFlag=.true., rc=rc)
    if (rc == ESMF_SUCCESS) mesh = ESMF_MeshCreate(elements, nodalDistgrid=nodes, rc=rc)
    if (rc == ESMF_SUCCESS) call ESMF_FieldEmptySet(accepted, mesh=mesh, meshloc=place, rc=rc)
    if (esmf_failed(rc, "cutting the mesh of "//field%name)) return
  end subroutine

  subroutine realise_accepted(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(cap_state), pointer :: state
    type(ESMF_State) :: where
    type(ESMF_Field) :: found
    type(ESMF_FieldStatus_Flag) :: stage
    integer :: i
    call find_state(gcomp, state, rc)
    if (rc /= ESMF_SUCCESS) return
    do i = 1, size(state%fields)
      if (.not. state%fields(i)%coupled) cycle
      call state_of(gcomp, state%fields(i), where, rc)
      if (rc == ESMF_SUCCESS) call ESMF_StateGet(where, itemName=state%fields(i)%name, field=found, rc=rc)
      if (rc == ESMF_SUCCESS) call ESMF_FieldGet(found, status=stage, rc=rc)
      if (esmf_failed(rc, "field "//state%fields(i)%name)) return
      if (stage /= ESMF_FIELDSTATUS_COMPLETE) call accept(where, state%fields(i), rc)
      if (rc /= ESMF_SUCCESS) return
    end do
  end subroutine

  subroutine accept(where, field, rc)
    type(ESMF_State), intent(inout) :: where
    type(cap_field), intent(inout) :: field
    integer, intent(out) :: rc
    integer, allocatable :: low(:), high(:) ! absent arguments, where there are no further dimensions
    if (size(field%extra) > 0) then
      allocate (high, source=field%extra)
      allocate (low, source=spread(1, 1, size(field%extra)))
    end if
    call NUOPC_Realize(where, fieldName=field%name, typekind=typekind_of(field%kind), ungriddedLBound=low, &
      ungriddedUBound=high, field=field%field, rc=rc)
    if (esmf_failed(rc, "realising "//field%name//" on the transferred geometry")) return
  end subroutine
end module
