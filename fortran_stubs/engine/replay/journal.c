/* journal.c: reads what was recorded of one rank. Anything that is not as it was written is named with its
 * line, so a damaged recording cannot pass for another one. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

typedef int (*reader)(rp_session *session, const rp_line *line); /* 0: not as it should be */

static int read_policy(rp_session *session, const rp_line *line) {
  session->policy = strcmp(line->token[1], "abort") == 0;
  return session->policy || strcmp(line->token[1], "return") == 0;
}

static int read_clock(rp_session *session, const rp_line *line) {
  session->has_clock = 1;
  return rp_parse_real(line->token[1], &session->now) && rp_parse_real(line->token[2], &session->stop) &&
         rp_parse_real(line->token[3], &session->step);
}

static int read_date(rp_session *session, const rp_line *line) {
  rp_date *grown = rp_grown(session->dates, session->date_count, sizeof *grown);
  if (!grown) return 0;
  session->dates = grown;
  rp_date *date = &grown[session->date_count++];
  date->text = line->token[1];
  return rp_parse_real(line->token[2], &date->seconds);
}

static int read_component(rp_session *session, const rp_line *line) {
  return !rp_part_of(session, line->token[1]) && rp_new_part(session, line->token[1]) != NULL;
}

static int read_grid(rp_session *session, const rp_line *line) {
  rp_part *part = rp_part_of(session, line->token[1]);
  if (!part) return 0;
  part->has_grid = 1;
  return rp_parse_whole(line->token[2], &part->columns) && rp_parse_bits(line->token[3], &part->grid_hash);
}

static int read_declared(rp_kept *field, const rp_line *line, int32_t role) {
  rp_shape shape;
  if (!rp_copy_name(field->declared.units, TRADEWIND_NAME_LENGTH, line->token[3])) return 0;
  if (!rp_parse_kind(line->token[5], &field->declared.kind) || !rp_parse_shape(line->token[6], &shape)) return 0;
  field->declared.role = role;
  field->declared.rank = shape.rank;
  memcpy(field->declared.extent, shape.extent, sizeof shape.extent);
  return 1;
}

static int read_field(rp_session *session, const rp_line *line) {
  rp_part *part = rp_part_of(session, line->token[1]);
  int32_t role;
  if (!part || !rp_parse_role(line->token[4], &role)) return 0;
  if (rp_field_number(part, role, line->token[2]) >= 0) return 0;
  rp_kept *field = rp_new_field(part, line->token[2]);
  return field && read_declared(field, line, role);
}

/* The number of a field from "role/name"; -1: there is none. */
static int32_t field_named(const rp_part *part, const char *token) {
  char word[16];
  const char *slash = strchr(token, '/');
  size_t length = slash ? (size_t)(slash - token) : sizeof word;
  int32_t role;
  if (!part || length >= sizeof word) return -1;
  memcpy(word, token, length);
  word[length] = '\0';
  return rp_parse_role(word, &role) ? rp_field_number(part, role, slash + 1) : -1;
}

/* The field that a line names in two of its tokens; 0 where there is none. */
static rp_kept *named(rp_session *session, const char *component, const char *name) {
  rp_part *part = rp_part_of(session, component);
  int32_t number = field_named(part, name);
  return number < 0 ? NULL : &part->fields[number];
}

static int read_also(rp_session *session, const rp_line *line) {
  rp_kept *field = named(session, line->token[1], line->token[2]);
  return field && field->other_count < RP_SHAPES &&
         rp_parse_shape(line->token[3], &field->others[field->other_count++]);
}

static int read_accepts(rp_session *session, const rp_line *line) {
  rp_kept *field = named(session, line->token[1], line->token[2]);
  if (!field || field->accepted_count == RP_SHAPES) return 0;
  field->converted[field->accepted_count] = strcmp(line->token[4], "converted") == 0;
  if (!field->converted[field->accepted_count] && strcmp(line->token[4], "same") != 0) return 0;
  return rp_copy_name(field->accepted[field->accepted_count++], TRADEWIND_NAME_LENGTH, line->token[3]);
}

static int read_what(const char *token, int32_t *what) {
  static const char *const words[RP_WHATS] = {"value", "tangent", "adjoint"};
  for (*what = 0; *what < RP_WHATS; ++*what)
    if (strcmp(token, words[*what]) == 0) return 1;
  return 0;
}

static int read_put(rp_session *session, const rp_line *line) {
  rp_putting *grown = rp_grown(session->puts, session->put_count, sizeof *grown);
  if (!grown) return 0;
  session->puts = grown;
  rp_putting *put = &grown[session->put_count++];
  rp_part *part = rp_part_of(session, line->token[1]);
  put->part = rp_part_number(session, line->token[1]);
  put->field = field_named(part, line->token[3]);
  return put->field >= 0 && read_what(line->token[2], &put->what) && rp_parse_whole(line->token[4], &put->count) &&
         rp_parse_bits(line->token[5], &put->hash);
}

/* Room for one event; its part is that named, or none ("-"). */
static rp_event *new_event(rp_session *session, const char *component) {
  rp_event *grown = rp_grown(session->events, session->event_count, sizeof *grown);
  if (!grown) return NULL;
  session->events = grown;
  rp_event *event = &grown[session->event_count];
  memset(event, 0, sizeof *event);
  event->part = rp_part_of(session, component);
  if (!event->part && strcmp(component, "-") != 0) return NULL;
  event->component = event->field = event->message = "";
  event->rank = -1;
  event->values = session->value_count;
  event->puts = session->put_count;
  session->event_count += 1;
  return event;
}

