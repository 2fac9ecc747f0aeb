# aecc_add_trainer(name file.nn [option ...])
# A target `name` that compiles file.nn to the trainer ${CMAKE_CURRENT_BINARY_DIR}/name;
# compiled again when the file or one that it imports changes.
function(aecc_add_trainer name file)
  get_filename_component(source ${file} ABSOLUTE)
  set(trainer ${CMAKE_CURRENT_BINARY_DIR}/${name})
  add_custom_command(OUTPUT ${trainer}
                     COMMAND aecc::aecc ${source} -o ${trainer} -MD -MF ${trainer}.d ${ARGN}
                     DEPENDS ${source} aecc::aecc
                     DEPFILE ${trainer}.d
                     VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${trainer})
endfunction()
