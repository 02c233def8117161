/* The calls that concern a whole session. */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "engines.h"
#include "status.h"

/* ---- opening and closing -------------------------------------------------------------------------------------- */

static void describe_opening(const tw_held *held, const char *config, tw_opening *opening) {
  opening->config = config;
  opening->has_comm = held->company.given;
  opening->comm = held->company.given ? tw_company_handle(&held->company) : 0;
  opening->rank = held->company.rank;
  opening->size = held->company.size;
}

/* All that may fail on one rank alone: names, libraries, the interpreter. */
static void prepare(tw_call *call, const tw_opening *opening, const char *engine) {
  tw_held *held = call->session;
  if (opening->config == NULL || opening->config[0] == '\0') {
    tw_fail(call->status, TRADEWIND_CONFIG, NULL, NULL, "no run config and no network was named");
    return;
  }
  held->engine = tw_choose_engine(engine, opening->config, call->status);
  if (held->engine != NULL && held->engine->prepare != NULL) held->engine->prepare(opening, call->status);
}

static void open_state(tw_call *call, const tw_opening *opening) {
  tw_held *held = call->session;
  const int code = held->engine->open(opening, &held->state, call->status);
  tw_finish(call, code);
  if (call->status->code == TRADEWIND_OK) {
    held->abort_on_error = held->engine->abort_on_error == NULL || held->engine->abort_on_error(held->state);
  } else if (code == TRADEWIND_OK) {
    held->engine->close(held->state); /* another rank could not */
  }
}

static void open_session(tw_call *call, const char *config, const int32_t *comm, const char *engine) {
  tw_held *held = call->session;
  if (tw_company_open(&held->company, comm, call->status) != TRADEWIND_OK) return;
  tw_opening opening;
  describe_opening(held, config, &opening);
  prepare(call, &opening, engine);
  if (tw_together(call, 1)) open_state(call, &opening);
}

static int no_memory(tradewind_session *session, tradewind_status *status) {
  tw_call call;
  tw_begin(&call, 0, "init", status);
  if (session == NULL) tw_fail(call.status, TRADEWIND_ORDER, NULL, NULL, "init was given no session to fill");
  else tw_fail(call.status, TRADEWIND_MEMORY, NULL, NULL, "no memory for a session");
  return tw_end(&call);
}

int tradewind_init(tradewind_session *session, const char *config, const int32_t *comm, const char *engine,
                   tradewind_status *status) {
  tw_held *held = session ? tw_held_new() : NULL;
  if (held == NULL) return no_memory(session, status);
  *session = 0;
  tw_call call;
  tw_begin_new(&call, held, "init", status);
  open_session(&call, config, comm, engine);
  if (call.status->code == TRADEWIND_OK) {
    ++held->users; /* the table's */
    *session = tw_number_session(held);
    return tw_end(&call);
  }
  ++held->users; /* tw_end() may still need the communicator, to abort */
  const int code = tw_end(&call);
  tw_company_close(&held->company);
  tw_drop(held);
  return code;
}

/* The engine's ending is entered by all ranks, whatever was told before; what was told first stays. */
static void end_engine(tw_call *call) {
  const tw_engine *engine = call->session->engine;
  tradewind_status last;
  if (engine->closing == NULL) return;
  tw_clear(&last);
  const int code = engine->closing(call->session->state, &last);
  if (call->status->code != TRADEWIND_OK) return;
  if (code != TRADEWIND_OK) tw_copy_status(call->status, &last);
  tw_finish(call, code);
}

static void close_session(tw_held *held) {
  tw_forget(held);
  held->closed = 1;
  for (tw_part *part = held->parts; part != NULL; part = part->next)
    if (held->engine->release != NULL) held->engine->release(part->part);
  held->engine->close(held->state);
  tw_company_close(&held->company);
  tw_drop(held); /* the table's */
}

int tradewind_finalize(tradewind_session *session, tradewind_status *status) {
  tw_call call;
  if (session == NULL || !tw_begin(&call, *session, "finalize", status)) {
    if (session != NULL) tw_clear(call.status), tw_end(&call);
    if (session != NULL) *session = 0;
    else if (status != NULL) tw_clear(status);
    return TRADEWIND_OK;
  }
  if (call.session->depth > 1) {
    call.together = 1; /* every rank's step has done so; there is nothing to be told later */
    tw_fail(call.status, TRADEWIND_ORDER, NULL, NULL, "finalize within a step that the session has called");
    return tw_end(&call);
  }
  tw_mend(call.session); /* what failed since was told where it failed: it is no reason to end a program at its end */
  tw_together(&call, 1);
  end_engine(&call);
  close_session(call.session);
  *session = 0;
  return tw_end(&call);
}

int tradewind_agree(tradewind_session session, tradewind_status *status) {
  tradewind_status mine;
  mine.code = TRADEWIND_OK;
  if (status != NULL && status->code != TRADEWIND_OK) tw_copy_status(&mine, status);
  tw_call call;
  if (tw_begin(&call, session, "agree", status)) {
    if (mine.code != TRADEWIND_OK) tw_copy_status(call.status, &mine);
    tw_together(&call, 1);
  }
  return tw_end(&call);
}

/* ---- finding a component -------------------------------------------------------------------------------------- */

static tw_part *known(const tw_held *held, const char *name) {
  tw_part *part = held->parts;
  while (part != NULL && strcmp(part->name, name) != 0) part = part->next;
  return part;
}

static void keep_part(tw_call *call, void *found, const char *name, tradewind_component *component) {
  tw_part *part = calloc(1, sizeof *part);
  if (part == NULL) {
    tw_fail(call->status, TRADEWIND_MEMORY, name, NULL, "no memory for a component");
    return;
  }
  part->session = call->session;
  part->part = found;
  tw_text(part->name, sizeof part->name, name);
  part->next = call->session->parts;
  call->session->parts = part;
  *component = tw_number_part(part);
}

