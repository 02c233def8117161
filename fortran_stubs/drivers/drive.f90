!> Drive any run config by calls: solve its inversion, or go through its time and analyse where windows end.
!>
!>   drive CONFIG OUTPUT [COMPONENT.FIELD ...]
!>
!> What COMPONENT.FIELD are after every step (and after the inversion, at its start) is appended to OUTPUT, as
!> real64 numbers in the order of memory; OUTPUT.nc says what was done. Compile with -cpp, and with -DMPI where
!> there is one.
program drive
#ifdef MPI
  use mpi_f08, only: MPI_Comm_rank, MPI_Comm_world, MPI_Finalize, MPI_Init
#endif
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
  use tradewind, only: tradewind_component, tradewind_field, tradewind_session, tradewind_status
  implicit none

  type :: wanted_field
    type(tradewind_component) :: component
    character(:), allocatable :: name
    integer(int64), allocatable :: extents(:)
  end type wanted_field

  type(tradewind_session) :: session
  type(tradewind_status) :: status
  type(wanted_field), allocatable :: wanted(:)
  logical :: solves, filters
  integer :: rank, file

  rank = 0
#ifdef MPI
  call MPI_Init()
  call MPI_Comm_rank(MPI_Comm_world, rank)
  call session%init(argument(1), MPI_Comm_world, status)
#else
  call session%init(argument(1), status=status)
#endif
  call check('init')
  call look_up()
  if (rank == 0) open (newunit=file, file=argument(2), access='stream', form='unformatted', status='replace')
  call estimate()
  call go_through()
  call session%report(argument(2)//'.nc', status)
  call check('report')
  if (rank == 0) close (file)
  call session%finalize(status)
  call check('finalize')
#ifdef MPI
  call MPI_Finalize()
#endif

contains

  !> Solve the inversion, if there is one; say whether there is a filter instead.
  subroutine estimate()
    call session%solve(status)
    solves = .not. status%failed()
    filters = .false.
    if (solves) return
    if (status%name() /= 'unsupported') call check('solve')
    call session%analyse(status)
    ! before the first window has ended, a filter says that it is too early
    filters = status%name() == 'order'
    if (status%name() /= 'unsupported' .and. .not. filters) call check('analyse')
  end subroutine estimate

  !> Go through the time of the config, step by step.
  subroutine go_through()
    real(real64) :: now, stop_, step
    integer :: number

    call session%time(now, status, stop=stop_, step=step)
    call check('time')
    do number = 1, nint(stop_/step)
      call session%advance(number*step, status)
      call check('advance')
      if (filters) call analyse()
      call write_fields()
      ! one step shows where the answer of an inversion begins
      if (solves) exit
    end do
  end subroutine go_through

  subroutine analyse()
    call session%analyse(status)
    if (status%name() /= 'order') call check('analyse')
  end subroutine analyse

  !> Find the fields that are to be written.
  subroutine look_up()
    type(tradewind_field) :: field
    integer :: k, i, count, dot
    character(:), allocatable :: port

    allocate (wanted(max(0, command_argument_count() - 2)))
    do k = 1, size(wanted)
      port = argument(k + 2)
      dot = index(port, '.')
      call session%component(port(:dot - 1), wanted(k)%component, status)
      call check('component')
      call wanted(k)%component%describe(status)
      call check('describe')
      wanted(k)%name = port(dot + 1:)
      count = wanted(k)%component%fields(status)
      do i = 1, count
        call wanted(k)%component%field(i, field, status)
        if (field%name == wanted(k)%name) wanted(k)%extents = field%extents
      end do
    end do
  end subroutine look_up

  subroutine write_fields()
    real(real64), allocatable, target :: values(:)
    real(real64), pointer :: two(:, :), three(:, :, :)
    integer :: k

    do k = 1, size(wanted)
      allocate (values(product(wanted(k)%extents)))
      associate (n => wanted(k)%extents)
        select case (size(n))
        case (1)
          call wanted(k)%component%get(wanted(k)%name, values, status)
        case (2)
          two(1:n(1), 1:n(2)) => values
          call wanted(k)%component%get(wanted(k)%name, two, status)
        case default
          three(1:n(1), 1:n(2), 1:n(3)) => values
          call wanted(k)%component%get(wanted(k)%name, three, status)
        end select
      end associate
      call check(wanted(k)%name)
      if (rank == 0) write (file) values
      deallocate (values)
    end do
  end subroutine write_fields

  function argument(number) result(text)
    integer, intent(in) :: number
    character(:), allocatable :: text
    integer :: length

    call get_command_argument(number, length=length)
    allocate (character(length) :: text)
    call get_command_argument(number, text)
  end function argument

  !> End with what went wrong: a program may stop, a library may not.
  subroutine check(doing)
    character(*), intent(in) :: doing

    if (.not. status%failed()) return
    write (error_unit, '(4a)') doing, ': ', status%name(), ': '//status%message
    error stop 1
  end subroutine check
end program drive
