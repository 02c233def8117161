!> 4D-Var written in Fortran: the cost's gradient comes from the adjoint calls, all else from this program.
!>
!>   fourdvar OUTPUT ITERATIONS CONFIG WAY [CONFIG WAY ...]
!>
!> Each config has a component `model` with a state `x` that it also exports. WAY is `run` (one model call after
!> the other, in this program's own time loop) or `advance` (the coupled run keeps the time). A truth is made up
!> and observed in every second cell after every step; the state at the start is estimated by L-BFGS, in at most
!> ITERATIONS. For each config a line is appended to OUTPUT: cost at the prior and at the analysis, iterations, the
!> dot test of this program and of the library, the Taylor slope; then the analysis, one number a line.
!>
!> Cells are dealt in turn to all ranks but the second, which has none if there are more than two. Compile with
!> -cpp, and with -DMPI where there is one.
program fourdvar
#ifdef MPI
  use mpi_f08, only: MPI_Allreduce, MPI_Comm_rank, MPI_Comm_size, MPI_Comm_world, MPI_Double_precision, &
    MPI_Finalize, MPI_In_place, MPI_Init, MPI_Sum
#endif
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, real64
  use tradewind, only: tradewind_component, tradewind_session, tradewind_status
  implicit none

  integer, parameter :: steps = 6, memory = 6
  real(real64), parameter :: prior_error = 0.5_real64, error = 0.2_real64, length = 1e-3_real64
  character(*), parameter :: start_file = 'fourdvar.start'

  type(tradewind_session) :: session
  type(tradewind_component) :: model
  type(tradewind_status) :: status
  integer(int64), allocatable :: mine(:)
  real(real64), allocatable :: prior(:), observed(:, :), states(:, :)
  real(real64) :: step
  logical :: advances
  integer :: rank, ranks, cells, most, file, number

  rank = 0
  ranks = 1
#ifdef MPI
  call MPI_Init()
  call MPI_Comm_rank(MPI_Comm_world, rank)
  call MPI_Comm_size(MPI_Comm_world, ranks)
#endif
  if (rank == 0) open (newunit=file, file=argument(1), action='write', status='replace')
  call read_most()
  do number = 3, command_argument_count() - 1, 2
    call begin(argument(number), argument(number + 1) == 'advance')
    call observe()
    call estimate()
    call session%finalize(status)
    call check('finalize')
  end do
  if (rank == 0) close (file)
#ifdef MPI
  call MPI_Finalize()
#endif

contains

  subroutine read_most()
    character(:), allocatable :: text

    text = argument(2)
    read (text, *) most
  end subroutine read_most

  !> Open a config, and give its model this program's cells.
  subroutine begin(config, by_session)
    character(*), intent(in) :: config
    logical, intent(in) :: by_session
    integer(int64) :: described(10)
    real(real64), allocatable :: lon(:), lat(:)
    real(real64) :: now

    advances = by_session
#ifdef MPI
    call session%init(config, MPI_Comm_world, status)
#else
    call session%init(config, status=status)
#endif
    call check('init')
    call session%component('model', model, status)
    call check('component')
    call model%get('x@grid', described, status)
    call check('grid')
    cells = int(described(2))
    allocate (lon(cells), lat(cells))
    call model%get('x@lon', lon, status)
    call check('lon')
    call model%get('x@lat', lat, status)
    call check('lat')
    mine = own_cells()
    call model%set_grid(mine, lon(mine), lat(mine), status=status)
    call check('set_grid')
    call session%time(now, status, step=step)
    call check('time')
    if (advances) call session%checkpoint(start_file, status)
    call check('checkpoint')
  end subroutine begin

  !> Global numbers of this rank's cells.
  function own_cells() result(numbers)
    integer(int64), allocatable :: numbers(:)
    integer :: holders, place, i

    holders = ranks
    place = rank
    if (ranks > 2) then
      holders = ranks - 1
      if (rank > 0) place = rank - 1
      if (rank == 1) place = -1
    end if
    numbers = [integer(int64) :: ]
    if (place >= 0) numbers = [(int(i, int64), i=place + 1, cells, holders)]
  end function own_cells

  !> Make up a truth and observations of it.
  subroutine observe()
    real(real64), allocatable :: truth(:)
    integer :: k

    prior = 8 + sin(real(mine, real64))
    truth = prior + prior_error*cos(3*real(mine, real64))
    call go(truth)
    observed = states
    do k = 1, steps
      observed(:, k) = observed(:, k) + error*sin(7*real(mine, real64) + 11*k)
    end do
  end subroutine observe

  !> Estimate the state at the start, and write what came of it.
  subroutine estimate()
    real(real64), allocatable :: x(:), gradient(:)
    real(real64) :: before, after, slope, apart, apart_of_library
    integer :: iterations

    x = prior
    slope = taylor_slope(x)
    before = cost(x)
    apart = own_dot_test()
    apart_of_library = 0
    if (.not. advances) then
      call model%dot_test(apart_of_library, status)
      call check('dot_test')
    end if
    call minimise(x, gradient, after, iterations)
    call report([before, after, real(iterations, real64), apart, apart_of_library, slope], x)
  end subroutine estimate

  ! ------------------------------------------------------------------ the model and its derivatives

  !> Step from x, and keep the states after every step.
  subroutine go(x)
    real(real64), intent(in) :: x(:)
    integer :: k

    if (advances) call session%restore(start_file, status)
    call check('restore')
    call session%record(status)
    call check('record')
    call model%put('x', x, status)
    call check('put')
    if (allocated(states)) deallocate (states)
    allocate (states(size(x), steps))
    do k = 1, steps
      if (advances) then
        call session%advance(k*step, status)
      else
        call model%run((k - 1)*step, step, status)
      end if
      call check('step')
      call model%get('x', states(:, k), status)
      call check('get')
    end do
  end subroutine go

  !> Where cells are observed, and how much a departure weighs.
  function weights() result(weight)
    real(real64) :: weight(size(mine))

    weight = merge(1/error**2, 0.0_real64, mod(mine, 2_int64) == 1)
  end function weights

  real(real64) function cost(x)
    real(real64), intent(in) :: x(:)
    integer :: k

    call go(x)
    cost = dot(x - prior, x - prior)/prior_error**2/2
    do k = 1, steps
      cost = cost + dot(weights()*(states(:, k) - observed(:, k)), states(:, k) - observed(:, k))/2
    end do
  end function cost

  !> The cost's gradient at the x from which the last steps were made: back through them, one call each.
  function gradient_at(x) result(gradient)
    real(real64), intent(in) :: x(:)
    real(real64) :: gradient(size(x))
    integer :: k

    do k = steps, 1, -1
      call back(weights()*(states(:, k) - observed(:, k)))
    end do
    call model%get_adjoint('x', gradient, status)
    call check('get_adjoint')
    gradient = gradient + (x - prior)/prior_error**2
  end function gradient_at

  !> Go back through one step, at whose end `forcing` enters.
  subroutine back(forcing)
    real(real64), intent(in) :: forcing(:)

    call model%put_adjoint('x', forcing, status)
    call check('put_adjoint')
    if (advances) then
      call session%adjoint(status)
    else
      call model%adjoint(status)
    end if
    call check('adjoint')
  end subroutine back

  !> |<M dx, dy> - <dx, M* dy>| / (|M dx| |dy|) through all recorded steps, with something entering at each.
  real(real64) function own_dot_test() result(apart)
    real(real64), allocatable :: dx(:), dy(:, :), forward(:, :), found(:)
    integer :: k

    dx = sin(13*real(mine, real64))
    allocate (dy(size(mine), steps), forward(size(mine), steps), found(size(mine)))
    call model%put_tangent('x', dx, status)
    call check('put_tangent')
    do k = 1, steps
      if (advances) then
        call session%tangent(status)
      else
        call model%tangent(status)
      end if
      call check('tangent')
      call model%get_tangent('x', forward(:, k), status)
      call check('get_tangent')
      dy(:, k) = cos(17*real(mine, real64) + k)
    end do
    do k = steps, 1, -1
      call back(dy(:, k))
    end do
    call model%get_adjoint('x', found, status)
    call check('get_adjoint')
    apart = -dot(dx, found)
    do k = 1, steps
      apart = apart + dot(forward(:, k), dy(:, k))
    end do
    apart = abs(apart)/sqrt(squares(forward)*squares(dy))
  end function own_dot_test

  !> The order at which J(x + h d) - J(x) - h <gradient, d> vanishes with h.
  real(real64) function taylor_slope(x) result(slope)
    real(real64), intent(in) :: x(:)
    real(real64) :: direction(size(x)), start, along, left(2)
    integer :: k

    direction = cos(5*real(mine, real64))
    start = cost(x)
    along = dot(gradient_at(x), direction)
    do k = 1, 2
      left(k) = abs(cost(x + length/k*direction) - start - length/k*along)
    end do
    slope = log(left(1)/left(2))/log(2.0_real64)
  end function taylor_slope

  ! ------------------------------------------------------------------ the minimisation

  !> Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), each step halved until it descends.
  subroutine minimise(x, gradient, value, iterations)
    real(real64), intent(inout) :: x(:)
    real(real64), allocatable, intent(out) :: gradient(:)
    real(real64), intent(out) :: value
    integer, intent(out) :: iterations
    real(real64) :: moved(size(x), memory), turned(size(x), memory), direction(size(x)), new(size(x))
    real(real64) :: first, lower, length_of_step
    integer :: known

    known = 0
    value = cost(x)
    gradient = gradient_at(x)
    first = sqrt(dot(gradient, gradient))
    do iterations = 1, most
      direction = -towards(gradient, moved, turned, known)
      length_of_step = 1
      if (known == 0) length_of_step = prior_error**2/10
      do
        lower = cost(x + length_of_step*direction)
        if (lower <= value + 1e-4_real64*length_of_step*dot(gradient, direction)) exit
        length_of_step = length_of_step/2
        if (length_of_step < 1e-12_real64) return
      end do
      new = gradient_at(x + length_of_step*direction)
      call remember(moved, length_of_step*direction, known)
      call remember(turned, new - gradient, known)
      known = min(known + 1, memory)
      x = x + length_of_step*direction
      gradient = new
      value = lower
      if (sqrt(dot(gradient, gradient)) <= 1e-8_real64*first) exit
    end do
  end subroutine minimise

  !> Put the newest pair in front.
  subroutine remember(columns, newest, known)
    real(real64), intent(inout) :: columns(:, :)
    real(real64), intent(in) :: newest(:)
    integer, intent(in) :: known
    integer :: k

    do k = min(known + 1, memory), 2, -1
      columns(:, k) = columns(:, k - 1)
    end do
    columns(:, 1) = newest
  end subroutine remember

  !> The inverse Hessian that the pairs tell of, applied to the gradient.
  function towards(gradient, moved, turned, known) result(q)
    real(real64), intent(in) :: gradient(:), moved(:, :), turned(:, :)
    integer, intent(in) :: known
    real(real64) :: q(size(gradient)), alpha(memory)
    integer :: k

    q = gradient
    do k = 1, known
      alpha(k) = dot(moved(:, k), q)/dot(turned(:, k), moved(:, k))
      q = q - alpha(k)*turned(:, k)
    end do
    if (known > 0) q = q*(dot(moved(:, 1), turned(:, 1))/dot(turned(:, 1), turned(:, 1)))
    do k = known, 1, -1
      q = q + moved(:, k)*(alpha(k) - dot(turned(:, k), q)/dot(turned(:, k), moved(:, k)))
    end do
  end function towards

  ! ------------------------------------------------------------------ vectors that ranks share

  !> A vector of all cells, on all ranks: the same bits for any number of them.
  function whole(part) result(vector)
    real(real64), intent(in) :: part(:)
    real(real64) :: vector(cells)

    vector = 0
    vector(mine) = part
