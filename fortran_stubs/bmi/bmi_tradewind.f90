!> A Basic Model Interface (BMI 2.0, https://bmi.readthedocs.io) over a session: a template to begin with.
!>
!> What is initialised is a namelist that names the run config and the components whose fields are exchanged:
!>
!>     &tradewind config='run.yaml' components='transport', 'inventory' /
!>
!> Variables are named `component.field`. One update advances the coupled run by a step of its exchanges. Compiled
!> with the module bmif_2_0 of CSDMS' bmi-fortran. Places where a model of your own says more are marked HERE.
module bmi_tradewind
  use, intrinsic :: iso_fortran_env, only: error_unit, real64
  use bmif_2_0, only: bmi, bmi_failure, bmi_max_component_name, bmi_max_var_name, bmi_success
  use tradewind, only: tradewind_component, tradewind_export, tradewind_field, tradewind_int32, tradewind_int64, &
    tradewind_real32, tradewind_real64, tradewind_session, tradewind_state, tradewind_status
  implicit none
  private
  public :: tradewind_bmi

  integer, parameter :: most_components = 64

  !> A field, and memory that get_value_ptr points to: it is kept up to date once it was asked for.
  type :: variable
    character(bmi_max_var_name) :: name = ''
    type(tradewind_component) :: component
    type(tradewind_field) :: field
    logical :: goes_in = .false., comes_out = .false.
    double precision, pointer :: doubles(:) => null()
    real, pointer :: floats(:) => null()
    logical, pointer :: is_asked => null()
  end type variable

  type, extends(bmi) :: tradewind_bmi
    private
    type(tradewind_session) :: session
    type(variable), allocatable :: variables(:)
    character(bmi_max_var_name), pointer :: inputs(:) => null(), outputs(:) => null()
    character(bmi_max_component_name), pointer :: title => null()
  contains
    procedure :: initialize
    procedure :: update
    procedure :: update_until
    procedure :: finalize
    procedure :: get_component_name
    procedure :: get_input_item_count
    procedure :: get_output_item_count
    procedure :: get_input_var_names
    procedure :: get_output_var_names
    procedure :: get_var_grid
    procedure :: get_var_type
    procedure :: get_var_units
    procedure :: get_var_itemsize
    procedure :: get_var_nbytes
    procedure :: get_var_location
    procedure :: get_current_time
    procedure :: get_start_time
    procedure :: get_end_time
    procedure :: get_time_units
    procedure :: get_time_step
    procedure :: get_value_int
    procedure :: get_value_float
    procedure :: get_value_double
    procedure :: get_value_ptr_int
    procedure :: get_value_ptr_float
    procedure :: get_value_ptr_double
    procedure :: get_value_at_indices_int
    procedure :: get_value_at_indices_float
    procedure :: get_value_at_indices_double
    procedure :: set_value_int
    procedure :: set_value_float
    procedure :: set_value_double
    procedure :: set_value_at_indices_int
    procedure :: set_value_at_indices_float
    procedure :: set_value_at_indices_double
    procedure :: get_grid_rank
    procedure :: get_grid_size
    procedure :: get_grid_type
    procedure :: get_grid_shape
    procedure :: get_grid_spacing
    procedure :: get_grid_origin
    procedure :: get_grid_x
    procedure :: get_grid_y
    procedure :: get_grid_z
    procedure :: get_grid_node_count
    procedure :: get_grid_edge_count
    procedure :: get_grid_face_count
    procedure :: get_grid_edge_nodes
    procedure :: get_grid_face_edges
    procedure :: get_grid_face_nodes
    procedure :: get_grid_nodes_per_face
  end type tradewind_bmi

contains

  !> What BMI is told of a status; BMI has no place for the message, so it is printed.
  function told(status) result(code)
    type(tradewind_status), intent(in) :: status
    integer :: code

    code = merge(bmi_failure, bmi_success, status%failed())
    if (status%failed()) write (error_unit, '(3a)') status%name(), ': ', status%message
  end function told

  ! ---- begin, go on, end -------------------------------------------------------------------------------------

  function initialize(this, config_file) result(bmi_status)
    class(tradewind_bmi), intent(out) :: this
    character(*), intent(in) :: config_file
    integer :: bmi_status
    character(1024) :: config
    character(128) :: components(most_components)
    type(tradewind_status) :: status
    integer :: i

    bmi_status = read_namelist(config_file, config, components)
    if (bmi_status /= bmi_success) return
    call this%session%init(config, status=status) ! HERE: a communicator, if the framework has one
    allocate (this%variables(0), this%title)
    this%title = 'tradewind: '//config
    do i = 1, count(components /= '')
      if (.not. status%failed()) call declare(this, trim(components(i)), status)
    end do
    call list(this)
    bmi_status = told(status)
  end function initialize

  function read_namelist(file, config, components) result(code)
    character(*), intent(in) :: file
    character(*), intent(out) :: config, components(:)
    integer :: code, unit, problem
    character(256) :: message
    namelist /tradewind/ config, components

    config = ''
    components = ''
    code = bmi_failure
    open (newunit=unit, file=file, status='old', action='read', iostat=problem, iomsg=message)
    if (problem == 0) then
      read (unit, nml=tradewind, iostat=problem, iomsg=message)
      close (unit)
    end if
    if (problem == 0) code = bmi_success
    if (problem /= 0) write (error_unit, '(3a)') file, ': ', trim(message)
  end function read_namelist

  !> Add the fields of a component. State goes in and comes out; exports only come out.
  subroutine declare(this, name, status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    type(tradewind_status), intent(inout) :: status
    type(variable) :: found
    integer :: i, n, known

    call this%session%component(name, found%component, status)
    if (.not. status%failed()) call found%component%describe(status) ! HERE: set_grid, if the host has a grid
    if (status%failed()) return
    n = found%component%fields(status)
    do i = 1, n
      call found%component%field(i, found%field, status)
      found%name = name//'.'//found%field%name
      known = number_of(this, found%name)
      if (known == 0) then
        allocate (found%doubles(length(found)), found%floats(length(found)), found%is_asked)
        found%is_asked = .false.
        this%variables = [this%variables, found]
        known = size(this%variables)
      end if
      associate (v => this%variables(known), role => found%field%role)
        v%goes_in = v%goes_in .or. role /= tradewind_export
        v%comes_out = v%comes_out .or. role == tradewind_export .or. role == tradewind_state
      end associate
    end do
  end subroutine declare

  subroutine list(this)
    class(tradewind_bmi), intent(inout) :: this

    associate (v => this%variables)
      allocate (this%inputs, source=pack(v%name, v%goes_in))
      allocate (this%outputs, source=pack(v%name, v%comes_out))
    end associate
  end subroutine list

  function update(this) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    integer :: bmi_status
    real(real64) :: now, step
    type(tradewind_status) :: status

    call this%session%time(now, status, step=step)
    bmi_status = told(status)
    if (bmi_status == bmi_success) bmi_status = this%update_until(now + step)
  end function update

  function update_until(this, time) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    double precision, intent(in) :: time
    integer :: bmi_status
    type(tradewind_status) :: status
    integer :: i

    call this%session%advance(time, status)
    bmi_status = told(status)
    do i = 1, size(this%variables)
      if (this%variables(i)%is_asked .and. bmi_status == bmi_success) bmi_status = fetch(this%variables(i))
    end do
  end function update_until

  function finalize(this) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    integer :: bmi_status
    type(tradewind_status) :: status
    integer :: i

    call this%session%finalize(status)
    bmi_status = told(status)
    if (.not. allocated(this%variables)) return
    do i = 1, size(this%variables)
      deallocate (this%variables(i)%doubles, this%variables(i)%floats, this%variables(i)%is_asked)
    end do
    deallocate (this%variables, this%inputs, this%outputs, this%title)
  end function finalize

  ! ---- what there is -----------------------------------------------------------------------------------------

  function get_component_name(this, name) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), pointer, intent(out) :: name
    integer :: bmi_status

    name => this%title
    bmi_status = bmi_success
  end function get_component_name

  function get_input_item_count(this, count) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(out) :: count
    integer :: bmi_status

    count = size(this%inputs)
    bmi_status = bmi_success
  end function get_input_item_count

  function get_output_item_count(this, count) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(out) :: count
    integer :: bmi_status

    count = size(this%outputs)
    bmi_status = bmi_success
  end function get_output_item_count

  function get_input_var_names(this, names) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), pointer, intent(out) :: names(:)
    integer :: bmi_status

    names => this%inputs
    bmi_status = bmi_success
  end function get_input_var_names

  function get_output_var_names(this, names) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), pointer, intent(out) :: names(:)
    integer :: bmi_status

    names => this%outputs
    bmi_status = bmi_success
  end function get_output_var_names

  !> Number of a variable; 0: there is none of that name.
  pure function number_of(this, name) result(number)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer :: number

    do number = size(this%variables), 1, -1
      if (this%variables(number)%name == name) return
    end do
  end function number_of

  !> Whether a variable is there, and of the kind that is asked for (0: any).
  function refused(this, name, kind) result(code)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: kind
    integer :: code, number

    code = bmi_failure
    number = number_of(this, name)
    if (number == 0) return
    if (kind == 0 .or. this%variables(number)%field%kind == kind) code = bmi_success
  end function refused

  !> Every variable has a grid of its own, with its number.
  function get_var_grid(this, name, grid) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(out) :: grid
    integer :: bmi_status

    grid = number_of(this, name)
    bmi_status = refused(this, name, 0)
  end function get_var_grid

  function get_var_type(this, name, type) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    character(*), intent(out) :: type
    integer :: bmi_status

    type = ''
    bmi_status = refused(this, name, 0)
    if (bmi_status /= bmi_success) return
    select case (this%variables(number_of(this, name))%field%kind)
    case (tradewind_real32)
      type = 'real'
    case (tradewind_real64)
      type = 'double precision'
    case (tradewind_int32)
      type = 'integer'
    case (tradewind_int64)
      type = 'integer(int64)'
    end select
  end function get_var_type

  function get_var_units(this, name, units) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    character(*), intent(out) :: units
    integer :: bmi_status

    units = ''
    bmi_status = refused(this, name, 0)
    if (bmi_status == bmi_success) units = this%variables(number_of(this, name))%field%units
  end function get_var_units

  function get_var_itemsize(this, name, size) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(out) :: size
    integer :: bmi_status

    size = 0
    bmi_status = refused(this, name, 0)
    if (bmi_status /= bmi_success) return
    associate (kind => this%variables(number_of(this, name))%field%kind)
      size = merge(4, 8, any(kind == [tradewind_real32, tradewind_int32]))
    end associate
  end function get_var_itemsize

  function get_var_nbytes(this, name, nbytes) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(out) :: nbytes
    integer :: bmi_status

    bmi_status = this%get_var_itemsize(name, nbytes)
    if (bmi_status == bmi_success) nbytes = nbytes*length(this%variables(number_of(this, name)))
  end function get_var_nbytes

  pure function length(v) result(elements)
    type(variable), intent(in) :: v
    integer :: elements

    elements = int(product(v%field%extents))
  end function length

  function get_var_location(this, name, location) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    character(*), intent(out) :: location
    integer :: bmi_status

    location = 'node' ! of points, one a cell
    bmi_status = refused(this, name, 0)
  end function get_var_location

  ! ---- time --------------------------------------------------------------------------------------------------

  function get_current_time(this, time) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    double precision, intent(out) :: time
    integer :: bmi_status
    type(tradewind_status) :: status

    call this%session%time(time, status)
    bmi_status = told(status)
  end function get_current_time

  function get_start_time(this, time) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    double precision, intent(out) :: time
    integer :: bmi_status

    bmi_status = this%get_current_time(time)
    time = 0
  end function get_start_time

  function get_end_time(this, time) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    double precision, intent(out) :: time
    integer :: bmi_status
    type(tradewind_status) :: status
    real(real64) :: now

    call this%session%time(now, status, stop=time)
    bmi_status = told(status)
  end function get_end_time

  function get_time_step(this, time_step) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    double precision, intent(out) :: time_step
    integer :: bmi_status
    type(tradewind_status) :: status
    real(real64) :: now

    call this%session%time(now, status, step=time_step)
    bmi_status = told(status)
  end function get_time_step

  function get_time_units(this, units) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(out) :: units
    integer :: bmi_status

    units = 's'
    bmi_status = merge(bmi_success, bmi_failure, allocated(this%variables))
  end function get_time_units

  ! ---- values, flattened -------------------------------------------------------------------------------------

  !> Copy a field into the memory of its variable. Numbers pass as double precision, which holds the other kinds.
  function fetch(v) result(code)
    type(variable), intent(in) :: v
    integer :: code
    double precision, pointer :: p2(:, :), p3(:, :, :), p4(:, :, :, :)
    type(tradewind_status) :: status

    associate (c => v%component, name => v%field%name, e => v%field%extents)
      select case (size(e))
      case (0)
        call c%get(name, v%doubles(1), status, cast=.true.)
      case (1)
        call c%get(name, v%doubles, status, cast=.true.)
      case (2)
        p2(1:e(1), 1:e(2)) => v%doubles
        call c%get(name, p2, status, cast=.true.)
      case (3)
        p3(1:e(1), 1:e(2), 1:e(3)) => v%doubles
        call c%get(name, p3, status, cast=.true.)
      case default ! HERE: more dimensions, where there are any
        p4(1:e(1), 1:e(2), 1:e(3), 1:e(4)) => v%doubles
        call c%get(name, p4, status, cast=.true.)
      end select
    end associate
    code = told(status)
    if (code == bmi_success) v%floats = real(v%doubles)
  end function fetch

  !> Copy the memory of a variable into its field.
  function give(v) result(code)
    type(variable), intent(in) :: v
    integer :: code
    double precision, pointer :: p2(:, :), p3(:, :, :), p4(:, :, :, :)
    type(tradewind_status) :: status

    associate (c => v%component, name => v%field%name, e => v%field%extents)
      select case (size(e))
      case (0)
        call c%put(name, v%doubles(1), status, cast=.true.)
      case (1)
        call c%put(name, v%doubles, status, cast=.true.)
      case (2)
        p2(1:e(1), 1:e(2)) => v%doubles
        call c%put(name, p2, status, cast=.true.)
      case (3)
        p3(1:e(1), 1:e(2), 1:e(3)) => v%doubles
        call c%put(name, p3, status, cast=.true.)
      case default
        p4(1:e(1), 1:e(2), 1:e(3), 1:e(4)) => v%doubles
        call c%put(name, p4, status, cast=.true.)
      end select
    end associate
    code = told(status)
  end function give

  !> Fetch a variable, if it is of this kind and each index lies within it.
  function fetched(this, name, kind, indices) result(code)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: kind, indices(:)
    integer :: code

    code = refused(this, name, kind)
    if (code /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      if (any(indices < 1 .or. indices > length(v))) code = bmi_failure
      if (code == bmi_success) code = fetch(v)
    end associate
  end function fetched

  !> Numbers of the elements of a variable: all of them.
  pure function all_of(this, name, found) result(indices)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: found
    integer, allocatable :: indices(:)
    integer :: i, n

    n = 0
    if (number_of(this, name) > 0) n = length(this%variables(number_of(this, name)))
    if (n /= found) n = 0 ! too many or too few numbers are refused as an element that is not there
    indices = [(i, i = 1, n)]
    if (n == 0 .and. found > 0) indices = [0]
  end function all_of

  function get_value_int(this, name, dest) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(inout) :: dest(:)
    integer :: bmi_status

    bmi_status = this%get_value_at_indices_int(name, dest, all_of(this, name, size(dest)))
  end function get_value_int

  function get_value_at_indices_int(this, name, dest, inds) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, intent(inout) :: dest(:)
    integer, intent(in) :: inds(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_int32, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      dest(1:size(inds)) = nint(v%doubles(inds))
    end associate
  end function get_value_at_indices_int

  function set_value_int(this, name, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = refused(this, name, tradewind_int32)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      if (size(src) /= length(v)) bmi_status = bmi_failure
      if (bmi_status /= bmi_success) return
      v%doubles = src
      bmi_status = give(v)
    end associate
  end function set_value_int

  function set_value_at_indices_int(this, name, inds, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: inds(:)
    integer, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_int32, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      v%doubles(inds) = src(1:size(inds))
      bmi_status = give(v)
    end associate
  end function set_value_at_indices_int

  function get_value_float(this, name, dest) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    real, intent(inout) :: dest(:)
    integer :: bmi_status

    bmi_status = this%get_value_at_indices_float(name, dest, all_of(this, name, size(dest)))
  end function get_value_float

  function get_value_at_indices_float(this, name, dest, inds) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    real, intent(inout) :: dest(:)
    integer, intent(in) :: inds(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_real32, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      dest(1:size(inds)) = real(v%doubles(inds))
    end associate
  end function get_value_at_indices_float

  function set_value_float(this, name, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    real, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = refused(this, name, tradewind_real32)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      if (size(src) /= length(v)) bmi_status = bmi_failure
      if (bmi_status /= bmi_success) return
      v%doubles = src
      bmi_status = give(v)
    end associate
  end function set_value_float

  function set_value_at_indices_float(this, name, inds, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: inds(:)
    real, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_real32, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      v%doubles(inds) = src(1:size(inds))
      bmi_status = give(v)
    end associate
  end function set_value_at_indices_float

  function get_value_double(this, name, dest) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    double precision, intent(inout) :: dest(:)
    integer :: bmi_status

    bmi_status = this%get_value_at_indices_double(name, dest, all_of(this, name, size(dest)))
  end function get_value_double

  function get_value_at_indices_double(this, name, dest, inds) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    double precision, intent(inout) :: dest(:)
    integer, intent(in) :: inds(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_real64, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      dest(1:size(inds)) = v%doubles(inds)
    end associate
  end function get_value_at_indices_double

  function set_value_double(this, name, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    double precision, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = refused(this, name, tradewind_real64)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      if (size(src) /= length(v)) bmi_status = bmi_failure
      if (bmi_status /= bmi_success) return
      v%doubles = src
      bmi_status = give(v)
    end associate
  end function set_value_double

  function set_value_at_indices_double(this, name, inds, src) result(bmi_status)
    class(tradewind_bmi), intent(inout) :: this
    character(*), intent(in) :: name
    integer, intent(in) :: inds(:)
    double precision, intent(in) :: src(:)
    integer :: bmi_status

    bmi_status = fetched(this, name, tradewind_real64, inds)
    if (bmi_status /= bmi_success) return
    associate (v => this%variables(number_of(this, name)))
      v%doubles(inds) = src(1:size(inds))
      bmi_status = give(v)
    end associate
  end function set_value_at_indices_double

  !> Integers are not kept as such: get_value_int copies them.
  function get_value_ptr_int(this, name, dest_ptr) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    integer, pointer, intent(inout) :: dest_ptr(:)
    integer :: bmi_status

    nullify (dest_ptr)
    bmi_status = max(refused(this, name, 0), bmi_failure)
  end function get_value_ptr_int

  !> What is pointed to is to be read: it is written anew by each update. set_value changes a variable.
  function get_value_ptr_float(this, name, dest_ptr) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    real, pointer, intent(inout) :: dest_ptr(:)
    integer :: bmi_status
    logical, pointer :: asked

    nullify (dest_ptr)
    bmi_status = fetched(this, name, tradewind_real32, [integer ::])
    if (bmi_status /= bmi_success) return
    asked => this%variables(number_of(this, name))%is_asked
    asked = .true.
    dest_ptr => this%variables(number_of(this, name))%floats
  end function get_value_ptr_float

  !> What is pointed to is to be read: it is written anew by each update. set_value changes a variable.
  function get_value_ptr_double(this, name, dest_ptr) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    character(*), intent(in) :: name
    double precision, pointer, intent(inout) :: dest_ptr(:)
    integer :: bmi_status
    logical, pointer :: asked

    nullify (dest_ptr)
    bmi_status = fetched(this, name, tradewind_real64, [integer ::])
    if (bmi_status /= bmi_success) return
    asked => this%variables(number_of(this, name))%is_asked
    asked = .true.
    dest_ptr => this%variables(number_of(this, name))%doubles
  end function get_value_ptr_double

  ! ---- grids: each variable's own, by its number; points, whose places a session does not tell -------------------

  function known_grid(this, grid) result(code)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer :: code

    code = bmi_failure
    if (allocated(this%variables)) code = merge(bmi_success, bmi_failure, grid >= 1 .and. grid <= size(this%variables))
  end function known_grid

  function get_grid_rank(this, grid, rank) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: rank
    integer :: bmi_status

    rank = 0
    bmi_status = known_grid(this, grid)
    if (bmi_status == bmi_success) rank = size(this%variables(grid)%field%extents)
  end function get_grid_rank

  function get_grid_size(this, grid, size) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: size
    integer :: bmi_status

    size = 0
    bmi_status = known_grid(this, grid)
    if (bmi_status == bmi_success) size = length(this%variables(grid))
  end function get_grid_size

  function get_grid_type(this, grid, type) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    character(*), intent(out) :: type
    integer :: bmi_status

    type = ''
    bmi_status = known_grid(this, grid)
    if (bmi_status /= bmi_success) return
    type = 'points' ! HERE: rectilinear, say, and get_grid_x and get_grid_y below
    if (size(this%variables(grid)%field%extents) == 0) type = 'scalar'
  end function get_grid_type

  !> Extents as BMI has them, the one that varies fastest last.
  function get_grid_shape(this, grid, shape) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: shape(:)
    integer :: bmi_status

    shape = 0
    bmi_status = known_grid(this, grid)
    if (bmi_status /= bmi_success) return
    associate (e => this%variables(grid)%field%extents)
      if (size(shape) < size(e)) bmi_status = bmi_failure
      if (bmi_status == bmi_success) shape(1:size(e)) = int(e(size(e):1:-1))
    end associate
  end function get_grid_shape

  ! What points do not have: always a failure.

  function get_grid_spacing(this, grid, spacing) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    double precision, intent(out) :: spacing(:)
    integer :: bmi_status

    spacing = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_spacing

  function get_grid_origin(this, grid, origin) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    double precision, intent(out) :: origin(:)
    integer :: bmi_status

    origin = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_origin

  function get_grid_x(this, grid, x) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    double precision, intent(out) :: x(:)
    integer :: bmi_status

    x = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_x

  function get_grid_y(this, grid, y) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    double precision, intent(out) :: y(:)
    integer :: bmi_status

    y = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_y

  function get_grid_z(this, grid, z) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    double precision, intent(out) :: z(:)
    integer :: bmi_status

    z = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_z

  function get_grid_edge_count(this, grid, count) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: count
    integer :: bmi_status

    count = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_edge_count

  function get_grid_face_count(this, grid, count) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: count
    integer :: bmi_status

    count = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_face_count

  function get_grid_edge_nodes(this, grid, edge_nodes) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: edge_nodes(:)
    integer :: bmi_status

    edge_nodes = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_edge_nodes

  function get_grid_face_edges(this, grid, face_edges) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: face_edges(:)
    integer :: bmi_status

    face_edges = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_face_edges

  function get_grid_face_nodes(this, grid, face_nodes) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: face_nodes(:)
    integer :: bmi_status

    face_nodes = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_face_nodes

  function get_grid_nodes_per_face(this, grid, nodes_per_face) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: nodes_per_face(:)
    integer :: bmi_status

    nodes_per_face = 0
    bmi_status = max(known_grid(this, grid), bmi_failure)
  end function get_grid_nodes_per_face

  function get_grid_node_count(this, grid, count) result(bmi_status)
    class(tradewind_bmi), intent(in) :: this
    integer, intent(in) :: grid
    integer, intent(out) :: count
    integer :: bmi_status

    bmi_status = this%get_grid_size(grid, count)
  end function get_grid_node_count

end module bmi_tradewind
