#include "ir/passes.h"

const Pass pass_table[] = {
    {"fold", 'f', pass_fold},
    {"layout", 'l', pass_layout},
    {"fuse", 'g', pass_fuse},
};
const int pass_count = COUNT_OF(pass_table);
