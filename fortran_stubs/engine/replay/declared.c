/* declared.c: reads a declaration of fields, which people write by hand. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* strtod follows the host's locale; a number that it does not read to the end is refused, never cut. */
static int parse_number(const char *token, double *value) {
  char *end = NULL;
  *value = strtod(token, &end);
  return end != token && *end == '\0';
}

static const char *read_policy(rp_session *session, const rp_line *line) {
  if (line->count != 2) return "policy is followed by abort or return";
  session->policy = strcmp(line->token[1], "abort") == 0;
  return session->policy || strcmp(line->token[1], "return") == 0 ? NULL : "policy is abort or return";
}

static const char *read_clock(rp_session *session, const rp_line *line) {
  session->has_clock = 1;
  int good = line->count == 4 && parse_number(line->token[1], &session->now) &&
             parse_number(line->token[2], &session->stop) && parse_number(line->token[3], &session->step);
  return good ? NULL : "clock is followed by the seconds of its start, stop and step";
}

static const char *read_component(rp_session *session, const rp_line *line) {
  if (line->count != 2) return "component is followed by its name (in quotes where it has blanks)";
  if (rp_part_of(session, line->token[1])) return "this component has been declared before";
  return rp_new_part(session, line->token[1]) ? NULL : "the component's name is empty or too long";
}

static const char *read_extents(tradewind_field *declared, const char *token) {
  rp_shape shape;
  if (!rp_parse_shape(token, &shape)) return "extents are numbers apart by commas, * first for columns, or -";
  declared->rank = shape.rank;
  memcpy(declared->extent, shape.extent, sizeof shape.extent);
  return NULL;
}

static const char *read_initial(rp_kept *field, const rp_line *line) {
  field->has_initial = line->count == 6;
  if (!field->has_initial) return NULL;
  return parse_number(line->token[5], &field->initial) ? NULL : "the initial value is no number";
}

static const char *read_field(rp_session *session, const rp_line *line, int32_t role) {
  if (line->count < 5 || line->count > 6) return "a field is: role name units kind extents [initial value]";
  if (!session->part_count && !rp_new_part(session, "network")) return "no memory";
  rp_part *part = session->parts[session->part_count - 1];
  if (rp_field_number(part, role, line->token[1]) >= 0) return "this field has been declared before";
  rp_kept *field = rp_new_field(part, line->token[1]);
  if (!field || !rp_copy_name(field->declared.units, TRADEWIND_NAME_LENGTH, line->token[2]))
    return "the field's name or units are empty or too long";
  field->declared.role = role;
  if (!rp_parse_kind(line->token[3], &field->declared.kind)) return "kinds are real32, real64, int32 and int64";
  const char *wrong = read_extents(&field->declared, line->token[4]);
  return wrong ? wrong : read_initial(field, line);
}

/* What is wrong with a line; NULL: nothing. */
static const char *read_line(rp_session *session, const rp_line *line) {
  int32_t role;
  if (line->count == 0) return NULL;
  if (strcmp(line->token[0], "policy") == 0) return read_policy(session, line);
  if (strcmp(line->token[0], "clock") == 0) return read_clock(session, line);
  if (strcmp(line->token[0], "component") == 0) return read_component(session, line);
  if (rp_parse_role(line->token[0], &role)) return read_field(session, line, role);
  return "lines begin with policy, clock, component, import, export, state or parameter";
}

static const char *read_header(const rp_line *line) {
  int good = line->count == 3 && strcmp(line->token[0], "tradewind") == 0 && strcmp(line->token[1], "fields") == 0 &&
             strcmp(line->token[2], "1") == 0;
  return good ? NULL : "the first line is: tradewind fields 1";
}

int rp_read_declared(rp_session *session, const char *path, tradewind_status *status) {
  rp_line line = {0};
  int code = rp_read_text(path, &session->text, status);
  if (code) return code;
  while (rp_next_line(&session->text, &line, ' ')) {
    const char *wrong = session->text.line == 1 ? read_header(&line) : read_line(session, &line);
    if (wrong)
      return tw_fail(status, TRADEWIND_CONFIG, "", "", "%s: line %" PRId64 ": %s", path, session->text.line, wrong);
  }
  if (session->part_count) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_CONFIG, "", "", "%s: declares no field", path);
}
