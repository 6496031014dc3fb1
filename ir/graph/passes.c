#include "ir/passes.h"

const Pass pass_table[] = {
    {"fold", 'f', pass_fold},
    {"expand", 'e', pass_expand},
    {"layout", 'l', pass_layout},
    {"place", 'm', pass_place},
    {"fuse", 'g', pass_fuse},
};
const int pass_count = COUNT_OF(pass_table);
