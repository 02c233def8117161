/* open.c: which recording or declaration a session stands on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"

static int is_folder(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static int is_file(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

/* Declarations say so in their first words; other files (run configs, networks) are what they stand in for. */
static int is_declaration(const char *path) {
  static const char opening[] = "tradewind fields";
  char begun[sizeof opening] = "";
  FILE *file = is_file(path) ? fopen(path, "rb") : NULL;
  if (!file) return 0;
  size_t got = fread(begun, 1, sizeof opening - 1, file);
  fclose(file);
  return got == sizeof opening - 1 && strcmp(begun, opening) == 0;
}

/* path = config up to its ending, and `ending`; 0 where that is too long. */
static int beside(const char *config, int whole, const char *ending, char *path, size_t size) {
  const char *slash = strrchr(config, '/'), *name = slash ? slash + 1 : config, *dot = strrchr(name, '.');
  size_t length = whole || !dot ? strlen(config) : (size_t)(dot - config);
  if (length + strlen(ending) >= size) return 0;
  memcpy(path, config, length);
  memcpy(path + length, ending, strlen(ending) + 1);
  return 1;
}

static int usable(const char *path) { return is_folder(path) || is_declaration(path); }

/* The config itself, what TRADEWIND_REPLAY names, or what lies beside the config under its name. */
static int found(const char *config, char *path, size_t size) {
  static const char *const endings[] = {".record", ".fields"};
  const char *named = getenv("TRADEWIND_REPLAY");
  if (named && *named) return beside(named, 1, "", path, size);
  if (beside(config, 1, "", path, size) && usable(path)) return 1;
  for (int whole = 1; whole >= 0; whole--)
    for (int i = 0; i < 2; i++)
      if (beside(config, whole, endings[i], path, size) && usable(path)) return 1;
  return 0;
}

static int read_folder(rp_session *session, tradewind_status *status) {
  char path[sizeof session->folder + 32];
  snprintf(path, sizeof path, "%s/rank-%05d.txt", session->folder, (int)session->rank);
  if (!is_file(path) && session->rank > 0)
    return tw_fail(status, TRADEWIND_MPI, "", "", "%s: holds no rank %d: it was made with fewer ranks",
                   session->folder, (int)session->rank);
  int code = rp_read_text(path, &session->text, status);
  if (code) return code;
  snprintf(path, sizeof path, "%s/rank-%05d.bin", session->folder, (int)session->rank);
  session->numbers = fopen(path, "rb");
  if (!session->numbers) return tw_fail(status, TRADEWIND_DATA, "", "", "%s: %s", path, strerror(errno));
  if (fseek(session->numbers, 0, SEEK_END) == 0) session->number_bytes = ftell(session->numbers);
  session->recorded = 1;
  return rp_read_journal(session, status);
}

static int read_found(rp_session *session, const char *config, tradewind_status *status) {
  if (!found(config, session->folder, sizeof session->folder))
    return tw_fail(
        status, TRADEWIND_CONFIG, "", "",
        "%s: there is neither a recording (a folder, or %s.record) nor a declaration of fields (%s.fields); "
        "TRADEWIND_REPLAY may name one",
        config, config, config);
  if (is_folder(session->folder)) return read_folder(session, status);
  return rp_read_declared(session, session->folder, status);
}

int rp_open(const tw_opening *opening, void **state, tradewind_status *status) {
  rp_session *session = calloc(1, sizeof *session);
  if (!session) return tw_fail(status, TRADEWIND_MEMORY, "", "", "no memory for a session");
  session->rank = opening->rank;
  session->size = opening->size > 0 ? opening->size : 1;
  session->policy = 1;
  int code = read_found(session, opening->config, status);
  if (code) rp_close(session);
  else *state = session;
  return code;
}

static void free_part(rp_part *part) {
  for (int32_t i = 0; i < part->count; i++)
    for (int what = 0; what < RP_WHATS; what++) rp_free_slot(&part->fields[i].slot[what]);
  free(part->fields);
  free(part->bound);
  free(part);
}

void rp_close(void *state) {
  rp_session *session = state;
  for (size_t i = 0; i < session->part_count; i++) free_part(session->parts[i]);
  if (session->numbers) fclose(session->numbers);
  free(session->parts);
  free(session->events);
  free(session->values);
  free(session->puts);
  free(session->dates);
  free(session->text.bytes);
  free(session);
}

int32_t rp_part_number(const rp_session *session, const char *name) {
  for (size_t i = 0; i < session->part_count; i++)
    if (strcmp(session->parts[i]->name, name) == 0) return (int32_t)i;
  return -1;
}

rp_part *rp_part_of(rp_session *session, const char *name) {
  int32_t number = rp_part_number(session, name);
  return number < 0 ? NULL : session->parts[number];
}

int32_t rp_field_number(const rp_part *part, int32_t role, const char *name) {
  for (int32_t i = 0; i < part->count; i++)
    if (part->fields[i].declared.role == role && strcmp(part->fields[i].declared.name, name) == 0) return i;
  return -1;
}

rp_part *rp_new_part(rp_session *session, const char *name) {
  rp_part **grown = rp_grown(session->parts, session->part_count, sizeof *grown);
  if (!grown) return NULL;
  session->parts = grown;
  rp_part *part = calloc(1, sizeof *part);
  if (!part) return NULL;
  part->session = session;
  part->columns = RP_OPEN;
  if (!rp_copy_name(part->name, sizeof part->name, name)) return free(part), NULL;
  return session->parts[session->part_count++] = part;
}

rp_kept *rp_new_field(rp_part *part, const char *name) {
  rp_kept *grown = rp_grown(part->fields, (size_t)part->count, sizeof *grown);
  if (!grown) return NULL;
  part->fields = grown;
  memset(&grown[part->count], 0, sizeof *grown);
  if (!rp_copy_name(grown[part->count].declared.name, TRADEWIND_NAME_LENGTH, name)) return NULL;
  return &grown[part->count++];
}
