# LLVM::C: the shared libLLVM with its C API, 19 or newer, by llvm-config.

set(names llvm-config)
foreach(version RANGE 19 30)
  list(PREPEND names llvm-config-${version})
endforeach()
find_program(LLVM_CONFIG NAMES ${names} REQUIRED)

function(llvm_config out)
  execute_process(COMMAND ${LLVM_CONFIG} ${ARGN} OUTPUT_VARIABLE text
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

llvm_config(LLVM_VERSION --version)
if(LLVM_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "aecc needs LLVM 19 or newer; ${LLVM_CONFIG} is of ${LLVM_VERSION}")
endif()
llvm_config(LLVM_INCLUDE --includedir)
llvm_config(LLVM_LIBDIR --libdir)
llvm_config(LLVM_LIBS --libs --link-shared)
message(STATUS "LLVM ${LLVM_VERSION}: ${LLVM_CONFIG}")

add_library(LLVM::C INTERFACE IMPORTED)
set_target_properties(LLVM::C PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${LLVM_INCLUDE}"
  INTERFACE_LINK_DIRECTORIES "${LLVM_LIBDIR}"
  INTERFACE_LINK_LIBRARIES "${LLVM_LIBS}")
