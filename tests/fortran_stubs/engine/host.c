/* A host that makes the calls that it is told to on its command line, and prints what comes of each, one line a
 * call. A word @2 lets only rank 2 make the next call. */
#define _GNU_SOURCE
#include <fenv.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tradewind.h"
#ifndef NO_MPI
#include <mpi.h>
#endif

enum { MOST = 4096, SESSIONS = 4 };

static tradewind_session sessions[SESSIONS];
static tradewind_component components[SESSIONS];
static tradewind_status status;
static double values[MOST], bound[MOST];
static int32_t comm;
static int given, quiet, mine, now;
static char **word;

static const char *next(void) { return *word ? *word++ : ""; }

static const char *last_line(char *text) {
  size_t length = strlen(text);
  while (length > 0 && text[length - 1] == '\n') text[--length] = '\0';
  const char *from = strrchr(text, '\n');
  const char *kind = strstr(from ? from + 1 : text, "DomainError");
  return kind ? kind : "";
}

static const char *first_line(char *text) {
  text[strcspn(text, "\n")] = '\0';
  return text;
}

static void tell(const char *call, int code) {
  if (quiet) {
    printf("%d|%s|%s||||\n", mine, call, tradewind_code_name(code));
  } else {
    const int traced = strstr(status.traceback, "Traceback") != NULL;
    printf("%d|%s|%s|%" PRId32 "|%s.%s|%s|%s\n", mine, call, tradewind_code_name(code), status.rank, status.component,
           status.field, traced || strlen(status.traceback) > 9000 ? "traced" : "", first_line(status.message));
    if (strlen(status.traceback) > 9000) printf("%d|traceback|%s\n", mine, last_line(status.traceback));
  }
  quiet = 0;
}

static tradewind_status *told(void) { return quiet ? NULL : &status; }

/* "1,2,nan"; a comma alone is none */
static int64_t read_values(const char *text, double *to) {
  int64_t n = 0;
  if (strcmp(text, ",") == 0) return 0;
  for (char *end; *text != '\0' && n < MOST; text = *end == ',' ? end + 1 : end, ++n) to[n] = strtod(text, &end);
  return n;
}

