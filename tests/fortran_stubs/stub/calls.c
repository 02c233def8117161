/* Reads calls from its input, makes them, and writes what each was told: a host that tests can dictate.
 *
 *   put NAME KIND SHAPE FIRST UNITS VALUE...    KIND 1 to 4, SHAPE as 4,2 or -, FIRST 0 or a column
 *   get NAME KIND SHAPE FIRST UNITS             UNITS - (as declared), kg, or kg! (to be converted)
 *   other calls as in tradewind.h, without their handles
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tradewind.h"

enum { MOST = 64 };

static tradewind_session session;
static tradewind_component component;
static tradewind_status status;
static double lent[MOST];

static void told(const char *call) {
  printf("%s %s", call, tradewind_code_name(status.code));
  if (status.code) printf(" [%s] [%s] %s", status.component, status.field, status.message);
  printf("\n");
}

static size_t size_of(int kind) { return kind == TRADEWIND_REAL32 || kind == TRADEWIND_INT32 ? 4 : 8; }

static void set(void *at, int kind, const char *word) {
  if (kind == TRADEWIND_REAL32) *(float *)at = strtof(word, NULL);
  if (kind == TRADEWIND_REAL64) *(double *)at = strtod(word, NULL);
  if (kind == TRADEWIND_INT32) *(int32_t *)at = (int32_t)strtol(word, NULL, 10);
  if (kind == TRADEWIND_INT64) *(int64_t *)at = strtoll(word, NULL, 10);
}

static void show(const void *at, int kind) {
  if (kind == TRADEWIND_REAL32) printf(" %a", (double)*(const float *)at);
  if (kind == TRADEWIND_REAL64) printf(" %a", *(const double *)at);
  if (kind == TRADEWIND_INT32) printf(" %" PRId32, *(const int32_t *)at);
  if (kind == TRADEWIND_INT64) printf(" %" PRId64, *(const int64_t *)at);
}

/* NAME KIND SHAPE FIRST UNITS of a call. */
typedef struct {
  const char *name;
  tradewind_array array;
  tradewind_how how;
  int64_t count;
  char units[64];
} given;

static void shape_of(given *call, const char *word) {
  int64_t stride = (int64_t)size_of(call->array.kind);
  call->count = 1;
  while (word && strcmp(word, "-") != 0 && call->array.rank < TRADEWIND_MAX_RANK) {
    int64_t extent = strtoll(word, NULL, 10);
    call->array.extent[call->array.rank] = extent;
    call->array.stride[call->array.rank++] = stride;
    call->count *= extent;
    stride *= extent;
    word = strchr(word, ',');
    word = word ? word + 1 : NULL;
  }
}

static void units_of(given *call, const char *word) {
  size_t length = strlen(word);
  snprintf(call->units, sizeof call->units, "%s", word);
  if (strcmp(word, "-") == 0) return;
  call->how.units = call->units;
  if (word[length - 1] != '!') return;
  call->units[length - 1] = '\0';
  call->how.convert = 1;
}

static void read_given(given *call, void *data) {
  memset(call, 0, sizeof *call);
  call->name = strtok(NULL, " ");
  call->array.kind = (int32_t)strtol(strtok(NULL, " "), NULL, 10);
  call->how.cast = call->array.kind < 0;
  call->array.kind = abs(call->array.kind);
  shape_of(call, strtok(NULL, " "));
  call->how.first = strtoll(strtok(NULL, " "), NULL, 10);
  units_of(call, strtok(NULL, " "));
  call->array.data = data;
}

typedef int (*transfer)(tradewind_component, const char *, const tradewind_array *, const tradewind_how *,
                        tradewind_status *);

static void put(const char *word, transfer act) {
  static double data[MOST];
  given call;
  read_given(&call, data);
  for (int64_t i = 0; i < call.count && i < MOST; i++)
    set((char *)data + (size_t)i * size_of(call.array.kind), call.array.kind, strtok(NULL, " "));
  act(component, call.name, &call.array, &call.how, &status);
  told(word);
}

static void get(const char *word, transfer act) {
  static double data[MOST];
  given call;
  memset(data, 0, sizeof data);
  read_given(&call, data);
  if (act(component, call.name, &call.array, &call.how, &status)) {
    told(word);
    return;
  }
  printf("%s", word);
  for (int64_t i = 0; i < call.count && i < MOST; i++)
    show((char *)data + (size_t)i * size_of(call.array.kind), call.array.kind);
  printf("\n");
}

static void bind(void) {
  given call;
  read_given(&call, lent);
  tradewind_bind(component, call.name, &call.array, &call.how, &status);
  told("bind");
}

static void lend(void) {
  const char *word;
  for (int i = 0; i < MOST && (word = strtok(NULL, " ")); i++) lent[i] = strtod(word, NULL);
}

static void grid(void) {
  int64_t number[MOST];
  double degrees[MOST] = {0};
  const char *word;
  int64_t n = 0;
  while (n < MOST && (word = strtok(NULL, " "))) number[n++] = strtoll(word, NULL, 10);
  tradewind_set_grid(component, n, number, degrees, degrees, NULL, &status);
  told("grid");
}

