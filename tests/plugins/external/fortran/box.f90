! A box that is filled and empties, its tangent and its adjoint, on files:
!
!   a' = (a + dt f) / (1 + dt k (1 + a / c))      semi-implicit, in substeps
!   level = a^2 / c                               in cm, where amounts are in g
!
! Reads box.nml, forcing.nc (INFLOW g s-1, RATE h-1), restart.nc (AMOUNT g) and clock.bin; writes restart.nc,
! clock.bin and output.nc (LEVEL cm, ELAPSED s). In the other modes reads given.nc and writes found.nc instead.
program box
  use netcdf
  implicit none
  integer, parameter :: dp = kind(1.0d0)
  real(dp), parameter :: capacity = 2000.0_dp
  character(len=16) :: mode
  character(len=32) :: start
  integer :: seconds, substeps, nx, ny, n
  real(dp) :: rate, dt
  real(dp), allocatable :: amount(:, :), inflow(:, :), path(:, :, :)
  namelist /box_settings/ mode, seconds, substeps, start

  open (10, file='box.nml', status='old')
  read (10, nml=box_settings)
  close (10)
  print '(4a, i0, a)', 'box: ', trim(mode), ' from ', trim(start)//' for ', seconds, ' s'
  call field('restart.nc', 'AMOUNT', amount)
  call field('forcing.nc', 'INFLOW', inflow)
  rate = number('forcing.nc', 'RATE') / 3600.0_dp
  dt = real(seconds, dp) / substeps
  nx = size(amount, 1)
  ny = size(amount, 2)
  allocate (path(nx, ny, 0:substeps))
  path(:, :, 0) = amount
  do n = 1, substeps
    path(:, :, n) = (path(:, :, n - 1) + dt * inflow) / (1 + dt * rate * (1 + path(:, :, n - 1) / capacity))
  end do
  select case (mode)
  case ('forward')
    call finish()
  case ('tangent')
    call tangent()
  case ('adjoint')
    call adjoint()
  case default
    error stop 'box: unknown mode'
  end select

contains

  subroutine finish()
    integer :: file, made, dims(2)
    integer :: steps
    real(dp) :: elapsed
    steps = 0
    elapsed = 0
    open (11, file='clock.bin', form='unformatted', access='stream', status='unknown')
    read (11, end=100) steps, elapsed
100 rewind (11)
    steps = steps + 1
    elapsed = elapsed + seconds
    write (11) steps, elapsed
    close (11)
    call check(nf90_open('restart.nc', nf90_write, file))
    call check(nf90_inq_varid(file, 'AMOUNT', made))
    call check(nf90_put_var(file, made, path(:, :, substeps)))
    call check(nf90_close(file))
    call begin('output.nc', file, dims)
    call put(file, dims, 'LEVEL', path(:, :, substeps)**2 / capacity, 'cm')
    call put_number(file, 'ELAPSED', elapsed)
    call check(nf90_close(file))
  end subroutine

  subroutine tangent()
    real(dp), allocatable :: da(:, :), df(:, :), below(:, :)
    real(dp) :: dk
    integer :: file, dims(2)
    call field('given.nc', 'state_amount', da)
    call field('given.nc', 'import_inflow', df)
    dk = number('given.nc', 'parameter_rate') / 3600.0_dp
    allocate (below(nx, ny))
    do n = 1, substeps
      below = 1 + dt * rate * (1 + path(:, :, n - 1) / capacity)
      da = (da + dt * df - path(:, :, n) * dt * (rate * da / capacity &
            + dk * (1 + path(:, :, n - 1) / capacity))) / below
    end do
    call begin('found.nc', file, dims)
    call put(file, dims, 'state_amount', da)
    call put(file, dims, 'export_level', 2 * path(:, :, substeps) * da / capacity)
    call put_number(file, 'export_elapsed', 0.0_dp)
    call check(nf90_close(file))
  end subroutine

  subroutine adjoint()
    real(dp), allocatable :: ba(:, :), bf(:, :), level(:, :), below(:, :)
    real(dp) :: bk
    integer :: file, dims(2)
    call field('given.nc', 'state_amount', ba)
    call field('given.nc', 'export_level', level)
    ba = ba + 2 * path(:, :, substeps) * level / capacity
    allocate (bf(nx, ny), below(nx, ny))
    bf = 0
    bk = 0
    do n = substeps, 1, -1
      below = 1 + dt * rate * (1 + path(:, :, n - 1) / capacity)
      bf = bf + dt * ba / below
      bk = bk - sum(ba * path(:, :, n) * dt * (1 + path(:, :, n - 1) / capacity) / below)
      ba = ba * (1 - path(:, :, n) * dt * rate / capacity) / below
    end do
    call begin('found.nc', file, dims)
    call put(file, dims, 'state_amount', ba)
    call put(file, dims, 'import_inflow', bf)
    call put_number(file, 'parameter_rate', bk / 3600.0_dp)
    call check(nf90_close(file))
  end subroutine

  subroutine field(name, variable, values)
    character(len=*), intent(in) :: name, variable
    real(dp), allocatable, intent(out) :: values(:, :)
    integer :: file, found, dims(2), lengths(2), k
    call check(nf90_open(name, nf90_nowrite, file))
    call check(nf90_inq_varid(file, variable, found))
    call check(nf90_inquire_variable(file, found, dimids=dims))
    do k = 1, 2
      call check(nf90_inquire_dimension(file, dims(k), len=lengths(k)))
    end do
    allocate (values(lengths(1), lengths(2)))
    call check(nf90_get_var(file, found, values))
    call check(nf90_close(file))
  end subroutine

  real(dp) function number(name, variable)
    character(len=*), intent(in) :: name, variable
    integer :: file, found
    call check(nf90_open(name, nf90_nowrite, file))
    call check(nf90_inq_varid(file, variable, found))
    call check(nf90_get_var(file, found, number))
    call check(nf90_close(file))
  end function

  subroutine begin(name, file, dims)
    character(len=*), intent(in) :: name
    integer, intent(out) :: file, dims(2)
    call check(nf90_create(name, ior(nf90_clobber, nf90_64bit_offset), file))
    call check(nf90_def_dim(file, 'x', nx, dims(1)))
    call check(nf90_def_dim(file, 'y', ny, dims(2)))
    call check(nf90_enddef(file))
  end subroutine

  subroutine put(file, dims, variable, values, units)
    integer, intent(in) :: file, dims(2)
    character(len=*), intent(in) :: variable
    real(dp), intent(in) :: values(:, :)
    character(len=*), intent(in), optional :: units
    integer :: made
    call check(nf90_redef(file))
    call check(nf90_def_var(file, variable, nf90_double, dims, made))
    if (present(units)) call check(nf90_put_att(file, made, 'units', units))
    call check(nf90_enddef(file))
    call check(nf90_put_var(file, made, values))
  end subroutine

  subroutine put_number(file, variable, value)
    integer, intent(in) :: file
    character(len=*), intent(in) :: variable
    real(dp), intent(in) :: value
    integer :: made
    call check(nf90_redef(file))
    call check(nf90_def_var(file, variable, nf90_double, made))
    call check(nf90_enddef(file))
    call check(nf90_put_var(file, made, value))
  end subroutine

  subroutine check(status)
    integer, intent(in) :: status
    if (status == nf90_noerr) return
    print *, 'box: ', trim(nf90_strerror(status))
    error stop 2
  end subroutine

end program box
