/* Between safetensors.c and safetensors_write.c only. */
#ifndef LUNETTE_DATA_SAFETENSORS_DTYPE_H
#define LUNETTE_DATA_SAFETENSORS_DTYPE_H

#include "frontend/data/array.h"

const char *safetensors_dtype(ElemType t); /* "F32", … */

#endif
