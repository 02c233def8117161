! A small data component for ESMX: it exports rain, and writes down the water that it is told about.
!
! Attributes: nx, ny (cells), geometry (grid, mesh, or accept: that of whoever gives water), output (a path, to which
! the number of the PET is added), rain and units (standard name of what is exported, and its units). Rain is
! 1e-6 (200 + lon + 2 lat) (1 + t / 21600) kg m-2 s-1, t in seconds since the start of the run: a formula without
! functions, so that any language computes the same bits.
module rain_gauge
  use ESMF
  use NUOPC
  use NUOPC_Model, only: model_services => SetServices, model_vm => SetVM, label_Advertise, label_RealizeProvided, &
    label_RealizeAccepted, label_DataInitialize, label_CheckImport, label_Advance, NUOPC_ModelGet
  implicit none
  private
  public :: SetServices, SetVM

  real(ESMF_KIND_R8), parameter :: west = -103.5_ESMF_KIND_R8, south = 31.5_ESMF_KIND_R8

contains

  subroutine SetVM(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    call model_vm(gcomp, rc)
  end subroutine

  subroutine SetServices(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    call NUOPC_CompDerive(gcomp, model_services, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_Advertise, specRoutine=advertise, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_RealizeProvided, specRoutine=realise, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_RealizeAccepted, specRoutine=realise_accepted, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_DataInitialize, specRoutine=begin, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_CheckImport, specRoutine=take_any, rc=rc)
    if (failed(rc)) return
    call NUOPC_CompSpecialize(gcomp, specLabel=label_Advance, specRoutine=advance, rc=rc)
    if (failed(rc)) return
  end subroutine

  logical function failed(rc)
    integer, intent(in) :: rc
    failed = ESMF_LogFoundError(rcToCheck=rc, msg="rain_gauge")
  end function

  ! An attribute, or what stands for it where it is absent.
  function attribute(gcomp, key, absent) result(value)
    type(ESMF_GridComp), intent(in) :: gcomp
    character(*), intent(in) :: key, absent
    character(:), allocatable :: value
    character(256) :: text
    logical :: there
    integer :: rc
    call NUOPC_CompAttributeGet(gcomp, name=key, value=text, isPresent=there, rc=rc)
    value = absent
    if (there) value = trim(adjustl(text))
  end function

  subroutine advertise(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(ESMF_State) :: imports, exports
    character(:), allocatable :: units, offer, rain
    rain = attribute(gcomp, "rain", "precipitation_flux")
    units = attribute(gcomp, "units", "kg m-2 s-1")
    offer = "will provide"
    if (attribute(gcomp, "geometry", "grid") == "accept") offer = "cannot provide"
    call NUOPC_ModelGet(gcomp, importState=imports, exportState=exports, rc=rc)
    if (failed(rc)) return
    if (.not. NUOPC_FieldDictionaryHasEntry(rain)) &
      call NUOPC_FieldDictionaryAddEntry(rain, units, rc=rc)
    if (.not. NUOPC_FieldDictionaryHasEntry("soil_water")) &
      call NUOPC_FieldDictionaryAddEntry("soil_water", "kg m-2", rc=rc)
    call NUOPC_Advertise(exports, StandardName=rain, name="rain", TransferOfferGeomObject=offer, rc=rc)
    if (failed(rc)) return
    call NUOPC_Advertise(imports, StandardName="soil_water", name="water", TransferOfferGeomObject=offer, rc=rc)
    if (failed(rc)) return
  end subroutine

  subroutine realise(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(ESMF_State) :: imports, exports
    type(ESMF_Grid) :: grid
    type(ESMF_Mesh) :: mesh
    type(ESMF_Field) :: rain, water
    rc = ESMF_SUCCESS
    if (attribute(gcomp, "geometry", "grid") == "accept") return
    call make_grid(gcomp, grid, rc)
    if (failed(rc)) return
    if (attribute(gcomp, "geometry", "grid") == "mesh") then
      mesh = ESMF_MeshCreate(grid, rc=rc)
      if (failed(rc)) return
      rain = ESMF_FieldCreate(mesh, ESMF_TYPEKIND_R8, meshloc=ESMF_MESHLOC_ELEMENT, name="rain", rc=rc)
      if (failed(rc)) return
      water = ESMF_FieldCreate(mesh, ESMF_TYPEKIND_R8, meshloc=ESMF_MESHLOC_ELEMENT, name="water", rc=rc)
    else
      rain = ESMF_FieldCreate(grid, ESMF_TYPEKIND_R8, name="rain", rc=rc)
      if (failed(rc)) return
      water = ESMF_FieldCreate(grid, ESMF_TYPEKIND_R8, name="water", rc=rc)
    end if
    if (failed(rc)) return
    call NUOPC_ModelGet(gcomp, importState=imports, exportState=exports, rc=rc)
    if (failed(rc)) return
    call realise_connected(exports, rain, "rain", rc)
    if (.not. failed(rc)) call realise_connected(imports, water, "water", rc)
  end subroutine

  ! A field that nothing is connected to goes.
  subroutine realise_connected(state, field, name, rc)
    type(ESMF_State), intent(inout) :: state
    type(ESMF_Field), intent(in) :: field
    character(*), intent(in) :: name
    integer, intent(out) :: rc
    if (NUOPC_IsConnected(state, fieldName=name)) then
      call NUOPC_Realize(state, field=field, rc=rc)
    else
      call ESMF_StateRemove(state, [name], rc=rc)
    end if
  end subroutine

  ! Cells of one degree.
  subroutine make_grid(gcomp, grid, rc)
    type(ESMF_GridComp), intent(in) :: gcomp
    type(ESMF_Grid), intent(out) :: grid
    integer, intent(out) :: rc
    character(:), allocatable :: text
    integer :: n(2)
    text = attribute(gcomp, "nx", "3")//" "//attribute(gcomp, "ny", "2")
    read (text, *) n
    grid = ESMF_GridCreateNoPeriDim(maxIndex=n, coordSys=ESMF_COORDSYS_SPH_DEG, indexflag=ESMF_INDEX_GLOBAL, rc=rc)
    if (failed(rc)) return
    call set_places(grid, ESMF_STAGGERLOC_CENTER, 0.0_ESMF_KIND_R8, rc)
    if (.not. failed(rc)) call set_places(grid, ESMF_STAGGERLOC_CORNER, 0.5_ESMF_KIND_R8, rc)
  end subroutine

  subroutine set_places(grid, stagger, back, rc)
    type(ESMF_Grid), intent(inout) :: grid
    type(ESMF_StaggerLoc), intent(in) :: stagger
    real(ESMF_KIND_R8), intent(in) :: back
    integer, intent(out) :: rc
    real(ESMF_KIND_R8), pointer :: lon(:, :), lat(:, :)
    integer :: parts, i, j
    call ESMF_GridAddCoord(grid, staggerloc=stagger, rc=rc)
    if (failed(rc)) return
    call ESMF_GridGet(grid, localDECount=parts, rc=rc)
    if (failed(rc) .or. parts == 0) return
    call ESMF_GridGetCoord(grid, 1, staggerloc=stagger, farrayPtr=lon, rc=rc)
    if (failed(rc)) return
    call ESMF_GridGetCoord(grid, 2, staggerloc=stagger, farrayPtr=lat, rc=rc)
    if (failed(rc)) return
    do j = lbound(lon, 2), ubound(lon, 2)
      do i = lbound(lon, 1), ubound(lon, 1)
        lon(i, j) = west + (i - 1) - back
        lat(i, j) = south + (j - 1) - back
      end do
    end do
  end subroutine

  subroutine realise_accepted(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(ESMF_State) :: imports, exports
    rc = ESMF_SUCCESS
    if (attribute(gcomp, "geometry", "grid") /= "accept") return
    call NUOPC_ModelGet(gcomp, importState=imports, exportState=exports, rc=rc)
    if (failed(rc)) return
    call NUOPC_Realize(exports, fieldName="rain", rc=rc)
    if (failed(rc)) return
    call NUOPC_Realize(imports, fieldName="water", rc=rc)
    if (failed(rc)) return
  end subroutine

  ! Whether a state still has a field: those that nothing is connected to are gone.
  logical function has(state, name)
    type(ESMF_State), intent(in) :: state
    character(*), intent(in) :: name
    type(ESMF_StateItem_Flag) :: kind
    integer :: rc
    call ESMF_StateGet(state, itemName=name, itemType=kind, rc=rc)
    has = kind == ESMF_STATEITEM_FIELD
  end function

  subroutine begin(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(ESMF_State) :: exports
    type(ESMF_Field) :: rain
    call let_it_rain(gcomp, 0.0_ESMF_KIND_R8, rc)
    if (failed(rc)) return
    call NUOPC_ModelGet(gcomp, exportState=exports, rc=rc)
    if (failed(rc)) return
    if (has(exports, "rain")) then
      call ESMF_StateGet(exports, itemName="rain", field=rain, rc=rc)
      if (failed(rc)) return
      call NUOPC_SetAttribute(rain, name="Updated", value="true", rc=rc)
      if (failed(rc)) return
    end if
    call NUOPC_CompAttributeSet(gcomp, name="InitializeDataComplete", value="true", rc=rc)
    if (failed(rc)) return
  end subroutine

  ! Water comes with the time of the step that made it.
  subroutine take_any(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    logical :: there
    call ESMF_GridCompGet(gcomp, clockIsPresent=there, rc=rc)
    if (failed(rc)) return
  end subroutine

  subroutine advance(gcomp, rc)
    type(ESMF_GridComp) :: gcomp
    integer, intent(out) :: rc
    type(ESMF_Clock) :: clock
    type(ESMF_TimeInterval) :: since, step
    type(ESMF_Time) :: start, now
    real(ESMF_KIND_R8) :: seconds
    call NUOPC_ModelGet(gcomp, modelClock=clock, rc=rc)
    if (failed(rc)) return
    call ESMF_ClockGet(clock, startTime=start, currTime=now, timeStep=step, rc=rc)
    if (failed(rc)) return
    since = now + step - start
    call ESMF_TimeIntervalGet(since, s_r8=seconds, rc=rc)
    if (failed(rc)) return
    call note_water(gcomp, seconds, rc)
    if (.not. failed(rc)) call let_it_rain(gcomp, seconds, rc)
  end subroutine

  ! Rain at a time, on grids and meshes.
  subroutine let_it_rain(gcomp, seconds, rc)
    type(ESMF_GridComp) :: gcomp
    real(ESMF_KIND_R8), intent(in) :: seconds
    integer, intent(out) :: rc
    type(ESMF_State) :: exports
    type(ESMF_Field) :: rain
    type(ESMF_GeomType_Flag) :: geometry
    integer :: parts
    call NUOPC_ModelGet(gcomp, exportState=exports, rc=rc)
    if (failed(rc)) return
    if (.not. has(exports, "rain")) return
    call ESMF_StateGet(exports, itemName="rain", field=rain, rc=rc)
    if (failed(rc)) return
    call ESMF_FieldGet(rain, geomtype=geometry, localDeCount=parts, rc=rc)
    if (failed(rc) .or. parts == 0) return
    if (geometry == ESMF_GEOMTYPE_GRID) then
      call rain_on_grid(rain, 1 + seconds / 21600, rc)
    else if (geometry == ESMF_GEOMTYPE_LOCSTREAM) then
      call rain_on_places(rain, 1 + seconds / 21600, rc)
    else
      call rain_on_mesh(rain, 1 + seconds / 21600, rc)
    end if
  end subroutine

  subroutine rain_on_grid(rain, factor, rc)
    type(ESMF_Field), intent(in) :: rain
    real(ESMF_KIND_R8), intent(in) :: factor
    integer, intent(out) :: rc
    type(ESMF_Grid) :: grid
    real(ESMF_KIND_R8), pointer :: values(:, :), lon(:, :), lat(:, :)
    call ESMF_FieldGet(rain, grid=grid, rc=rc)
    if (failed(rc)) return
    call ESMF_FieldGet(rain, farrayPtr=values, rc=rc)
    if (failed(rc)) return
    call ESMF_GridGetCoord(grid, 1, farrayPtr=lon, rc=rc)
    if (failed(rc)) return
    call ESMF_GridGetCoord(grid, 2, farrayPtr=lat, rc=rc)
    if (failed(rc)) return
    values = 1.0e-6_ESMF_KIND_R8 * (200 + lon + 2 * lat) * factor
  end subroutine

  subroutine rain_on_mesh(rain, factor, rc)
    type(ESMF_Field), intent(in) :: rain
    real(ESMF_KIND_R8), intent(in) :: factor
    integer, intent(out) :: rc
    type(ESMF_Mesh) :: mesh
    real(ESMF_KIND_R8), pointer :: values(:)
    real(ESMF_KIND_R8), allocatable :: places(:)
    call ESMF_FieldGet(rain, mesh=mesh, rc=rc)
    if (failed(rc)) return
    call ESMF_FieldGet(rain, farrayPtr=values, rc=rc)
    if (failed(rc)) return
    allocate (places(2 * size(values)))
    call ESMF_MeshGet(mesh, ownedElemCoords=places, rc=rc)
    if (failed(rc)) return
    values = 1.0e-6_ESMF_KIND_R8 * (200 + places(1::2) + 2 * places(2::2)) * factor
  end subroutine

  subroutine rain_on_places(rain, factor, rc)
    type(ESMF_Field), intent(in) :: rain
    real(ESMF_KIND_R8), intent(in) :: factor
    integer, intent(out) :: rc
    type(ESMF_LocStream) :: places
    real(ESMF_KIND_R8), pointer :: values(:), lon(:), lat(:)
    call ESMF_FieldGet(rain, locstream=places, rc=rc)
    if (failed(rc)) return
    call ESMF_FieldGet(rain, farrayPtr=values, rc=rc)
    if (failed(rc)) return
    call ESMF_LocStreamGetKey(places, keyName="ESMF:Lon", farray=lon, rc=rc)
    if (failed(rc)) return
    call ESMF_LocStreamGetKey(places, keyName="ESMF:Lat", farray=lat, rc=rc)
    if (failed(rc)) return
    values = 1.0e-6_ESMF_KIND_R8 * (200 + lon + 2 * lat) * factor
  end subroutine

  ! One line a cell: seconds, global number, water.
  subroutine note_water(gcomp, seconds, rc)
    type(ESMF_GridComp) :: gcomp
    real(ESMF_KIND_R8), intent(in) :: seconds
    integer, intent(out) :: rc
    type(ESMF_State) :: imports
    type(ESMF_Field) :: water
    type(ESMF_Array) :: array
    type(ESMF_DistGrid) :: cells
    real(ESMF_KIND_R8), pointer :: flat(:), both(:, :)
    integer, allocatable :: numbers(:)
    integer :: parts, rank, n, pet
    if (attribute(gcomp, "output", "") == "") return
    call NUOPC_ModelGet(gcomp, importState=imports, rc=rc)
    if (failed(rc)) return
    if (.not. has(imports, "water")) return
    call ESMF_StateGet(imports, itemName="water", field=water, rc=rc)
    if (failed(rc)) return
    call ESMF_FieldGet(water, array=array, localDeCount=parts, rank=rank, rc=rc)
    if (failed(rc) .or. parts == 0) return
    call ESMF_ArrayGet(array, distgrid=cells, rc=rc)
    if (failed(rc)) return
    call ESMF_DistGridGet(cells, localDe=0, elementCount=n, rc=rc)
    if (failed(rc)) return
    allocate (numbers(n))
    call ESMF_DistGridGet(cells, localDe=0, seqIndexList=numbers, rc=rc)
    if (failed(rc)) return
    if (rank == 1) call ESMF_FieldGet(water, farrayPtr=flat, rc=rc)
    if (rank == 2) call ESMF_FieldGet(water, farrayPtr=both, rc=rc)
    if (failed(rc)) return
    call ESMF_GridCompGet(gcomp, localPet=pet, rc=rc)
    if (rank == 1) call write_lines(attribute(gcomp, "output", ""), pet, seconds, numbers, flat)
    if (rank == 2) call write_lines(attribute(gcomp, "output", ""), pet, seconds, numbers, reshape(both, [n]))
  end subroutine

  subroutine write_lines(path, pet, seconds, numbers, values)
    character(*), intent(in) :: path
    integer, intent(in) :: pet, numbers(:)
    real(ESMF_KIND_R8), intent(in) :: seconds, values(:)
    character(12) :: ending
    integer :: unit, i
    write (ending, "(i0)") pet
    open (newunit=unit, file=path//"."//trim(ending), position="append", action="write")
    do i = 1, size(values)
      write (unit, "(g0, 1x, i0, 1x, es25.17)") seconds, numbers(i), values(i)
    end do
    close (unit)
  end subroutine
end module

! By these names ESMX finds the component in a shared library.
subroutine SetServices(gcomp, rc)
  use ESMF, only: ESMF_GridComp
  use rain_gauge, only: services => SetServices
  implicit none
  type(ESMF_GridComp) :: gcomp
  integer, intent(out) :: rc
  call services(gcomp, rc)
end subroutine

subroutine SetVM(gcomp, rc)
  use ESMF, only: ESMF_GridComp
  use rain_gauge, only: set => SetVM
  implicit none
  type(ESMF_GridComp) :: gcomp
  integer, intent(out) :: rc
  call set(gcomp, rc)
end subroutine
