/* lunette.h over model.h. */
#include "frontend/model.h"

#include <stdio.h>
#include <string.h>

static LunetteStatus report(const Diag *d, LunetteError *e) {
    if (e) {
        e->status = (LunetteStatus)d->kind;
        snprintf(e->message, sizeof e->message, "%s", d->text);
    }
    return (LunetteStatus)d->kind;
}

LunetteStatus lunette_open(const char *spec, const LunetteOptions *options, LunetteModel **model, LunetteError *error) {
    Diag d = {0};
    *model = NULL;
    LunetteModel *m =
        spec ? model_load(spec, options, NULL, NULL, &d) : (diag_fail(&d, DIAG_USAGE, "the spec is NULL"), NULL);
    if (m && model_weights(m, &d) && model_build(m, &d)) *model = m;
    else model_close(m);
    return report(&d, error);
}

int lunette_input_count(const LunetteModel *model) { return model->plan->n_input; }
int lunette_output_count(const LunetteModel *model) { return model->plan->n_output; }

_Static_assert((int)LUNETTE_F32 == DT_F32 && (int)LUNETTE_I64 == DT_I64 && (int)LUNETTE_I32 == DT_I32 &&
                   (int)LUNETTE_U8 == DT_U8 && (int)LUNETTE_BOOL == DT_BOOL,
               "the same types in the same places");
_Static_assert((int)LUNETTE_MAX_RANK == (int)MAX_RANK, "a port has no more axes");

static LunetteTensor describe(const PlanPort *p) {
    LunetteTensor t = {.name = p->name,
                       .type = (LunetteType)p->type.dtype,
                       .rank = p->type.rank,
                       .elements = type_elements(&p->type),
                       .bytes = type_bytes(&p->type)};
    for (int i = 0; i < p->type.rank && i < LUNETTE_MAX_RANK; i++) t.extent[i] = p->type.axis[i].extent;
    return t;
}

LunetteTensor lunette_input(const LunetteModel *model, int i) { return describe(&model->plan->input[i]); }
LunetteTensor lunette_output(const LunetteModel *model, int i) { return describe(&model->plan->output[i]); }

LunetteStatus lunette_run(LunetteModel *model, const void *const *inputs, void *const *outputs, LunetteError *error) {
    Diag d = {0};
    for (int i = 0; i < model->plan->n_input; i++)
        if (!inputs || !inputs[i]) diag_fail(&d, DIAG_USAGE, "input %s is NULL", model->plan->input[i].name);
    for (int i = 0; i < model->plan->n_output; i++)
        if (!outputs || !outputs[i]) diag_fail(&d, DIAG_USAGE, "output %s is NULL", model->plan->output[i].name);
    if (d.kind == DIAG_NONE && model_inputs_good(model, inputs, &d)) model_run(model, inputs, outputs);
    return report(&d, error);
}

void lunette_close(LunetteModel *model) { model_close(model); }

const char *lunette_version(void) { return LUNETTE_VERSION; }

const char *lunette_note(const LunetteModel *model, int i) { return i >= 0 && i < model->n_note ? model->note[i] : NULL; }
