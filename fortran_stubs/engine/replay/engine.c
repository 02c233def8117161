/* replay.c: the engine without Python. It gives back what a real session once returned (a recording), or what the
 * host itself has put (a declaration), and holds the host to the same rules: names, shapes, kinds, units, order. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

static int abort_on_error(void *state) { return ((rp_session *)state)->policy; }

static int component_of(void *state, const char *name, void **part, tradewind_status *status) {
  rp_session *session = state;
  char known[1024] = "";
  *part = rp_part_of(session, name);
  if (*part) return TRADEWIND_OK;
  for (size_t i = 0, at = 0; i < session->part_count && at < sizeof known; i++)
    at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", session->parts[i]->name);
  return tw_fail(status, TRADEWIND_FIELD, name, "", "no component '%s' (known: %s)", name, known);
}

/* Components belong to their session, which frees them. */
static void release(void *part) { (void)part; }

/* Recorded: what came then. Declared: nothing but the order can be followed. */
static int event_of(rp_session *session, rp_part *part, const char *call, double a, double b,
                    tradewind_status *status) {
  if (session->recorded) return rp_event_enter(session, part, call, a, b, status);
  return tw_fail(status, TRADEWIND_UNSUPPORTED, part ? part->name : "", "",
                 "%s: fields that are only declared have no %s: record a session with Python", session->folder, call);
}

static int all_bound_in(rp_session *session, tradewind_status *status) {
  int code = TRADEWIND_OK;
  for (size_t i = 0; i < session->part_count && !code; i++) code = rp_bound_in(session->parts[i], status);
  return code;
}

static int all_bound_out(rp_session *session, tradewind_status *status) {
  int code = TRADEWIND_OK;
  for (size_t i = 0; i < session->part_count && !code; i++) code = rp_bound_out(session->parts[i], status);
  return code;
}

static int advance_declared(rp_session *session, double until, tradewind_status *status) {
  if (!session->has_clock)
    return tw_fail(status, TRADEWIND_ORDER, "", "", "%s: declares no clock that could be advanced", session->folder);
  if (!(until >= session->now && until <= session->stop))
    return tw_fail(status, TRADEWIND_ORDER, "", "", "until %.17g lies outside %.17g to %.17g seconds", until,
                   session->now, session->stop);
  session->now = until;
  session->calls += 1;
  rp_puts_forgotten(session);
  return TRADEWIND_OK;
}

static int advance(void *state, double until, tradewind_status *status) {
  rp_session *session = state;
  int code = all_bound_in(session, status);
  if (!code)
    code = session->recorded ? rp_event_enter(session, NULL, "advance", until, 0.0, status)
                             : advance_declared(session, until, status);
  return code ? code : all_bound_out(session, status);
}

static int time_of(void *state, double *now, double *stop, double *step, tradewind_status *status) {
  rp_session *session = state;
  if (!session->has_clock) return tw_fail(status, TRADEWIND_ORDER, "", "", "%s: has no clock", session->folder);
  *now = session->now;
  *stop = session->stop;
  *step = session->step;
  return TRADEWIND_OK;
}

static int seconds(void *state, const char *date, double *seconds, tradewind_status *status) {
  rp_session *session = state;
  for (size_t i = 0; i < session->date_count; i++)
    if (strcmp(session->dates[i].text, date) == 0) return *seconds = session->dates[i].seconds, TRADEWIND_OK;
  return tw_fail(status, session->recorded ? TRADEWIND_DATA : TRADEWIND_UNSUPPORTED, "", "",
                 "%s: does not know the date '%s': dates are known that were asked for when it was recorded",
                 session->folder, date);
}

/* What is recorded for derivatives needs no answer, so it may be asked for anywhere. */
static int record(void *state, int32_t on, tradewind_status *status) {
  (void)state, (void)on, (void)status;
  return TRADEWIND_OK;
}

static int advance_tangent(void *state, tradewind_status *status) {
  return event_of(state, NULL, "advance_tangent", 0.0, 0.0, status);
}

static int advance_adjoint(void *state, tradewind_status *status) {
  return event_of(state, NULL, "advance_adjoint", 0.0, 0.0, status);
}

static int analyse(void *state, tradewind_status *status) {
  return event_of(state, NULL, "analyse", 0.0, 0.0, status);
}

static int solve(void *state, tradewind_status *status) { return event_of(state, NULL, "solve", 0.0, 0.0, status); }

/* Decompositions are compared by the numbers of the cells; degrees may differ by rounding. */
static int check_grid(rp_part *part, int64_t n, uint64_t hash, tradewind_status *status) {
  if (!part->has_grid)
    return tw_fail(status, TRADEWIND_GRID, part->name, "", "was recorded without a grid of the host");
  if (part->columns == n && part->grid_hash == hash) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_GRID, part->name, "",
                 "these %lld cells of rank %d are not the %lld that were recorded: another decomposition needs "
                 "another recording",
                 (long long)n, (int)part->session->rank, (long long)part->columns);
}

