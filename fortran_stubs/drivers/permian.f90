!> The methane inversion over the Permian, driven by a Fortran program.
!>
!>   permian CONFIG OUTPUT
!>
!> The config's inversion is solved; then this program's own loop takes the answer through the first window and
!> appends to OUTPUT, as real64 numbers: the estimated emissions (kg m-2 s-1), the columns of every step (1e-9),
!> and what was emitted in all (kg). Compile with -cpp, and with -DMPI where there is one.
program permian
#ifdef MPI
  use mpi_f08, only: MPI_Comm_rank, MPI_Comm_world, MPI_Finalize, MPI_Init
#endif
  use, intrinsic :: iso_fortran_env, only: error_unit, real64
  use tradewind, only: tradewind_component, tradewind_field, tradewind_session, tradewind_status
  implicit none

  integer, parameter :: steps = 2
  type(tradewind_session) :: session
  type(tradewind_component) :: inventory, transport
  type(tradewind_status) :: status
  real(real64), allocatable :: emissions(:), columns(:), received(:)
  real(real64) :: now, step
  integer :: rank, file, number

  rank = 0
#ifdef MPI
  call MPI_Init()
  call MPI_Comm_rank(MPI_Comm_world, rank)
  call session%init(argument(1), MPI_Comm_world, status)
#else
  call session%init(argument(1), status=status)
#endif
  call check('init')
  call session%component('inventory', inventory, status)
  call check('inventory')
  call session%component('transport', transport, status)
  call check('transport')
  allocate (emissions(cells(inventory, 'methane_flux')), columns(cells(transport, 'methane_column')))
  allocate (received(cells(transport, 'methane_flux')))

  call session%solve(status)
  call check('solve')
  call session%report(argument(2)//'.nc', status)
  call check('report')

  if (rank == 0) open (newunit=file, file=argument(2), access='stream', form='unformatted', status='replace')
  call session%time(now, status, step=step)
  call check('time')
  do number = 1, steps
    call session%advance(now + number*step, status)
    call check('advance')
    if (number == 1) call keep_emissions()
    call transport%get('methane_column', columns, status, units='1e-9')
    call check('methane_column')
    if (rank == 0) write (file) columns
  end do
  ! what the exchange has brought to the transport, on its own cells
  call transport%get('methane_flux', received, status)
  call check('methane_flux')
  if (rank == 0) write (file) received
  if (rank == 0) close (file)
  call session%finalize(status)
  call check('finalize')
#ifdef MPI
  call MPI_Finalize()
#endif

contains

  subroutine keep_emissions()
    call inventory%get('methane_flux', emissions, status, units='kg m-2 s-1')
    call check('emissions')
    if (rank == 0) write (file) emissions
  end subroutine keep_emissions

  !> How many cells a field of a component has.
  integer function cells(component, name)
    type(tradewind_component), intent(in) :: component
    character(*), intent(in) :: name
    type(tradewind_field) :: field
    integer :: number

    cells = 0
    call component%describe(status)
    call check('describe')
    do number = 1, component%fields(status)
      call component%field(number, field, status)
      call check('field')
      if (field%name == name) cells = int(field%extents(1))
    end do
  end function cells

  function argument(number) result(text)
    integer, intent(in) :: number
    character(:), allocatable :: text
    integer :: length

    call get_command_argument(number, length=length)
    allocate (character(length) :: text)
    call get_command_argument(number, text)
  end function argument

  subroutine check(doing)
    character(*), intent(in) :: doing

    if (.not. status%failed()) return
    write (error_unit, '(4a)') doing, ': ', status%name(), ': '//status%message
    error stop 1
  end subroutine check
end program permian