static void fields(void) {
  int32_t count = 0;
  tradewind_field field;
  tradewind_fields(component, &count, &status);
  for (int32_t i = 1; i <= count && !tradewind_field_of(component, i, &field, &status); i++) {
    printf("field %s %s %d %d (", field.name, field.units, (int)field.role, (int)field.kind);
    for (int32_t k = 0; k < field.rank; k++) printf("%s%" PRId64, k ? ", " : "", field.extent[k]);
    printf(")\n");
  }
  told("fields");
}

/* A step of the host: the new amount is the old one and what flows in. */
static int step(void *context, tradewind_component of, double time, double dt) {
  double inflow[4], amount[4];
  tradewind_array array = {.kind = TRADEWIND_REAL64, .rank = 1, .extent = {4}, .stride = {8}};
  (void)context;
  printf("step %g %g\n", time, dt);
  array.data = inflow;
  if (tradewind_get(of, "inflow", &array, NULL, &status)) return 1;
  array.data = amount;
  if (tradewind_get(of, "amount", &array, NULL, &status)) return 2;
  for (int i = 0; i < 4; i++) amount[i] += inflow[i];
  if (tradewind_put(of, "amount", &array, NULL, &status)) return 3;
  return tradewind_put(of, "level", &array, NULL, &status) ? 4 : 0;
}

static double number(void) { return strtod(strtok(NULL, " "), NULL); }

static void times(void) {
  double now = 0, stop = 0, length = 0;
  tradewind_time(session, &now, &stop, &length, &status);
  told("time");
  printf("%g %g %g\n", now, stop, length);
}

static void one(const char *word, double found) {
  told(word);
  printf("%a\n", found);
}

static int transfers(const char *word) {
  static const struct {
    const char *word;
    transfer act;
  } known[] = {{"put", tradewind_put},
               {"put_tangent", tradewind_put_tangent},
               {"put_adjoint", tradewind_put_adjoint},
               {"get", tradewind_get},
               {"get_tangent", tradewind_get_tangent},
               {"get_adjoint", tradewind_get_adjoint}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(word, known[i].word) != 0) continue;
    if (i < 3) put(word, known[i].act);
    else get(word, known[i].act);
    return 1;
  }
  return 0;
}

static int of_paths(const char *word) {
  static const struct {
    const char *word;
    int (*act)(tradewind_session, const char *, tradewind_status *);
  } known[] = {{"checkpoint", tradewind_checkpoint}, {"restore", tradewind_restore}, {"report", tradewind_report}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(word, known[i].word) != 0) continue;
    known[i].act(session, strtok(NULL, " "), &status);
    told(word);
    return 1;
  }
  return 0;
}

static int plain(const char *word) {
  static const struct {
    const char *word;
    int (*act)(int64_t, tradewind_status *);
    int whole;
  } known[] = {{"describe", tradewind_describe, 0}, {"tangent", tradewind_tangent, 0},
               {"adjoint", tradewind_adjoint, 0},   {"analyse", tradewind_analyse, 1},
               {"solve", tradewind_solve, 1},       {"advance_tangent", tradewind_advance_tangent, 1}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(word, known[i].word) != 0) continue;
    known[i].act(known[i].whole ? session : component, &status);
    told(word);
    return 1;
  }
  return 0;
}

static void open_session(void) {
  const char *config = strtok(NULL, " ");
  tradewind_init(&session, config, NULL, strtok(NULL, " "), &status);
  told("init");
}

static int opening(const char *word) {
  if (strcmp(word, "init") == 0) open_session();
  else if (strcmp(word, "component") == 0)
    tradewind_component_of(session, strtok(NULL, ""), &component, &status), told(word);
  else if (strcmp(word, "grid") == 0) grid();
  else if (strcmp(word, "fields") == 0) fields();
  else if (strcmp(word, "bind") == 0) bind();
  else if (strcmp(word, "lend") == 0) lend();
  else if (strcmp(word, "register") == 0) tradewind_register(component, step, NULL, NULL, NULL, &status), told(word);
  else if (strcmp(word, "finalize") == 0) tradewind_finalize(&session, &status), told(word);
  else return 0;
  return 1;
}

static int running(const char *word) {
  double found = 0.0, from;
  if (strcmp(word, "run") == 0) from = number(), tradewind_run(component, from, number(), &status), told(word);
  else if (strcmp(word, "advance") == 0) tradewind_advance(session, number(), &status), told(word);
  else if (strcmp(word, "time") == 0) times();
  else if (strcmp(word, "record") == 0) tradewind_record(session, 1, &status), told(word);
  else if (strcmp(word, "seconds") == 0)
    tradewind_seconds(session, strtok(NULL, " "), &found, &status), one(word, found);
  else if (strcmp(word, "dot_test") == 0) tradewind_dot_test(component, &found, &status), one(word, found);
  else return 0;
  return 1;
}

int main(void) {
  char line[1024];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    const char *word = strtok(line, " ");
    if (!word) continue;
    if (!(opening(word) || running(word) || plain(word) || of_paths(word) || transfers(word))) printf("? %s\n", word);
  }
  return 0;
}