#ifdef MPI
    call MPI_Allreduce(MPI_In_place, vector, cells, MPI_Double_precision, MPI_Sum, MPI_Comm_world)
#endif
  end function whole

  !> Inner product of vectors of this rank's cells, added in the order of all cells.
  real(real64) function dot(a, b)
    real(real64), intent(in) :: a(:), b(:)
    real(real64) :: products(cells)
    integer :: i

    products = whole(a*b)
    dot = 0
    do i = 1, cells
      dot = dot + products(i)
    end do
  end function dot

  real(real64) function squares(columns)
    real(real64), intent(in) :: columns(:, :)
    integer :: k

    squares = 0
    do k = 1, size(columns, 2)
      squares = squares + dot(columns(:, k), columns(:, k))
    end do
  end function squares

  ! ------------------------------------------------------------------ output

  subroutine report(figures, x)
    real(real64), intent(in) :: figures(:), x(:)
    real(real64) :: analysis(cells)

    analysis = whole(x)
    if (rank /= 0) return
    write (file, '(6es25.16e3)') figures
    write (file, '(es25.16e3)') analysis
  end subroutine report

  function argument(number) result(text)
    integer, intent(in) :: number
    character(:), allocatable :: text
    integer :: length_of_text

    call get_command_argument(number, length=length_of_text)
    allocate (character(length_of_text) :: text)
    call get_command_argument(number, text)
  end function argument

  subroutine check(doing)
    character(*), intent(in) :: doing

    if (.not. status%failed()) return
    write (error_unit, '(6a)') doing, ': ', status%name(), ': '//status%message, new_line('a'), status%traceback
    error stop 1
  end subroutine check
end program fourdvar
