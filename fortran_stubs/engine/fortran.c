/* fortran.c: texts with lengths and choices by number, as tradewind.f90 hands them over. */
#include <stdlib.h>
#include <string.h>

#include "descriptors.h"
#include "handles.h"

/* A Fortran text as a C string. Names are short: the heap is only for those that are wrong anyway. */
typedef struct {
  char buffer[TRADEWIND_NAME_LENGTH];
  char *string;
} tw_text;

static int64_t trimmed(const char *text, int64_t length) {
  while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\0')) length--;
  return length;
}

static int text_open(tw_text *copy, const char *text, int64_t length) {
  size_t size = (size_t)trimmed(text, length);

  copy->string = size < sizeof copy->buffer ? copy->buffer : malloc(size + 1);
  if (copy->string == NULL) return TRADEWIND_MEMORY;
  memcpy(copy->string, text, size);
  copy->string[size] = '\0';
  return TRADEWIND_OK;
}

static void text_close(tw_text *copy) {
  if (copy->string != copy->buffer) free(copy->string);
}

typedef int (*tw_call)(tradewind_component, const char *, const tradewind_array *, const tradewind_how *,
                       tradewind_status *);

static const tw_call CALLS[] = {
    [TW_DO_PUT] = tradewind_put,
    [TW_DO_PUT_TANGENT] = tradewind_put_tangent,
    [TW_DO_PUT_ADJOINT] = tradewind_put_adjoint,
    [TW_DO_GET] = tradewind_get,
    [TW_DO_GET_TANGENT] = tradewind_get_tangent,
    [TW_DO_GET_ADJOINT] = tradewind_get_adjoint,
    [TW_DO_BIND] = tradewind_bind,
};

int tradewind_fortran_exchange(int64_t component, int action, const char *name, int64_t length,
                               const tradewind_array *array, const char *units, int64_t units_length, int64_t first,
                               int options, tradewind_status *status) {
  tw_text its_name, its_units = {.string = NULL};
  tradewind_how how = {NULL, first, options & TW_CAST, options & TW_CONVERT};
  int code = TRADEWIND_MEMORY;

  /* where there is no memory, a name that is NULL still leads into the library, which remembers the failure */
  int whole = text_open(&its_name, name, length) == TRADEWIND_OK;
  if (units != NULL) whole = text_open(&its_units, units, units_length) == TRADEWIND_OK && whole;
  how.units = its_units.string;
  code = CALLS[action](component, whole ? its_name.string : NULL, array, &how, status);
  text_close(&its_name);
  if (units != NULL) text_close(&its_units);
  return code;
}

/* The host's procedures, for as long as the session may call them. */
typedef struct {
  tw_keepsake link;
  tw_steps steps;
} tw_kept_steps;

int tradewind_fortran_register(int64_t component, const tw_steps *steps, tradewind_step step, tradewind_step tangent,
                               tradewind_step adjoint, tradewind_status *status) {
  tw_kept_steps *kept = malloc(sizeof *kept);

  if (kept == NULL) return tradewind_register(component, NULL, NULL, NULL, NULL, status);
  kept->steps = *steps;
  const int code = tradewind_register(component, step, tangent, adjoint, &kept->steps, status);
  if (code != TRADEWIND_OK || !tw_keep(component, &kept->link)) free(kept);
  return code;
}
