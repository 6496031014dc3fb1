/* Schedules by layer, from a Lua file: what `lunette tune` writes.
 *
 *   schedules {
 *       ["layer1.0.conv1"] = "fuse h w -> hw; split O 2 -> O_o O_i; …",
 *   }
 *
 * The file runs in the sandbox of specs (spec.h). The same call may stand in a spec. */
#ifndef LUNETTE_FRONTEND_LUA_SCHEDULES_H
#define LUNETTE_FRONTEND_LUA_SCHEDULES_H

#include "ir/base.h"

typedef struct ScheduleEntry {
    const char *layer; /* the anchor of a kernel's group */
    const char *steps; /* for kernel_schedule; not checked here */
} ScheduleEntry;

typedef struct ScheduleList {
    ScheduleEntry *v;
    int n, cap;
} ScheduleList;

/* Reads the file into the arena. False with DIAG_SPEC (file and line), DIAG_FILE or DIAG_MACHINE. */
bool schedules_load(Arena *a, const char *path, ScheduleList *out, Diag *d);

#endif
