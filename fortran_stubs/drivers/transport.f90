!> A small transport model with a time loop and a decomposition of its own, whose chemistry is its own or a
!> surrogate's, by one setting:
!>
!>   transport SETTINGS ...
!>
!> Each SETTINGS holds a namelist `transport` (see `settings` below) and is run in turn. With `config` empty, the model's own chemistry
!> answers; else whatever `config` names: a run config, a network (.safetensors) or a compiled one (.pt2).
!>
!> NO, NO2 and O3 (1e-9) are carried eastwards round the globe and northwards between two walls, on rows of cells
!> that are dealt to the ranks of a communicator. The total of nitrogen is kept to rounding by both chemistries.
module transport_model
  use mpi_f08, only: MPI_Abort, MPI_Allreduce, MPI_Comm, MPI_Comm_rank, MPI_Comm_size, MPI_COMM_WORLD, &
    MPI_DOUBLE_PRECISION, MPI_Gatherv, MPI_IN_PLACE, MPI_PROC_NULL, MPI_Sendrecv, MPI_STATUS_IGNORE, MPI_SUM
  use, intrinsic :: iso_fortran_env, only: error_unit, real64
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none
  private

  public :: settings, model, read_settings, begin, go, finish, write_fields

  integer, parameter :: nx = 24, ny = 17, species = 3
  real(real64), parameter :: step = 600, northward = 0.02_real64, rate = 4.4e-4_real64

  !> What the namelist says.
  type :: settings
    character(256) :: config = '', output = 'transport.bin'
    integer :: steps = 6
    !> Columns that are put at a time.
    integer :: block = 7
    !> The ranks of the world that take part, and how many of the last of them own no rows.
    integer :: first_rank = 0, last_rank = huge(0), idle = 0
  end type settings

  !> Rows `first` to `first + rows - 1` of the globe, what is in them, and who lies north and south.
  type :: model
    type(settings) :: settings
    type(MPI_Comm) :: comm
    integer :: rank = 0, first = 1, rows = 0, south = MPI_PROC_NULL, north = MPI_PROC_NULL
    integer, allocatable :: rows_of(:)
    real(real64), allocatable :: c(:, :, :)
    type(tradewind_session) :: session
    type(tradewind_component) :: chemistry
  end type model

