/* handles.h: sessions and components behind numbers. A number is never used twice, so that one of a closed
 * session is known to be closed, whatever came after it. */
#ifndef TW_HANDLES_H
#define TW_HANDLES_H

#include <pthread.h>

#include "agreement.h"
#include "bindings.h"

struct tw_part;

typedef struct tw_held {
  tradewind_session handle;
  const tw_engine *engine;
  void *state;
  tw_company company;
  int abort_on_error;
  pthread_mutex_t lock;      /* calls of one session come one after another; recursive */
  int locked;                /* how often the thread that holds it has taken it */
  int depth;                 /* calls inside each other: more than one within a step of the host */
  int closed;
  int users;                 /* counted under the table's lock; the last one frees */
  struct tw_part *parts;     /* found so far, a list */
  tradewind_status *pending; /* what failed on this rank alone since the last collective call; NULL: nothing */
  const char *pending_call;
} tw_held;

/* Begins a block of memory that lives as long as a component's session. */
typedef struct tw_keepsake {
  struct tw_keepsake *next;
} tw_keepsake;

typedef struct tw_part {
  tw_held *session;
  tradewind_component handle;
  void *part;
  char name[TRADEWIND_NAME_LENGTH];
  tw_bindings bindings;
  tw_keepsake *keepsakes;
  struct tw_part *next;
} tw_part;

/* A new session without an engine; NULL: no memory. */
tw_held *tw_held_new(void);
/* Put a session, or a part of it, behind a number; 0: no memory. */
int64_t tw_number_session(tw_held *held);
int64_t tw_number_part(tw_part *part);
/* What stands behind a number; NULL: nothing any more. The session has one user more until tw_drop(). */
tw_held *tw_take_session(int64_t handle);
tw_part *tw_take_part(int64_t handle);
void tw_drop(tw_held *held);
/* Leave a block from malloc to a component, which frees it at the end; 0 where there is no such component. */
int tw_keep(int64_t handle, tw_keepsake *block);
/* Let go of a session's lock however often it is held by this thread, and take it as often again: a step of the
 * host runs without it. */
int tw_unlock_all(tw_held *held);
void tw_lock_again(tw_held *held, int times);
/* Forget the numbers of a session and of its parts. */
void tw_forget(tw_held *held);

#endif
