#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "status.h"

static void start(tw_call *call, const char *name, tradewind_status *status) {
  call->name = name;
  call->session = NULL;
  call->part = NULL;
  call->given = status != NULL;
  call->field = "";
  call->together = call->locked = 0;
  call->status = status ? status : &call->own;
  tw_clear(call->status);
  tw_guard_enter(&call->guard);
}

/* Wait for our turn; somebody else may have closed the session meanwhile. */
static int lock(tw_call *call) {
  pthread_mutex_lock(&call->session->lock);
  call->locked = 1;
  ++call->session->locked;
  ++call->session->depth;
  return !call->session->closed;
}

static int closed(tw_call *call, const char *what) {
  tw_fail(call->status, TRADEWIND_CLOSED, NULL, NULL, "%s of a %s that was never opened, or has been finalized",
          call->name, what);
  return 0;
}

int tw_begin(tw_call *call, tradewind_session handle, const char *name, tradewind_status *status) {
  start(call, name, status);
  call->session = tw_take_session(handle);
  return (call->session != NULL && lock(call)) || closed(call, "session");
}

int tw_begin_part(tw_call *call, tradewind_component handle, const char *name, tradewind_status *status) {
  start(call, name, status);
  call->part = tw_take_part(handle);
  call->session = call->part ? call->part->session : NULL;
  return (call->session != NULL && lock(call)) || closed(call, "component");
}

void tw_begin_new(tw_call *call, tw_held *held, const char *name, tradewind_status *status) {
  start(call, name, status);
  call->session = held;
}

static void locate(tw_call *call) {
  tradewind_status *status = call->status;
  if (status->code == TRADEWIND_OK) return;
  if (status->component[0] == '\0' && call->part != NULL)
    tw_text(status->component, sizeof status->component, call->part->name);
  if (status->field[0] == '\0') tw_text(status->field, sizeof status->field, call->field);
}

static int able_to(tw_call *call, int able) {
  if (!able && call->status->code == TRADEWIND_OK)
    tw_fail(call->status, TRADEWIND_UNSUPPORTED, NULL, NULL, "the %s engine does not do %s",
            call->session->engine->name, call->name);
  return call->status->code == TRADEWIND_OK;
}

void tw_mend(tw_held *session) {
  free(session->pending);
  session->pending = NULL;
}

/* What failed in a local call comes to light here. */
static void recall(tw_call *call) {
  tw_held *session = call->session;
  if (session->pending == NULL) return;
  if (call->status->code == TRADEWIND_OK) tw_copy_status(call->status, session->pending);
  tw_mend(session);
}

/* A step of the host only puts and gets: calls of the whole session would go round in circles. Nobody is asked,
 * for other ranks may not be in a step. */
static int within_a_step(tw_call *call) {
  if (call->session->depth <= 1) return 0;
  tw_fail(call->status, TRADEWIND_ORDER, NULL, NULL, "%s within a step that the session has called: only put and get",
          call->name);
  locate(call);
  return 1;
}

int tw_together(tw_call *call, int able) {
  call->together = 1;
  if (within_a_step(call)) return 0;
  recall(call);
  able_to(call, able);
  locate(call);
  return tw_agree(&call->session->company, call->status) == TRADEWIND_OK;
}

int tw_alone(tw_call *call, int able) { return able_to(call, able); }

void tw_finish(tw_call *call, int code) {
  if (code == TRADEWIND_OK && call->status->code != TRADEWIND_OK)
    tw_clear(call->status); /* a step of the host, called meanwhile, has used the same status */
  if (code != TRADEWIND_OK && call->status->code == TRADEWIND_OK)
    tw_fail(call->status, code, NULL, NULL, "the engine gave no reason");
  locate(call);
  if (call->together) tw_agree(&call->session->company, call->status);
}

static int same_call(const tw_call *call) {
  const tw_held *session = call->session;
  return strcmp(session->pending_call, call->name) == 0 &&
         strcmp(session->pending->component, call->part ? call->part->name : "") == 0 &&
         strcmp(session->pending->field, call->field) == 0;
}

static void keep(tw_call *call) {
  tw_held *session = call->session;
  session->pending = malloc(sizeof *session->pending);
  session->pending_call = call->name;
  if (session->pending != NULL) tw_copy_status(session->pending, call->status);
}

/* A local failure is kept for the other ranks; the same call done well mends it. */
static void remember(tw_call *call) {
  if (call->together || !call->locked || call->session->closed) return;
  const int failed = call->status->code != TRADEWIND_OK, pending = call->session->pending != NULL;
  if (failed && !pending) keep(call);
  else if (!failed && pending && same_call(call)) tw_mend(call->session);
}

static void settle_rank(tw_call *call) {
  if (call->status->code != TRADEWIND_OK && call->status->rank < 0 && call->session != NULL)
    call->status->rank = call->session->company.rank;
}

static void tell(const tw_call *call, int rank) {
  const tradewind_status *status = call->status;
  fprintf(stderr, "tradewind: rank %d: %s%s%s%s%s: %s: %s\n%s", rank, call->name, status->component[0] ? " of " : "",
          status->component, status->field[0] ? ", " : "", status->field, tradewind_code_name(status->code),
          status->message, status->traceback);
  fflush(stderr);
}

/* Nobody looks at the status: it is printed once, and the config says whether the program ends (through MPI). */
static void follow_policy(tw_call *call) {
  static const tw_company nobody;
  const tw_company *company = call->session ? &call->session->company : &nobody;
  const int teller = !call->together || company->rank == call->status->rank;
  if (teller) tell(call, company->rank);
  if (call->session != NULL && !call->session->abort_on_error) return;
  if (!teller) nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* not to end who is about to tell */
  tw_company_abort(company, (int)call->status->code);
}

int tw_end(tw_call *call) {
  locate(call);
  settle_rank(call);
  if (call->locked) {
    remember(call);
    --call->session->locked;
    --call->session->depth;
    pthread_mutex_unlock(&call->session->lock);
  }
  tw_guard_leave(&call->guard);
  const int code = (int)call->status->code;
  if (code != TRADEWIND_OK && !call->given) follow_policy(call);
  if (call->session != NULL) tw_drop(call->session);
  return code;
}
