# bin/aecc, lib/aecc/libaecc_rt.a, and what find_package(aecc) reads.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/aecc)

if(TARGET aecc)
  install(TARGETS aecc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET aecc_rt)
  install(TARGETS aecc_rt ARCHIVE DESTINATION lib/aecc)
endif()
install(FILES runtime/aecc_rt.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md LICENSE dsl/REFERENCE.md docs/trainer.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DATADIR}/aecc
        FILES_MATCHING PATTERN "*.nn" PATTERN "*.csv")

configure_package_config_file(cmake/aeccConfig.cmake.in aeccConfig.cmake
                              INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(aeccConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/aeccConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/aeccConfigVersion.cmake
              cmake/AeccAddTrainer.cmake
        DESTINATION ${package_dir})
