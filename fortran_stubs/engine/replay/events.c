/* events.c: collective calls come in the order in which they were recorded, or say what should come. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

const rp_event *rp_event_now(const rp_session *session) { return &session->events[session->at]; }

static const char *name_of(const rp_part *part) { return part ? part->name : ""; }

static void in_words(const rp_event *event, char *text, size_t size) {
  snprintf(text, size, "%s(%s%s%.17g, %.17g)", event->call, name_of(event->part), event->part ? ", " : "", event->a,
           event->b);
}

/* Bits are compared, so that a time which is not a number is told as well. */
static int same_event(const rp_event *event, const rp_part *part, const char *call, double a, double b) {
  return event->part == part && strcmp(event->call, call) == 0 && memcmp(&event->a, &a, sizeof a) == 0 &&
         memcmp(&event->b, &b, sizeof b) == 0;
}

static int out_of_order(rp_session *session, const rp_event *next, rp_part *part, const char *call, double a,
                        double b, tradewind_status *status) {
  char here[320], there[320] = "its end";
  rp_event asked = {.call = call, .part = part, .a = a, .b = b};
  in_words(&asked, here, sizeof here);
  if (next) in_words(next, there, sizeof there);
  return tw_fail(status, TRADEWIND_ORDER, name_of(part), "",
                 "%s: after call %zu, %s was asked for, and the recording goes on with %s", session->folder,
                 session->at, here, there);
}

/* The collective call that comes next, beyond the host's own steps within it; NULL at the end. */
static const rp_event *next_call(const rp_session *session) {
  for (size_t i = session->at + 1; i < session->event_count; i++)
    if (!session->events[i].back) return &session->events[i];
  return NULL;
}

/* Blocks of a field make one sum, so it does not matter how it was cut. */
static int put_as_recorded(rp_session *session, const rp_putting *put, tradewind_status *status) {
  rp_part *part = session->parts[put->part];
  const rp_slot *slot = &part->fields[put->field].slot[put->what];
  if (slot->given < put->count)
    return tw_fail(status, TRADEWIND_FIELD, part->name, part->fields[put->field].declared.name,
                   "%" PRId64 " of %" PRId64 " values have been put since call %zu: it has not been given yet",
                   slot->given, put->count, session->at);
  session->differing += slot->given != put->count || (!slot->foreign && slot->hash != put->hash);
  return TRADEWIND_OK;
}

static int puts_as_recorded(rp_session *session, tradewind_status *status) {
  int code = TRADEWIND_OK;
  size_t end = session->events[session->at + 1].puts;
  for (size_t i = rp_event_now(session)->puts; i < end && !code; i++)
    code = put_as_recorded(session, &session->puts[i], status);
  return code;
}

static int step_on(rp_session *session, tradewind_status *status) {
  int code = puts_as_recorded(session, status);
  if (code) return code;
  session->at += 1;
  rp_puts_forgotten(session);
  return TRADEWIND_OK;
}

static tradewind_step back_of(const rp_event *event) {
  static const char *const words[RP_WHATS] = {"step", "tangent", "adjoint"};
  for (int what = 0; what < RP_WHATS; what++)
    if (strcmp(event->call, words[what]) == 0) return event->part->back[what];
  return NULL;
}

/* The host's own step, called where it was called then. */
static int call_back(rp_session *session, tradewind_status *status) {
  int code = step_on(session, status);
  const rp_event *event = rp_event_now(session);
  tradewind_step step = back_of(event);
  if (code) return code;
  if (!step)
    return tw_fail(status, TRADEWIND_ORDER, name_of(event->part), "",
                   "the recording calls the host's %s, and none is registered", event->call);
  session->inside = 1;
  int answer = step(event->part->context, event->part->handle, event->a, event->b);
  session->inside = 0;
  if (answer == 0) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_MODEL, name_of(event->part), "", "the host's %s returned %d", event->call, answer);
}

static int told(const rp_event *event, tradewind_status *status) {
  if (event->code == TRADEWIND_OK) return TRADEWIND_OK;
  tw_fail(status, event->code, event->component, event->field, "%s", event->message);
  status->rank = event->rank;
  return event->code;
}

int rp_event_enter(rp_session *session, rp_part *part, const char *call, double a, double b,
                   tradewind_status *status) {
  const rp_event *next = next_call(session);
  int code = TRADEWIND_OK;
  if (!next || !same_event(next, part, call, a, b)) return out_of_order(session, next, part, call, a, b, status);
  while (!code && &session->events[session->at + 1] != next) code = call_back(session, status);
  if (!code) code = step_on(session, status);
  if (code) return code;
  session->calls += 1;
  session->now = next->now;
  return told(next, status);
}
