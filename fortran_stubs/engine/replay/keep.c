/* keep.c: checkpoints (where the session stands, and what was put) and reports, as plain texts. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define OPENING "tradewind replay checkpoint 1"

/* Ranks write side by side: rank 0 to the path itself. */
static int path_of_rank(const rp_session *session, const char *path, char *own, size_t size) {
  int written =
      session->rank ? snprintf(own, size, "%s.rank-%05d", path, (int)session->rank) : snprintf(own, size, "%s", path);
  return written >= 0 && (size_t)written < size;
}

static FILE *opened(const rp_session *session, const char *path, const char *mode) {
  char own[4352];
  errno = ENAMETOOLONG;
  return path_of_rank(session, path, own, sizeof own) ? fopen(own, mode) : NULL;
}

/* A full disk shows when the last bytes leave the buffer. */
static int closed(FILE *file, const char *path, tradewind_status *status) {
  int broken = ferror(file) | fflush(file);
  int reason = errno;
  broken |= fclose(file);
  if (!broken) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_FILE, "", "", "%s: cannot be written: %s", path, strerror(reason));
}

static void write_extents(FILE *file, const rp_shape *shape) {
  for (int32_t i = 0; i < shape->rank; i++) fprintf(file, "%s%" PRId64, i ? "," : "", shape->extent[i]);
  fprintf(file, "%s", shape->rank ? "" : "-");
}

static void write_slot(FILE *file, int32_t part, int32_t number, const rp_kept *field, int what) {
  const rp_slot *slot = &field->slot[what];
  size_t columns = slot->shape.rank ? (size_t)slot->shape.extent[0] : 1;
  size_t bytes = (size_t)rp_count(&slot->shape) * rp_kind_size(field->declared.kind);
  fprintf(file, "slot\t%" PRId32 "\t%" PRId32 "\t%d\t%" PRId32 "\t", part, number, what, slot->foreign);
  write_extents(file, &slot->shape);
  fprintf(file, "\t%016" PRIx64 "\n", (uint64_t)bytes);
  fwrite(slot->data, 1, bytes, file);
  fwrite(slot->marked, 1, columns, file);
}