contains

  !> Read the namelist.
  function read_settings(path) result(found)
    character(*), intent(in) :: path
    type(settings) :: found
    character(256) :: config, output
    integer :: steps, block, first_rank, last_rank, idle, file
    namelist /transport/ config, output, steps, block, first_rank, last_rank, idle

    config = found%config; output = found%output
    steps = found%steps; block = found%block; idle = found%idle
    first_rank = found%first_rank; last_rank = found%last_rank
    open (newunit=file, file=path, status='old', action='read')
    read (file, nml=transport)
    close (file)
    found = settings(config, output, steps, block, first_rank, last_rank, idle)
  end function read_settings

  !> Deal the rows, fill the fields, and open whatever answers for the chemistry.
  subroutine begin(m, told, comm)
    type(model), intent(inout) :: m
    type(settings), intent(in) :: told
    type(MPI_Comm), intent(in) :: comm

    m%settings = told
    m%comm = comm
    call deal_rows(m)
    call fill(m)
    if (told%config /= '') call open_surrogate(m)
  end subroutine begin

  subroutine deal_rows(m)
    type(model), intent(inout) :: m
    integer :: size, working, k

    call MPI_Comm_rank(m%comm, m%rank)
    call MPI_Comm_size(m%comm, size)
    working = max(1, size - m%settings%idle)
    m%rows_of = [((ny + working - 1 - k)/working, k=0, working - 1), (0, k=working, size - 1)]
    m%rows = m%rows_of(m%rank + 1)
    m%first = 1 + sum(m%rows_of(:m%rank))
    if (m%rows == 0) return
    if (m%rank > 0) m%south = m%rank - 1
    if (m%rank < working - 1) m%north = m%rank + 1
  end subroutine deal_rows

  !> Clean air with ozone, and a town.
  subroutine fill(m)
    type(model), intent(inout) :: m

    allocate (m%c(nx, 0:m%rows, species))
    m%c(:, :, 1) = 0.5_real64
    m%c(:, :, 2) = 2
    m%c(:, :, 3) = 40
  end subroutine fill

  ! ---- time ---------------------------------------------------------------------------------------------------

  !> Go through the time.
  subroutine go(m)
    type(model), intent(inout) :: m
    integer :: number

    do number = 0, m%settings%steps - 1
      call emit(m)
      call carry_eastwards(m)
      call carry_northwards(m)
      call react(m, number*step)
    end do
  end subroutine go

  subroutine emit(m)
    type(model), intent(inout) :: m
    integer :: row

    row = 6 - m%first + 1
    if (row >= 1 .and. row <= m%rows) m%c(9, row, 1) = m%c(9, row, 1) + 2
  end subroutine emit

  !> First-order upwind, faster in the north.
  subroutine carry_eastwards(m)
    type(model), intent(inout) :: m
    real(real64) :: courant
    integer :: row, s

    do s = 1, species
      do row = 1, m%rows
        courant = 0.2_real64 + 0.02_real64*(m%first + row - 1)
        m%c(:, row, s) = m%c(:, row, s) - courant*(m%c(:, row, s) - cshift(m%c(:, row, s), -1))
      end do
    end do
  end subroutine carry_eastwards

  !> The same between walls: the flux through the southern edge of a row is that of the row below it.
  subroutine carry_northwards(m)
    type(model), intent(inout) :: m
    real(real64) :: into(nx), out(nx)
    integer :: row, s

    call fill_halo(m)
    do s = 1, species
      into = 0
      if (m%first > 1) into = northward*m%c(:, 0, s)
      do row = 1, m%rows
        out = northward*m%c(:, row, s)
        if (m%first + row - 1 == ny) out = 0
        m%c(:, row, s) = m%c(:, row, s) - (out - into)
        into = out
      end do
    end do
  end subroutine carry_northwards

  !> Receive the last row of the rank to the south.
  subroutine fill_halo(m)
    type(model), intent(inout) :: m
    real(real64) :: mine(nx, species), theirs(nx, species)

    mine = m%c(:, m%rows, :)
    theirs = 0
    call MPI_Sendrecv(mine, nx*species, MPI_DOUBLE_PRECISION, m%north, 1, &
      theirs, nx*species, MPI_DOUBLE_PRECISION, m%south, 1, m%comm, MPI_STATUS_IGNORE)
    m%c(:, 0, :) = theirs
  end subroutine fill_halo

  ! ---- chemistry ----------------------------------------------------------------------------------------------

  !> NO2 + light -> NO + O3 and back: one number per cell says how much.
  subroutine react(m, time)
    type(model), intent(inout) :: m
    real(real64), intent(in) :: time
    real(real64) :: light(nx, m%rows), x(nx, m%rows)

    light = photolysis_rate(m, time)
    if (m%settings%config == '') then
      x = conversion(m%c(:, 1:, 1), m%c(:, 1:, 2), m%c(:, 1:, 3), light)
    else
      call ask_surrogate(m, time, light, x)
    end if
    m%c(:, 1:, 1) = m%c(:, 1:, 1) + x
    m%c(:, 1:, 2) = m%c(:, 1:, 2) - x
    m%c(:, 1:, 3) = m%c(:, 1:, 3) + x
  end subroutine react

  !> Of NO2, s-1: a parabola from six to eighteen o'clock, local time.
  function photolysis_rate(m, time) result(light)
    type(model), intent(in) :: m
    real(real64), intent(in) :: time
    real(real64) :: light(nx, m%rows), hour
    integer :: i

    do i = 1, nx
      hour = modulo(time/3600 + (i - 1)*24.0_real64/nx, 24.0_real64)
      light(i, :) = 0.008_real64*max(0.0_real64, 1 - ((hour - 12)/6)**2)
    end do
  end function photolysis_rate

  !> The exact answer after one step; see examples/photochemistry.py.
  elemental function conversion(no, no2, o3, light) result(x)
    real(real64), intent(in) :: no, no2, o3, light
    real(real64) :: x, p, q, s, t

    p = light + rate*(no + o3)
    q = light*no2 - rate*no*o3
    s = sqrt(p*p + 4*rate*q)
    t = tanh(0.5_real64*s*step)
    x = 2*q*t/(s + p*t)
  end function conversion

  !> Open the surrogate, and tell it which cells this rank has.
  subroutine open_surrogate(m)
    type(model), intent(inout) :: m
    type(tradewind_status) :: status
    integer :: i, k

    call m%session%init(trim(m%settings%config), m%comm, status)
    call check(status, 'init')
    call m%session%component('network', m%chemistry, status)
    call check(status, 'component')
    associate (cells => [(i, i=(m%first - 1)*nx + 1, (m%first - 1 + m%rows)*nx)])
      call m%chemistry%set_grid(cells, [(modulo(k - 1, nx)*360.0_real64/nx, k=1, nx*m%rows)], &
        [(-80 + 10.0_real64*((cells(k) - 1)/nx), k=1, nx*m%rows)], status=status)
    end associate
    call check(status, 'set_grid')
  end subroutine open_surrogate

  !> Put the columns block by block, run once, and get all answers.
  subroutine ask_surrogate(m, time, light, x)
    type(model), intent(inout) :: m
    real(real64), intent(in) :: time, light(:, :)
    real(real64), intent(out) :: x(:, :)
    real(real64) :: mixture(size(x), species), rates(size(x)), answer(size(x))
    type(tradewind_status) :: status
    integer :: first, last

    mixture = reshape(m%c(:, 1:, :), shape(mixture))
    rates = reshape(light, shape(rates))
    do first = 1, size(x), m%settings%block
      last = min(first + m%settings%block - 1, size(x))
      ! slices of columns: nothing is copied to call
      call m%chemistry%put('mixing_ratio', mixture(first:last, :), status, units='1e-9', first=first, cast=.true.)
      call check(status, 'put')
      call m%chemistry%put('photolysis_rate', rates(first:last), status, units='s-1', first=first, cast=.true.)
      call check(status, 'put')
    end do
    call m%chemistry%run(time, step, status)
    call check(status, 'run')
    call m%chemistry%get('conversion', answer, status, cast=.true.)
    call check(status, 'get')
    x = reshape(answer, shape(x))
  end subroutine ask_surrogate

  ! ---- the end ------------------------------------------------------------------------------------------------

  !> Write all rows and the total of nitrogen, on the first rank.
  subroutine write_fields(m)
    type(model), intent(in) :: m
    real(real64) :: whole(nx, ny), total
    integer :: s, file, k

    total = sum(m%c(:, 1:, 1:2))
    call MPI_Allreduce(MPI_IN_PLACE, total, 1, MPI_DOUBLE_PRECISION, MPI_SUM, m%comm)
    if (m%rank == 0) open (newunit=file, file=m%settings%output, access='stream', form='unformatted', status='replace')
    do s = 1, species
      call MPI_Gatherv(m%c(:, 1:, s), nx*m%rows, MPI_DOUBLE_PRECISION, whole, nx*m%rows_of, &
        [(nx*sum(m%rows_of(:k)), k=0, size(m%rows_of) - 1)], MPI_DOUBLE_PRECISION, 0, m%comm)
      if (m%rank == 0) write (file) whole
    end do
    if (m%rank /= 0) return
    close (file)
    print '(a, es24.16)', 'nitrogen', total
  end subroutine write_fields

  !> Close the surrogate.
  subroutine finish(m)
    type(model), intent(inout) :: m
    type(tradewind_status) :: status

    deallocate (m%c)
    if (m%settings%config == '') return
    call m%session%finalize(status)
    call check(status, 'finalize')
  end subroutine finish

  !> Stop this program, which is ours to stop, where a call has failed.
  subroutine check(status, doing)
    type(tradewind_status), intent(in) :: status
    character(*), intent(in) :: doing

    if (.not. status%failed()) return
    write (error_unit, '(a, ": ", a, " on rank ", i0, ": ", a)') doing, status%name(), status%rank, status%message
    call MPI_Abort(MPI_COMM_WORLD, 1)
  end subroutine check