static tradewind_array line(double *data, int64_t n) {
  return (tradewind_array){.data = data, .kind = TRADEWIND_REAL64, .rank = 1, .extent = {n}, .stride = {8}};
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void do_init(void) {
  const char *config = *word && strcmp(*word, ";") != 0 ? next() : "";
  tell("init", tradewind_init(&sessions[now], config, given ? &comm : NULL, NULL, told()));
}

static void do_finalize(void) { tell("finalize", tradewind_finalize(&sessions[now], told())); }
static void do_agree(void) { tell("agree", tradewind_agree(sessions[now], told())); }
static void do_run(void) { tell("run", tradewind_run(components[now], 0.0, 1.0, told())); }
static void do_describe(void) { tell("describe", tradewind_describe(components[now], told())); }
static void do_solve(void) { tell("solve", tradewind_solve(sessions[now], told())); }

static void do_component(void) {
  const char *name = next();
  tell("component", tradewind_component_of(sessions[now], name, &components[now], told()));
}

static void do_put(void) {
  const char *name = next();
  const tradewind_array array = line(values, read_values(next(), values));
  tell("put", tradewind_put(components[now], name, &array, NULL, told()));
}

static void do_bind(void) {
  const char *name = next();
  const tradewind_array array = line(bound, read_values(next(), bound));
  tell("bind", tradewind_bind(components[now], name, &array, NULL, told()));
}

static void do_change(void) { read_values(next(), bound); }

/* An array as odd as one likes: array KIND EXTENTS STRIDES(in elements) OFFSET FIRST VALUES, put as x. */
static void do_array(void) {
  static float single[MOST];
  double extent[MOST], stride[MOST];
  tradewind_array array = {.kind = atoi(next())};
  array.rank = (int32_t)read_values(next(), extent);
  read_values(next(), stride);
  const char *offset = next();
  const tradewind_how how = {.first = atoll(next())};
  const int64_t n = read_values(next(), values), size = array.kind == TRADEWIND_REAL32 ? 4 : 8;
  for (int64_t i = 0; i < n; ++i) single[i] = (float)values[i];
  for (int i = 0; i < array.rank && i < TRADEWIND_MAX_RANK; ++i)
    array.extent[i] = (int64_t)extent[i], array.stride[i] = size * (int64_t)stride[i];
  if (strcmp(offset, "null") != 0)
    array.data = (size == 4 ? (char *)single : (char *)values) + size * atoll(offset);
  tell("put", tradewind_put(components[now], "x", &array, &how, told()));
}

static void do_get(void) {
  const char *name = next();
  const int64_t n = atoll(next());
  const tradewind_array array = line(values, n);
  const int code = tradewind_get(components[now], name, &array, NULL, told());
  tell("get", code);
  printf("%d|values|", mine);
  for (int64_t i = 0; code == TRADEWIND_OK && i < n; ++i) printf("%s%g", i ? "," : "", values[i]);
  printf("\n");
}

static void do_fields(void) {
  int32_t count = 0;
  tradewind_field field;
  tell("fields", tradewind_fields(components[now], &count, told()));
  for (int32_t i = 1; i <= count && tradewind_field_of(components[now], i, &field, &status) == TRADEWIND_OK; ++i)
    printf("%d|declared|%s|%s|%" PRId32 "|%" PRId32 "|%" PRId32 "|%" PRId64 "\n", mine, field.name, field.units, field.role,
           field.kind, field.rank, field.extent[0]);
}

static void do_field(void) {
  tradewind_field field;
  tell("field", tradewind_field_of(components[now], atoi(next()), &field, told()));
}

static void do_time(void) {
  double at = 0, stop = 0, step = 0;
  tell("time", tradewind_time(sessions[now], &at, &stop, &step, told()));
  printf("%d|times|%g|%g|%g\n", mine, at, stop, step);
}

static void do_grid(void) {
  static int64_t index[MOST];
  static double lon[MOST], lat[MOST];
  const int64_t n = read_values(next(), lon);
  for (int64_t i = 0; i < n; ++i) index[i] = i + 1, lat[i] = 0.0;
  tell("set_grid", tradewind_set_grid(components[now], n, index, lon, lat, NULL, told()));
}

/* ---- a step of the host ------------------------------------------------------------------------------------------- */

static int double_it(void *context, tradewind_component c, double time, double dt) {
  tradewind_status inner;
  const tradewind_array array = line(values, 3);
  const int traps = fegetexcept();
  if (tradewind_get(c, "x", &array, NULL, &inner) != TRADEWIND_OK) return 7;
  for (int i = 0; i < 3; ++i) values[i] *= 2.0;
  printf("%d|step|%g|%g|%s\n", mine, time, dt, traps ? "traps" : "calm");
  if (*(int *)context) return *(int *)context;
  return tradewind_put(c, "y", &array, NULL, &inner) != TRADEWIND_OK;
}

static int end_it(void *context, tradewind_component c, double time, double dt) {
  (void)context, (void)c, (void)time, (void)dt;
  tell("finalize", tradewind_finalize(&sessions[now], &status));
  return 0;
}

static int of_step;

static void do_register(void) {
  of_step = atoi(next());
  tell("register", tradewind_register(components[now], double_it, NULL, NULL, &of_step, told()));
}

static void do_register_end(void) {
  tell("register", tradewind_register(components[now], end_it, NULL, NULL, NULL, told()));
}

/* ---- what the host is left with ------------------------------------------------------------------------------------- */

static void do_trap(void) { feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW); }
static void do_upward(void) { fesetround(FE_UPWARD); }
static void do_raise(void) { feraiseexcept(FE_UNDERFLOW); }

static void do_calm(void) { fesetenv(FE_DFL_ENV); }

static void do_floating(void) {
  printf("%d|floating|%s|%s|%s|%s\n", mine, fegetexcept() ? "traps" : "calm",
         fegetround() == FE_UPWARD ? "upward" : "nearest", fetestexcept(FE_UNDERFLOW) ? "underflow" : "",
         fetestexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW) ? "raised" : "");
}

static struct sigaction before[NSIG];

static void keep_signals(void) {
  for (int i = 1; i < NSIG; ++i) sigaction(i, NULL, &before[i]);
}

