/* call.h: what every call has in common: handles, the floating-point environment, agreement, policy. */
#ifndef TW_CALL_H
#define TW_CALL_H

#include "floating.h"
#include "handles.h"

typedef struct {
  const char *name;  /* of the call, as a Fortran host knows it */
  tw_held *session;  /* NULL: there is none behind the handle */
  tw_part *part;     /* of component calls */
  const char *field; /* of calls that concern one, else empty */
  tradewind_status *status;
  int given;         /* the host looks at the status */
  int together;      /* all ranks are in this call */
  int locked;
  tw_guard guard;
  tradewind_status own;
} tw_call;

/* Drop what a local call has left to be told: it was mended, or nothing follows that would rely on it. */
void tw_mend(tw_held *session);

/* Begin a call: the status is cleared, the session is found and locked. False: go to tw_end() at once. */
int tw_begin(tw_call *call, tradewind_session handle, const char *name, tradewind_status *status);
int tw_begin_part(tw_call *call, tradewind_component handle, const char *name, tradewind_status *status);
/* Begin the call that makes a session. */
void tw_begin_new(tw_call *call, tw_held *held, const char *name, tradewind_status *status);
/* Before the engine works: whether it can do that at all, and whether every rank has come here without a
 * failure, now or in its local calls. False: go to tw_end(). */
int tw_together(tw_call *call, int able);
int tw_alone(tw_call *call, int able);
/* After the engine has worked: all ranks come to the same status. */
void tw_finish(tw_call *call, int code);
/* Nothing but to leave; returns the code. */
int tw_end(tw_call *call);

#endif
