/* arrays.h: what can be said of an array of the host without knowing the field that it is meant for. */
#ifndef TW_ARRAYS_H
#define TW_ARRAYS_H

#include "engine.h"

/* Bytes of one element; 0 where the kind is none of ours. */
int64_t tw_element_size(int32_t kind);
/* Number of elements. */
int64_t tw_array_count(const tradewind_array *array);
/* Whether rank, kind, extents and strides can be those of an array. Fills code, field and message if not. */
int tw_check_array(const tradewind_array *array, const tradewind_how *how, const char *field,
                   tradewind_status *status);
/* Whether all elements are finite; integers are. */
int tw_check_finite(const tradewind_array *array, const char *field, tradewind_status *status);

#endif
