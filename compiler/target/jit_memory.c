/* Memory of code that is loaded into this process: one range for all objects
 * of an engine, so that each reaches the others' symbols with 32 bits, however
 * much else the process has taken in between.
 *
 * needs       at most RANGE bytes of code and data
 * guarantees  code can be run and not be written once its object is linked */
#include <llvm-c/Core.h>
#include <llvm-c/OrcEE.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/jit_memory.h"

static const size_t RANGE = (size_t)1 << 30;

typedef struct Section {
    char *at;
    size_t size;
} Section;

struct JitMemory {
    char *at;
    size_t used;
};

/* One object's; objects are linked while others are. */
typedef struct Object {
    JitMemory *memory;
    Section *code;
    int ncode;
} Object;

/* Pages that can be written; alignments are below a page. */
static char *take(JitMemory *memory, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    char *at = memory->at + memory->used;
    if (whole > RANGE - memory->used || mprotect(at, whole, PROT_READ | PROT_WRITE))
        return NULL;
    memory->used += whole;
    return at;
}

static uint8_t *take_code(void *opaque, uintptr_t size, unsigned alignment, unsigned id,
                          const char *name)
{
    (void)alignment, (void)id, (void)name;
    Object *object = opaque;
    char *at = take(object->memory, size);
    Section *code = realloc(object->code, (size_t)(object->ncode + 1) * sizeof *code);
    if (!at || !code)
        return NULL;
    object->code = code;
    object->code[object->ncode++] = (Section){at, size};
    return (uint8_t *)at;
}

static uint8_t *take_data(void *opaque, uintptr_t size, unsigned alignment, unsigned id,
                          const char *name, LLVMBool read_only)
{
    (void)alignment, (void)id, (void)name, (void)read_only;
    return (uint8_t *)take(((Object *)opaque)->memory, size);
}

static LLVMBool make_runnable(void *opaque, char **message)
{
    const Object *object = opaque;
    for (int i = 0; i < object->ncode; i++) {
        Section code = object->code[i];
        if (mprotect(code.at, code.size, PROT_READ | PROT_EXEC)) {
            *message = LLVMCreateMessage("memory cannot be made code");
            return 1;
        }
        __builtin___clear_cache(code.at, code.at + code.size);
    }
    return 0;
}

/* ---- The layer of an engine ----------------------------------------------------- */

static void *open_object(void *memory)
{
    Object *object = calloc(1, sizeof *object);
    if (!object)
        fail_file("no memory for code");
    object->memory = memory;
    return object;
}

static void close_object(void *opaque)
{
    Object *object = opaque;
    free(object->code);
    free(object);
}

static void no_more_objects(void *memory)
{
    (void)memory;
}

static LLVMOrcObjectLayerRef new_layer(void *memory, LLVMOrcExecutionSessionRef session,
                                       const char *triple)
{
    (void)triple;
    return LLVMOrcCreateRTDyldObjectLinkingLayerWithMCJITMemoryManagerLikeCallbacks(
        session, memory, open_object, no_more_objects, take_code, take_data, make_runnable,
        close_object);
}

JitMemory *jit_memory_for(LLVMOrcLLJITBuilderRef builder)
{
    JitMemory *memory = calloc(1, sizeof *memory);
    if (!memory)
        fail_file("no memory for code");
    memory->at = mmap(NULL, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->at == MAP_FAILED)
        fail_file("no memory for code");
    LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(builder, new_layer, memory);
    return memory;
}

void jit_memory_free(JitMemory *memory)
{
    munmap(memory->at, RANGE);
    free(memory);
}
