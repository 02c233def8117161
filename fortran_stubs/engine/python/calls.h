/* calls.h: calling Python objects from C, and what became of it. All of this needs the interpreter's lock. */
#ifndef TW_PYTHON_CALLS_H
#define TW_PYTHON_CALLS_H

#include "start.h"

/* What of tradewind.hosting is called. */
typedef struct {
  tw_object *open, *told, *nothing, *company, *settle;
} tw_hosting;

/* Import it. Needs the lock. */
int tw_hosting_import(tradewind_status *status);
const tw_hosting *tw_hosting_names(void);

enum { TW_MOST_ARGUMENTS = 8 };

/* Objects made of C values; NULL with an exception set. A NULL text is None. */
tw_object *tw_text_object(const char *text);
tw_object *tw_none(void);
/* Call with n arguments, whose references are taken over; one that is NULL makes the call fail. */
tw_object *tw_call_object(tw_object *callable, int n, tw_object **arguments);
tw_object *tw_call_method(tw_object *object, const char *name, int n, tw_object **arguments);
/* The code of a call whose result does not matter: drops it, or tells the exception. */
int tw_outcome_of(tw_object *result, tradewind_status *status);
/* Fill the status with the exception that is set, and clear that. */
int tw_tell_exception(tradewind_status *status);
/* Copy a str. */
void tw_copy_text(tw_object *text, char *to, size_t room);

#endif
