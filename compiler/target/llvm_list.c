/* --print-targets: the architectures that this LLVM makes code for. */
#include "target/llvm.h"

#include <llvm-c/Target.h>

void print_targets(Text *out)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    for (LLVMTargetRef t = LLVMGetFirstTarget(); t; t = LLVMGetNextTarget(t))
        if (LLVMTargetHasTargetMachine(t) && LLVMTargetHasAsmBackend(t))
            text_printf(out, "%-14s %s\n", LLVMGetTargetName(t), LLVMGetTargetDescription(t));
    char *host = LLVMGetDefaultTargetTriple();
    text_printf(out, "\nA triple names one of them, the default is %s.\n", host);
    LLVMDisposeMessage(host);
}
