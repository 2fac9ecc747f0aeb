# cmake -DOUT=std.c -DFILES="a.nn;b.nn" -P EmbedStd.cmake
# Writes the standard library's text as C strings, a line for a line.

set(table "")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  file(READ ${path} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  string(APPEND table "    {\"${name}\",\n     \"${text}\"},\n")
endforeach()
list(LENGTH FILES count)
file(WRITE ${OUT} "/* Made by cmake/EmbedStd.cmake from dsl/std. */
#include \"aecc.h\"

const struct StdFile std_files[] = {
${table}    {NULL, NULL},
};
const int std_file_count = ${count};
")
