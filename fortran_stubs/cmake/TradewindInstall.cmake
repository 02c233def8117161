# Where everything goes: libraries, header, module, CMake package, pkg-config files. All of it can be moved.
include(CMakePackageConfigHelpers)

set(TRADEWIND_PACKAGE "${CMAKE_INSTALL_LIBDIR}/cmake/tradewind")
set_target_properties(tradewind_stub PROPERTIES EXPORT_NAME stub)
install(TARGETS tradewind tradewind_stub EXPORT tradewind
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT tradewind FILE tradewindTargets.cmake NAMESPACE tradewind:: DESTINATION ${TRADEWIND_PACKAGE})
install(FILES "${TRADEWIND_ROOT}/tradewind.h" "${CMAKE_Fortran_MODULE_DIRECTORY}/tradewind.mod"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_package_config_file("${TRADEWIND_ROOT}/cmake/tradewindConfig.cmake.in" tradewindConfig.cmake
  INSTALL_DESTINATION ${TRADEWIND_PACKAGE})
write_basic_package_version_file(tradewindConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tradewindConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/tradewindConfigVersion.cmake" DESTINATION ${TRADEWIND_PACKAGE})

# tradewind_pkgconfig(NAME ABOUT)
function(tradewind_pkgconfig name about)
  set(TRADEWIND_PC_NAME ${name})
  set(TRADEWIND_PC_ABOUT "${about}")
  file(RELATIVE_PATH TRADEWIND_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" TRADEWIND_PC_UP "${TRADEWIND_PC_UP}")
  configure_file("${TRADEWIND_ROOT}/cmake/tradewind.pc.in" ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

tradewind_pkgconfig(tradewind "surrogates and coupled runs behind a few Fortran calls")
tradewind_pkgconfig(tradewind_stub "the same calls without Python: replays or persists fields")
