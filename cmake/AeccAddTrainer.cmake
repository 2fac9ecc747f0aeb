# aecc_add_trainer(name file.nn [option ...])
# A target `name`, built by default: aecc makes file.nn, with these options,
# the trainer ${CMAKE_CURRENT_BINARY_DIR}/trainers/name, and makes it again when
# the file or one that it imports changes.
function(aecc_add_trainer name file)
  get_filename_component(source ${file} ABSOLUTE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/trainers)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${folder}/${name}
                     COMMAND aecc::aecc ${source} -o ${folder}/${name}
                             -MD -MF ${folder}/${name}.d ${ARGN}
                     DEPENDS ${source} aecc::aecc
                     DEPFILE ${folder}/${name}.d
                     VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${folder}/${name})
endfunction()
