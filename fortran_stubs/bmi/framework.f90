!> What a framework does with a BMI model: ask, change, advance, read.
program framework
  use bmi_tradewind, only: tradewind_bmi
  use bmif_2_0, only: bmi_max_component_name, bmi_max_var_name, bmi_success
  implicit none
  type(tradewind_bmi) :: model
  character(bmi_max_component_name), pointer :: title
  character(bmi_max_var_name), pointer :: names(:)
  character(32) :: type, units, grid_type
  double precision, pointer :: seen(:)
  double precision, allocatable :: x(:)
  double precision :: now, stop, step
  real :: wrong(1)
  integer :: n, grid, size, bytes

  call need(model%initialize('model.nml'))
  call need(model%get_component_name(title))
  call need(model%get_output_item_count(n))
  call need(model%get_output_var_names(names))
  print '(a, 1x, i0, 9(1x, a))', trim(title), n, trim(names(1))
  call need(model%get_var_type(names(1), type))
  call need(model%get_var_units(names(1), units))
  call need(model%get_var_nbytes(names(1), bytes))
  call need(model%get_var_grid(names(1), grid))
  call need(model%get_grid_size(grid, size))
  call need(model%get_grid_type(grid, grid_type))
  print '(a, 1x, a, 2(1x, i0), 1x, a)', trim(type), trim(units), bytes, size, trim(grid_type)
  call need(model%get_end_time(stop))
  call need(model%get_time_step(step))
  allocate (x(size))
  x = 8
  call need(model%set_value_double(names(1), x))
  call need(model%set_value_at_indices_double(names(1), [20], [8.01d0]))
  call need(model%get_value_ptr_double(names(1), seen))
  call need(model%update())
  call need(model%update_until(stop))
  call need(model%get_current_time(now))
  print '(3f9.1)', step, stop, now
  call need(model%get_value_double(names(1), x))
  print '(l1)', all(abs(x - seen) <= 0)
  print '(z16.16)', x
  print '(4(1x, i0))', model%get_value_float(names(1), wrong), model%get_value_double('nobody', x), &
    model%get_value_double(names(1), x(2:)), model%get_grid_x(grid, x)
  call need(model%finalize())
contains
  subroutine need(code)
    integer, intent(in) :: code

    if (code /= bmi_success) error stop 'not a success'
  end subroutine need
end program framework