static void write_part(FILE *file, int32_t number, const rp_part *part) {
  for (int32_t i = 0; i < part->count; i++)
    for (int what = 0; what < RP_WHATS; what++)
      if (part->fields[i].slot[what].data) write_slot(file, number, i, &part->fields[i], what);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

int rp_checkpoint(void *state, const char *path, tradewind_status *status) {
  rp_session *session = state;
  FILE *file = opened(session, path, "wb");
  if (!file) return tw_fail(status, TRADEWIND_FILE, "", "", "%s: %s", path, strerror(errno));
  fprintf(file, OPENING "\t%zu\t%016" PRIx64 "\n", session->at, bits_of(session->now));
  for (size_t i = 0; i < session->part_count; i++) write_part(file, (int32_t)i, session->parts[i]);
  fprintf(file, "end\n");
  return closed(file, path, status);
}

/* One line up to its end; 0 where there is none that fits. */
static int read_words(FILE *file, rp_text *text, char *bytes, int size, rp_line *line) {
  if (!fgets(bytes, size, file) || !strchr(bytes, '\n')) return 0;
  *text = (rp_text){.bytes = bytes, .length = strlen(bytes)};
  return rp_next_line(text, line, '\t');
}

static rp_kept *field_at(rp_session *session, int64_t part, int64_t number) {
  if (part < 0 || (size_t)part >= session->part_count) return NULL;
  if (number < 0 || number >= session->parts[part]->count) return NULL;
  return &session->parts[part]->fields[number];
}

static int fill_slot(FILE *file, rp_slot *slot, size_t bytes) {
  size_t columns = slot->shape.rank ? (size_t)slot->shape.extent[0] : 1;
  slot->data = malloc(bytes + 1);
  slot->marked = malloc(columns + 1);
  return slot->data && slot->marked && fread(slot->data, 1, bytes, file) == bytes &&
         fread(slot->marked, 1, columns, file) == columns;
}

/* As many bytes as the file still has, so that a damaged number asks for no absurd memory. */
static int has_left(FILE *file, uint64_t bytes) {
  long at = ftell(file);
  if (at < 0 || fseek(file, 0, SEEK_END) != 0) return 0;
  long end = ftell(file);
  return fseek(file, at, SEEK_SET) == 0 && end >= at && bytes <= (uint64_t)(end - at);
}

static int read_slot(FILE *file, rp_session *session, const rp_line *line) {
  int64_t part, number, what, foreign;
  uint64_t bytes;
  rp_shape shape;
  int good = line->count == 7 && strcmp(line->token[0], "slot") == 0 && rp_parse_whole(line->token[1], &part) &&
             rp_parse_whole(line->token[2], &number) && rp_parse_whole(line->token[3], &what) &&
             rp_parse_whole(line->token[4], &foreign) && rp_parse_shape(line->token[5], &shape) &&
             rp_parse_bits(line->token[6], &bytes);
  rp_kept *field = good && what >= 0 && what < RP_WHATS ? field_at(session, part, number) : NULL;
  if (!field || shape.extent[0] == RP_OPEN || !has_left(file, bytes)) return 0;
  if (bytes != (uint64_t)rp_count(&shape) * rp_kind_size(field->declared.kind)) return 0;
  rp_free_slot(&field->slot[what]);
  field->slot[what].shape = shape;
  field->slot[what].foreign = foreign != 0;
  return fill_slot(file, &field->slot[what], (size_t)bytes);
}

static int read_position(rp_session *session, const rp_line *line) {
  int64_t at;
  double now;
  if (line->count != 3 || strcmp(line->token[0], OPENING) != 0) return 0;
  if (!rp_parse_whole(line->token[1], &at) || !rp_parse_real(line->token[2], &now)) return 0;
  if (at < 0 || (session->recorded && (size_t)at >= session->event_count)) return 0;
  session->at = (size_t)at;
  session->now = now;
  return 1;
}

static int read_checkpoint(FILE *file, rp_session *session) {
  char bytes[512];
  rp_text text;
  rp_line line;
  if (!read_words(file, &text, bytes, sizeof bytes, &line) || !read_position(session, &line)) return 0;
  while (read_words(file, &text, bytes, sizeof bytes, &line)) {
    if (line.count == 1 && strcmp(line.token[0], "end") == 0) return 1;
    if (!read_slot(file, session, &line)) return 0;
  }
  return 0;
}

/* Back to where the checkpoint was written; a recording that goes on with a restore simply goes on. */
int rp_restore(void *state, const char *path, tradewind_status *status) {
  rp_session *session = state;
  FILE *file = opened(session, path, "rb");
  if (!file) return tw_fail(status, TRADEWIND_CHECKPOINT, "", "", "%s: %s", path, strerror(errno));
  size_t next = session->at + 1;
  int goes_on =
      session->recorded && next < session->event_count && strcmp(session->events[next].call, "restore") == 0;
  int good = read_checkpoint(file, session);
  fclose(file);
  if (!good)
    return tw_fail(status, TRADEWIND_CHECKPOINT, "", "", "%s: is damaged, or not a checkpoint of this session", path);
  rp_puts_forgotten(session);
  if (!goes_on) return TRADEWIND_OK;
  session->at = next - 1;
  return rp_event_enter(session, NULL, "restore", 0.0, 0.0, status);
}

int rp_report(void *state, const char *path, tradewind_status *status) {
  rp_session *session = state;
  FILE *file = opened(session, path, "w");
  if (!file) return tw_fail(status, TRADEWIND_FILE, "", "", "%s: %s", path, strerror(errno));
  fprintf(file, "engine\treplay\n%s\t%s\n", session->recorded ? "recording" : "declaration", session->folder);
  fprintf(file, "rank\t%d\nranks\t%d\n", (int)session->rank, (int)session->size);
  fprintf(file, "calls\t%" PRId64 "\ngets\t%" PRId64 "\n", session->calls, session->gets);
  fprintf(file, "puts that differ from the recorded\t%" PRId64 "\n", session->differing);
  return closed(file, path, status);
}