static void look_up(tw_call *call, const char *name, tradewind_component *component) {
  const tw_part *part = known(call->session, name);
  if (part != NULL) {
    *component = part->handle;
    return;
  }
  void *found = NULL;
  tw_finish(call, call->session->engine->component_of(call->session->state, name, &found, call->status));
  if (call->status->code == TRADEWIND_OK) keep_part(call, found, name, component);
}

int tradewind_component_of(tradewind_session session, const char *name, tradewind_component *component,
                           tradewind_status *status) {
  tw_call call;
  if (component != NULL) *component = 0;
  if (tw_begin(&call, session, "component", status)) {
    if (name == NULL || component == NULL || strlen(name) >= TRADEWIND_NAME_LENGTH)
      tw_fail(call.status, TRADEWIND_FIELD, NULL, NULL, "component was given no name, or one too long");
    if (tw_together(&call, call.session->engine->component_of != NULL)) look_up(&call, name, component);
  }
  return tw_end(&call);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

int tradewind_advance(tradewind_session session, double until, tradewind_status *status) {
  tw_call call;
  if (tw_begin(&call, session, "advance", status) && tw_together(&call, call.session->engine->advance != NULL))
    tw_finish(&call, call.session->engine->advance(call.session->state, until, call.status));
  return tw_end(&call);
}

int tradewind_time(tradewind_session session, double *now, double *stop, double *step, tradewind_status *status) {
  tw_call call;
  double unwanted;
  if (tw_begin(&call, session, "time", status) && tw_alone(&call, call.session->engine->time != NULL))
    tw_finish(&call, call.session->engine->time(call.session->state, now ? now : &unwanted, stop ? stop : &unwanted,
                                                step ? step : &unwanted, call.status));
  return tw_end(&call);
}

int tradewind_seconds(tradewind_session session, const char *date, double *seconds, tradewind_status *status) {
  tw_call call;
  if (tw_begin(&call, session, "seconds", status)) {
    if (date == NULL || seconds == NULL) tw_fail(call.status, TRADEWIND_ORDER, NULL, NULL, "seconds was given no date");
    if (tw_alone(&call, call.session->engine->seconds != NULL))
      tw_finish(&call, call.session->engine->seconds(call.session->state, date, seconds, call.status));
  }
  return tw_end(&call);
}

/* ---- calls of one kind: the whole session, perhaps a file ----------------------------------------------------- */

typedef int (*tw_deed)(void *state, tradewind_status *status);
typedef int (*tw_filing)(void *state, const char *path, tradewind_status *status);

static int do_together(tw_call *call, tw_deed deed) {
  if (tw_together(call, deed != NULL)) tw_finish(call, deed(call->session->state, call->status));
  return tw_end(call);
}

static int file_together(tw_call *call, tw_filing filing, const char *path) {
  if (path == NULL || path[0] == '\0')
    tw_fail(call->status, TRADEWIND_FILE, NULL, NULL, "%s was given no path", call->name);
  if (tw_together(call, filing != NULL)) tw_finish(call, filing(call->session->state, path, call->status));
  return tw_end(call);
}

int tradewind_record(tradewind_session session, int32_t on, tradewind_status *status) {
  tw_call call;
  if (tw_begin(&call, session, "record", status) && tw_together(&call, call.session->engine->record != NULL))
    tw_finish(&call, call.session->engine->record(call.session->state, on, call.status));
  return tw_end(&call);
}

int tradewind_advance_tangent(tradewind_session session, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "tangent", status) ? do_together(&call, call.session->engine->advance_tangent)
                                                     : tw_end(&call);
}

int tradewind_advance_adjoint(tradewind_session session, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "adjoint", status) ? do_together(&call, call.session->engine->advance_adjoint)
                                                     : tw_end(&call);
}

int tradewind_analyse(tradewind_session session, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "analyse", status) ? do_together(&call, call.session->engine->analyse)
                                                     : tw_end(&call);
}

int tradewind_solve(tradewind_session session, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "solve", status) ? do_together(&call, call.session->engine->solve) : tw_end(&call);
}

int tradewind_checkpoint(tradewind_session session, const char *path, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "checkpoint", status) ? file_together(&call, call.session->engine->checkpoint, path)
                                                        : tw_end(&call);
}

int tradewind_restore(tradewind_session session, const char *path, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "restore", status) ? file_together(&call, call.session->engine->restore, path)
                                                     : tw_end(&call);
}

int tradewind_report(tradewind_session session, const char *path, tradewind_status *status) {
  tw_call call;
  return tw_begin(&call, session, "report", status) ? file_together(&call, call.session->engine->report, path)
                                                    : tw_end(&call);
}

/* ---- what a call costs ---------------------------------------------------------------------------------------- */

static int ping_times(tw_call *call, int64_t times, int guarded) {
  int (*ping)(void *) = call->session->engine->ping;
  void *state = call->session->state;
  int code = TRADEWIND_OK;
  tw_guard guard;
  for (int64_t i = 0; i < times && code == TRADEWIND_OK; ++i) {
    if (guarded) tw_guard_enter(&guard);
    code = ping(state);
    if (guarded) tw_guard_leave(&guard);
  }
  return code;
}

int tradewind_ping(tradewind_session session, int64_t times, int32_t guarded, tradewind_status *status) {
  tw_call call;
  if (tw_begin(&call, session, "ping", status) && tw_alone(&call, call.session->engine->ping != NULL))
    tw_finish(&call, ping_times(&call, times, guarded));
  return tw_end(&call);
}
