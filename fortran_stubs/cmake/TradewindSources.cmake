# What the libraries are made of: every C file below engine/; the stub goes without Python.
set(TRADEWIND_ROOT "${CMAKE_CURRENT_SOURCE_DIR}")
file(GLOB_RECURSE TRADEWIND_SOURCES CONFIGURE_DEPENDS "${TRADEWIND_ROOT}/engine/*.c")
# the shim is a library of its own
list(FILTER TRADEWIND_SOURCES EXCLUDE REGEX "/engine/(shim|mpi_shim)[^/]*[.]c$")

# tradewind_assumed_rank(): sets TRADEWIND_HAVE_ASSUMED_RANK; without it there is nothing to describe arrays with.
function(tradewind_assumed_rank)
  include(CheckFortranSourceCompiles)
  if(TRADEWIND_ASSUMED_RANK STREQUAL "AUTO")
    file(READ "${TRADEWIND_ROOT}/cmake/assumed_rank.f90" source)
    # it calls C that is not there: it need only compile
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    check_fortran_source_compiles("${source}" TRADEWIND_HAVE_ASSUMED_RANK SRC_EXT f90)
  else()
    set(TRADEWIND_HAVE_ASSUMED_RANK ${TRADEWIND_ASSUMED_RANK})
  endif()
  set(TRADEWIND_HAVE_ASSUMED_RANK ${TRADEWIND_HAVE_ASSUMED_RANK} PARENT_SCOPE)
endfunction()

tradewind_assumed_rank()
if(NOT TRADEWIND_HAVE_ASSUMED_RANK)
  message(STATUS "arrays: generics over kinds and ranks, since this compiler has no assumed rank")
  list(FILTER TRADEWIND_SOURCES EXCLUDE REGEX "/engine/descriptors[.]c$")
endif()
set(TRADEWIND_STUB_SOURCES "${TRADEWIND_SOURCES}")
list(FILTER TRADEWIND_STUB_SOURCES EXCLUDE REGEX "/engine/python/")

# tradewind_mpi(): sets TRADEWIND_HAVE_MPI. The MPI is that of the Fortran compiler: a Python environment that comes
# with an mpicc of its own may stand first on the path, and a host cannot have two.
function(tradewind_mpi)
  set(found FALSE)
  if(NOT MPI_C_COMPILER)
    find_program(TRADEWIND_MPIFORT NAMES mpifort mpif90)
    if(TRADEWIND_MPIFORT)
      get_filename_component(beside "${TRADEWIND_MPIFORT}" DIRECTORY)
      find_program(MPI_C_COMPILER mpicc PATHS "${beside}" NO_DEFAULT_PATH)
    endif()
  endif()
  if(NOT TRADEWIND_MPI STREQUAL "OFF")
    if(TRADEWIND_MPI STREQUAL "ON")
      find_package(MPI REQUIRED COMPONENTS C)
    else()
      find_package(MPI COMPONENTS C)
    endif()
    set(found ${MPI_C_FOUND})
  endif()
  set(TRADEWIND_HAVE_MPI ${found} PARENT_SCOPE)
endfunction()

# The module is the same for both libraries, so it is compiled once.
function(tradewind_fortran_module)
  set(source "${TRADEWIND_ROOT}/tradewind.f90")
  if(NOT TRADEWIND_HAVE_ASSUMED_RANK)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    tradewind_fallback("${source}" "${CMAKE_CURRENT_BINARY_DIR}/tradewind.f90")
    set(source "${CMAKE_CURRENT_BINARY_DIR}/tradewind.f90")
  endif()
  add_library(tradewind_module OBJECT "${source}")
  target_link_libraries(tradewind_module PRIVATE tradewind_flags)
endfunction()

# tradewind_library(NAME SOURCES): a shared library of the module and these C files.
function(tradewind_library name sources)
  add_library(${name} SHARED $<TARGET_OBJECTS:tradewind_module> ${sources})
  add_dependencies(${name} tradewind_module)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${TRADEWIND_ROOT}> $<BUILD_INTERFACE:${CMAKE_Fortran_MODULE_DIRECTORY}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_definitions(${name} PRIVATE
    _GNU_SOURCE TRADEWIND_VERSION="${PROJECT_VERSION}"
    $<$<BOOL:${TRADEWIND_PYTHON}>:TRADEWIND_BUILD_PYTHON="${TRADEWIND_PYTHON}">)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:tradewind_flags> ${CMAKE_DL_LIBS} Threads::Threads m)
  if(UNIX AND NOT APPLE)
    target_link_options(${name} PRIVATE "-Wl,--version-script=${TRADEWIND_ROOT}/cmake/exported.map")
    set_target_properties(${name} PROPERTIES LINK_DEPENDS "${TRADEWIND_ROOT}/cmake/exported.map")
  endif()
  if(TRADEWIND_HAVE_MPI)
    target_compile_definitions(${name} PRIVATE TRADEWIND_HAVE_MPI)
    target_link_libraries(${name} PRIVATE MPI::MPI_C)
  endif()
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
endfunction()

# tradewind_optional(OPTION FOLDER): a part with a library of its own, where it is there and wanted.
function(tradewind_optional option folder)
  if(${option} STREQUAL "OFF" OR NOT EXISTS "${TRADEWIND_ROOT}/${folder}/CMakeLists.txt")
    return()
  endif()
  add_subdirectory(${folder})
endfunction()

find_package(Threads REQUIRED)