static int read_back(rp_session *session, const rp_line *line) {
  rp_event *event = new_event(session, line->token[2]);
  if (!event || !event->part) return 0;
  event->back = 1;
  event->call = line->token[1];
  return rp_parse_real(line->token[3], &event->a) && rp_parse_real(line->token[4], &event->b);
}

static int read_told(rp_event *event, const rp_line *line) {
  int64_t code, rank;
  if (!rp_parse_whole(line->token[7], &code) || !rp_parse_whole(line->token[8], &rank)) return 0;
  event->code = (int32_t)code;
  event->rank = (int32_t)rank;
  event->component = line->token[9];
  event->field = line->token[10];
  event->message = line->token[11];
  rp_unescape(line->token[11]);
  return code >= 0 && code <= TRADEWIND_INTERNAL;
}

static int read_call(rp_session *session, const rp_line *line) {
  rp_event *event = new_event(session, line->token[2]);
  if (!event) return 0;
  event->call = line->token[1];
  return rp_parse_real(line->token[3], &event->a) && rp_parse_real(line->token[4], &event->b) &&
         rp_parse_real(line->token[5], &event->now) && rp_parse_real(line->token[6], &event->scalar) &&
         read_told(event, line);
}

static int fits(const rp_session *session, const rp_value *value) {
  int64_t bytes = rp_count(&value->shape) * (int64_t)rp_kind_size(value->kind);
  return value->offset >= 0 && bytes <= session->number_bytes && value->offset <= session->number_bytes - bytes;
}

static int read_value(rp_session *session, const rp_line *line) {
  rp_value *grown = rp_grown(session->values, session->value_count, sizeof *grown);
  if (!grown) return 0;
  session->values = grown;
  rp_value *value = &grown[session->value_count++];
  rp_part *part = rp_part_of(session, line->token[1]);
  value->part = rp_part_number(session, line->token[1]);
  value->field = field_named(part, line->token[3]);
  value->units = line->token[4];
  return value->field >= 0 && read_what(line->token[2], &value->what) &&
         rp_parse_kind(line->token[5], &value->kind) && rp_parse_shape(line->token[6], &value->shape) &&
         rp_parse_whole(line->token[7], &value->offset) && rp_parse_bits(line->token[8], &value->hash) &&
         fits(session, value);
}

static const struct {
  const char *word;
  int32_t tokens;
  reader read;
} readers[] = {
    {"policy", 2, read_policy}, {"clock", 4, read_clock}, {"date", 3, read_date},  {"component", 2, read_component},
    {"grid", 4, read_grid},     {"field", 7, read_field}, {"also", 4, read_also},  {"accepts", 5, read_accepts},
    {"put", 6, read_put},       {"back", 5, read_back},   {"call", 12, read_call}, {"value", 9, read_value},
};

static int read_line(rp_session *session, const rp_line *line) {
  for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
    if (strcmp(line->token[0], readers[i].word) == 0)
      return line->count >= readers[i].tokens && readers[i].read(session, line);
  return 0;
}

static int is_little(void) {
  const uint16_t one = 1;
  return *(const unsigned char *)&one == 1;
}

/* What was asked before any call belongs to an event of its own: the opening. */
static int new_opening(rp_session *session, tradewind_status *status) {
  rp_event *event = new_event(session, "-");
  if (!event) return tw_fail(status, TRADEWIND_MEMORY, "", "", "no memory for a recording");
  event->call = "init";
  return TRADEWIND_OK;
}

static int read_header(rp_session *session, const rp_line *line, tradewind_status *status) {
  int64_t ranks = 0, rank = 0;
  int good = line->count == 4 && strcmp(line->token[0], "tradewind recording 1") == 0 && is_little() &&
             strcmp(line->token[3], "little") == 0 && rp_parse_whole(line->token[1], &ranks) &&
             rp_parse_whole(line->token[2], &rank) && rank == session->rank;
  if (!good)
    return tw_fail(status, TRADEWIND_DATA, "", "", "%s: is not a recording of this version, rank and byte order",
                   session->folder);
  if (ranks == session->size) return new_opening(session, status);
  return tw_fail(status, TRADEWIND_MPI, "", "",
                 "%s: was recorded on %" PRId64 " ranks, and these are %d: replay needs as many", session->folder,
                 ranks, (int)session->size);
}

int rp_read_journal(rp_session *session, tradewind_status *status) {
  rp_line line = {0};
  int ended = 0, code = rp_next_line(&session->text, &line, '\t') ? TRADEWIND_OK : TRADEWIND_DATA;
  if (!code) code = read_header(session, &line, status);
  else tw_fail(status, code, "", "", "%s: the recording is empty", session->folder);
  while (!code && !ended && rp_next_line(&session->text, &line, '\t')) {
    ended = line.count && strcmp(line.token[0], "end") == 0;
    if (!ended && !(line.count && read_line(session, &line)))
      code = tw_fail(status, TRADEWIND_DATA, "", "", "%s/rank-%05d.txt: line %" PRId64 " is damaged", session->folder,
                     (int)session->rank, session->text.line);
  }
  if (code || ended) return code;
  return tw_fail(status, TRADEWIND_DATA, "", "", "%s: the recording has no end: its session was never finalized",
                 session->folder);
}