end module transport_model

program transport
  use mpi_f08, only: MPI_Comm, MPI_Comm_free, MPI_COMM_NULL, MPI_Comm_rank, MPI_Comm_split, MPI_COMM_WORLD, &
    MPI_Finalize, MPI_Init, MPI_UNDEFINED, operator(==)
  use transport_model, only: begin, finish, go, model, read_settings, settings, write_fields
  implicit none
  character(256) :: path
  integer :: number

  call MPI_Init()
  do number = 1, command_argument_count()
    call get_command_argument(number, path)
    call run(read_settings(trim(path)))
  end do
  call MPI_Finalize()

contains

  !> Run the model on the ranks that take part.
  subroutine run(told)
    type(settings), intent(in) :: told
    type(model) :: m
    type(MPI_Comm) :: comm
    integer :: rank

    call MPI_Comm_rank(MPI_COMM_WORLD, rank)
    call MPI_Comm_split(MPI_COMM_WORLD, &
      merge(1, MPI_UNDEFINED, rank >= told%first_rank .and. rank <= told%last_rank), rank, comm)
    if (comm == MPI_COMM_NULL) return
    call begin(m, told, comm)
    call go(m)
    call write_fields(m)
    call finish(m)
    call MPI_Comm_free(comm)
  end subroutine run

end program transport