static int check_numbers(const rp_part *part, int64_t n, const int64_t *index, tradewind_status *status) {
  for (int64_t i = 0; i < n; i++)
    if (index[i] < 1)
      return tw_fail(status, TRADEWIND_GRID, part->name, "", "cell %lld has number %lld (they count from 1)",
                     (long long)i + 1, (long long)index[i]);
  return TRADEWIND_OK;
}

static int set_grid(void *state, int64_t n, const int64_t *index, const double *lon, const double *lat,
                    const int32_t *mask, tradewind_status *status) {
  rp_part *part = state;
  rp_shape shape = {.rank = 1, .extent = {n}};
  (void)lon, (void)lat, (void)mask;
  if (part->described)
    return tw_fail(status, TRADEWIND_ORDER, part->name, "", "set_grid comes before describe and run");
  if (n < 0) return tw_fail(status, TRADEWIND_GRID, part->name, "", "%lld cells", (long long)n);
  int code = check_numbers(part, n, index, status);
  tradewind_array numbers = rp_view((void *)(uintptr_t)index, TRADEWIND_INT64, &shape);
  if (!code && part->session->recorded) code = check_grid(part, n, rp_hash(&numbers, 1, n), status);
  if (code) return code;
  part->columns = n;
  part->grid_given = 1;
  return TRADEWIND_OK;
}

static int describe(void *state, tradewind_status *status) {
  rp_part *part = state;
  if (part->session->recorded && part->has_grid && !part->grid_given)
    return tw_fail(status, TRADEWIND_ORDER, part->name, "",
                   "set_grid comes first: it was recorded on a grid of the host");
  part->described = 1;
  return TRADEWIND_OK;
}

static int fields(void *state, int32_t *count, tradewind_status *status) {
  (void)status;
  *count = ((rp_part *)state)->count;
  return TRADEWIND_OK;
}

static int field_of(void *state, int32_t number, tradewind_field *field, tradewind_status *status) {
  rp_part *part = state;
  if (number < 1 || number > part->count)
    return tw_fail(status, TRADEWIND_FIELD, part->name, "", "no field %d of %d", (int)number, (int)part->count);
  *field = part->fields[number - 1].declared;
  if (field->rank && field->extent[0] == RP_OPEN && part->columns >= 0) field->extent[0] = part->columns;
  return TRADEWIND_OK;
}

static int run_declared(rp_part *part, tradewind_status *status) {
  int code = rp_all_given(part, status);
  if (code) return code;
  part->session->calls += 1;
  rp_puts_forgotten(part->session);
  return TRADEWIND_OK;
}

static int run(void *state, double time, double dt, tradewind_status *status) {
  rp_part *part = state;
  int code = describe(part, status);
  if (!code) code = rp_bound_in(part, status);
  if (!code)
    code = part->session->recorded ? rp_event_enter(part->session, part, "run", time, dt, status)
                                   : run_declared(part, status);
  if (code) return code;
  part->has_run = 1;
  return rp_bound_out(part, status);
}

static int derived(rp_part *part, const char *call, tradewind_status *status) {
  if (!part->has_run) return tw_fail(status, TRADEWIND_ORDER, part->name, "", "%s comes after a run", call);
  return event_of(part->session, part, call, 0.0, 0.0, status);
}

static int tangent(void *part, tradewind_status *status) { return derived(part, "tangent", status); }

static int adjoint(void *part, tradewind_status *status) { return derived(part, "adjoint", status); }

static int dot_test(void *state, double *error, tradewind_status *status) {
  rp_part *part = state;
  int code = derived(part, "dot_test", status);
  if (!code) *error = rp_event_now(part->session)->scalar;
  return code;
}

static int enroll(void *state, tradewind_component handle, tradewind_step step, tradewind_step tangent_of,
                  tradewind_step adjoint_of, void *context, tradewind_status *status) {
  rp_part *part = state;
  (void)status;
  part->handle = handle;
  part->back[TW_VALUE] = step;
  part->back[TW_TANGENT] = tangent_of;
  part->back[TW_ADJOINT] = adjoint_of;
  part->context = context;
  return TRADEWIND_OK;
}

static int ping(void *state) {
  (void)state;
  return TRADEWIND_OK;
}

static const tw_engine engine = {
    .name = "replay",
    .open = rp_open,
    .close = rp_close,
    .abort_on_error = abort_on_error,
    .component_of = component_of,
    .release = release,
    .advance = advance,
    .time = time_of,
    .seconds = seconds,
    .record = record,
    .advance_tangent = advance_tangent,
    .advance_adjoint = advance_adjoint,
    .analyse = analyse,
    .solve = solve,
    .checkpoint = rp_checkpoint,
    .restore = rp_restore,
    .report = rp_report,
    .set_grid = set_grid,
    .describe = describe,
    .fields = fields,
    .field_of = field_of,
    .put = rp_put,
    .bind = rp_bind,
    .get = rp_get,
    .run = run,
    .tangent = tangent,
    .adjoint = adjoint,
    .dot_test = dot_test,
    .enroll = enroll,
    .ping = ping,
};

const tw_engine *tw_replay_engine(void) { return &engine; }