static void do_signals(void) {
  int changed = 0;
  for (int i = 1; i < NSIG; ++i) {
    struct sigaction after;
    if (sigaction(i, NULL, &after) == 0) changed += after.sa_handler != before[i].sa_handler;
  }
  printf("%d|signals|%d|%s|%s\n", mine, changed, setlocale(LC_ALL, NULL), getenv("OMP_NUM_THREADS") ? "set" : "unset");
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void do_ping(void) {
  for (int guarded = 0; guarded < 2; ++guarded) {
    const double start = seconds();
    const int code = tradewind_ping(sessions[now], 1000, guarded, &status);
    printf("%d|ping|%s|%g\n", mine, tradewind_code_name(code), (seconds() - start) * 1e3);
  }
}

static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file != NULL && fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  if (file != NULL) fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Sessions opened and closed; half of them to warm up. */
static void do_cycles(void) {
  const int n = atoi(next());
  const char *config = next();
  long start = 0;
  int failed = 0;
  for (int i = 0; i < 2 * n; ++i) {
    if (i == n) start = resident();
    failed += tradewind_init(&sessions[0], config, given ? &comm : NULL, NULL, &status) != TRADEWIND_OK;
    failed += tradewind_component_of(sessions[0], "double", &components[0], &status) != TRADEWIND_OK;
    failed += tradewind_run(components[0], 0.0, 1.0, &status) != TRADEWIND_OK;
    failed += tradewind_finalize(&sessions[0], &status) != TRADEWIND_OK;
  }
  printf("%d|cycles|%d|%ld\n", mine, failed, resident() - start);
}

/* Threads of the host, all at once on one component. */
static void *hammer(void *failures) {
  double data[3] = {1, 2, 3};
  tradewind_status own;
  const tradewind_array array = line(data, 3);
  for (int i = 0; i < 50; ++i) {
    *(int *)failures += tradewind_put(components[now], "x", &array, NULL, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_run(components[now], 0.0, 1.0, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_get(components[now], "x", &array, NULL, &own) != TRADEWIND_OK;
  }
  return NULL;
}

/* Each with sessions of its own. */
static void *come_and_go(void *failures) {
  tradewind_status own;
  tradewind_session session;
  tradewind_component c;
  for (int i = 0; i < 5; ++i) {
    *(int *)failures += tradewind_init(&session, "a.yaml", NULL, NULL, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_component_of(session, "double", &c, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_run(c, 0.0, 1.0, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_finalize(&session, &own) != TRADEWIND_OK;
    *(int *)failures += tradewind_run(c, 0.0, 1.0, &own) != TRADEWIND_CLOSED;
  }
  return NULL;
}

static void crowd(void *(*function)(void *)) {
  pthread_t threads[4];
  int failures[4] = {0};
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, function, &failures[i]);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  printf("%d|threads|%d\n", mine, failures[0] + failures[1] + failures[2] + failures[3]);
}

static void do_threads(void) { crowd(hammer); }
static void do_crowd(void) { crowd(come_and_go); }

/* ---- what is told ----------------------------------------------------------------------------------------------------- */

static void do_quiet(void) { quiet = 1; }
static void do_mark(void) { printf("%d|mark|%s\n", mine, next()); }
static void do_session(void) { now = atoi(next()); }
static void do_chdir(void) {
  if (chdir(next()) != 0) exit(3);
}
static void do_unset(void) { unsetenv(next()); }
static void do_setenv(void) {
  const char *name = next();
  setenv(name, next(), 1);
}

static void do_comm(void) {
  const char *which = next();
  given = strcmp(which, "none") != 0;
#ifndef NO_MPI
  MPI_Comm sub;
  if (strcmp(which, "world") == 0) comm = (int32_t)MPI_Comm_c2f(MPI_COMM_WORLD);
  else if (strcmp(which, "null") == 0) comm = (int32_t)MPI_Comm_c2f(MPI_COMM_NULL);
  else if (strcmp(which, "odd") == 0) comm = 123456789;
  else if (strcmp(which, "halves") == 0 && MPI_Comm_split(MPI_COMM_WORLD, mine % 2, mine, &sub) == MPI_SUCCESS)
    comm = (int32_t)MPI_Comm_c2f(sub);
#endif
}

typedef struct {
  const char *name;
  void (*function)(void);
} command;

static const command commands[] = {
    {"init", do_init}, {"finalize", do_finalize}, {"agree", do_agree}, {"run", do_run}, {"describe", do_describe},
    {"solve", do_solve}, {"component", do_component}, {"put", do_put}, {"bind", do_bind}, {"change", do_change}, {"array", do_array},
    {"get", do_get}, {"fields", do_fields}, {"field", do_field}, {"time", do_time}, {"grid", do_grid},
    {"register", do_register}, {"register_end", do_register_end}, {"trap", do_trap}, {"upward", do_upward},
    {"raise", do_raise}, {"floating", do_floating}, {"signals", do_signals}, {"ping", do_ping},
    {"cycles", do_cycles}, {"calm", do_calm}, {"mark", do_mark}, {"threads", do_threads}, {"crowd", do_crowd}, {"quiet", do_quiet}, {"session", do_session},
    {"chdir", do_chdir}, {"setenv", do_setenv}, {"unset", do_unset}, {"comm", do_comm},
};

/* The last word of a call that only others make. */
static void pass(void) {
  while (*word && strcmp(*word, ";") != 0) ++word;
}

static void perform(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i)
    if (strcmp(commands[i].name, name) == 0) {
      commands[i].function();
      return;
    }
  fprintf(stderr, "no such call: %s\n", name);
  exit(2);
}

static void follow(void) {
  while (*word) {
    const char *name = next();
    if (strcmp(name, ";") == 0) continue;
    if (name[0] == '@' && atoi(name + 1) != mine) pass();
    else if (name[0] != '@') perform(name);
    fflush(stdout);
  }
}

int main(int count, char **arguments) {
  (void)count;
  word = arguments + 1;
  keep_signals();
#ifndef NO_MPI
  const int ranks = *word && strcmp(*word, "mpi") == 0;
  if (ranks) ++word, MPI_Init(NULL, NULL), MPI_Comm_rank(MPI_COMM_WORLD, &mine);
  if (ranks) keep_signals();
#endif
  follow();
#ifndef NO_MPI
  if (ranks) MPI_Finalize();
#endif
  return 0;
}
