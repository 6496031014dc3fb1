#include "ir/passes.h"

const Pass pass_table[] = {
    {"fold", 'f', pass_fold},
    {"expand", 'e', pass_expand},
    {"layout", 'l', pass_layout},
    {"fuse", 'g', pass_fuse},
};
const int pass_count = COUNT_OF(pass_table);
