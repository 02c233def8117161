/* tradewind.h: trained surrogates and coupled runs, called from C, C++ and (by tradewind.f90) Fortran.
 *
 * Every function returns a code of tradewind_code and fills `status` where it is given. Where it is NULL, what
 * went wrong is printed, and the config's policy says whether MPI_Abort is called or the code is returned.
 * Nothing here stops or exits by itself, and no signal handler is set.
 *
 * Collective functions are entered by all ranks of the session's communicator; all ranks then return the same
 * code, that of the first rank that failed. Local functions (marked so) concern the calling rank alone; what
 * failed locally is told by the next collective call to all ranks.
 *
 * Arrays are described as Fortran sees them: the first extent counts columns (cells of this rank), the last
 * one members, if there are any: (cell, ..., level, member). Strides are in bytes and may be negative.
 */
#ifndef TRADEWIND_H
#define TRADEWIND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRADEWIND_MAX_RANK 7
#define TRADEWIND_NAME_LENGTH 128
#define TRADEWIND_MESSAGE_LENGTH 2048
#define TRADEWIND_TRACEBACK_LENGTH 16384

typedef enum {
  TRADEWIND_OK = 0,
  TRADEWIND_CONFIG = 1,            /* the run config cannot be used */
  TRADEWIND_PLUGIN = 2,            /* a plugin is missing, ambiguous or broken */
  TRADEWIND_FIELD = 3,             /* no such component or field, or it has not been given or made yet */
  TRADEWIND_SHAPE = 4,             /* extents or number of dimensions do not fit */
  TRADEWIND_KIND = 5,              /* the array's kind is not that of the field */
  TRADEWIND_UNITS = 6,             /* units differ from those of the field */
  TRADEWIND_GRID = 7,              /* a grid is degenerate, incomplete or not the one expected */
  TRADEWIND_DATA = 8,              /* NaN or infinity, or a file that cannot be used */
  TRADEWIND_CHECKPOINT = 9,        /* a network's or a run's file is missing, damaged or of something else */
  TRADEWIND_DOMAIN = 10,           /* a surrogate was asked outside the domain that it was trained for */
  TRADEWIND_LEDGER = 11,           /* an exchange has lost or made more than its tolerance */
  TRADEWIND_MODEL = 12,            /* a component failed in its step */
  TRADEWIND_NOT_DIFFERENTIABLE = 13,
  TRADEWIND_ORDER = 14,            /* a call before another that it needs */
  TRADEWIND_CLOSED = 15,           /* the session was never opened, or has been finalized */
  TRADEWIND_PYTHON = 16,           /* no usable Python, or a package of it cannot be imported */
  TRADEWIND_MEMORY = 17,
  TRADEWIND_FILE = 18,             /* a file cannot be written: disk full, no permission */
  TRADEWIND_MPI = 19,              /* a communicator that cannot be used */
  TRADEWIND_UNSUPPORTED = 20,      /* this engine does not do that */
  TRADEWIND_INTERNAL = 21          /* a mistake of ours: please report the traceback */
} tradewind_code;

/* What became of a call. `rank` is the first that failed (-1: none), texts are empty where nothing is told. */
typedef struct {
  int32_t code;
  int32_t rank;
  char component[TRADEWIND_NAME_LENGTH];
  char field[TRADEWIND_NAME_LENGTH];
  char message[TRADEWIND_MESSAGE_LENGTH];
  char traceback[TRADEWIND_TRACEBACK_LENGTH];
} tradewind_status;

typedef enum { TRADEWIND_REAL32 = 1, TRADEWIND_REAL64 = 2, TRADEWIND_INT32 = 3, TRADEWIND_INT64 = 4 } tradewind_kind;

/* An array of the host. */
typedef struct {
  void *data;
  int32_t kind; /* of tradewind_kind */
  int32_t rank; /* 0 to 7 */
  int64_t extent[TRADEWIND_MAX_RANK];
  int64_t stride[TRADEWIND_MAX_RANK]; /* bytes between neighbours */
} tradewind_array;

/* How an array is meant. Zeros (or a NULL pointer) mean: as declared, whole, exactly. */
typedef struct {
  const char *units; /* of the array; NULL: those of the field */
  int64_t first;     /* first column that the array covers, from 1; 0: it covers all columns */
  int32_t cast;      /* nonzero: another kind may be converted */
  int32_t convert;   /* nonzero: other units of the same dimension may be converted */
} tradewind_how;

typedef enum { TRADEWIND_IMPORT = 1, TRADEWIND_EXPORT = 2, TRADEWIND_STATE = 3, TRADEWIND_PARAMETER = 4 } tradewind_role;

/* What a component declares of one of its fields. */
typedef struct {
  char name[TRADEWIND_NAME_LENGTH];
  char units[TRADEWIND_NAME_LENGTH];
  int32_t role; /* of tradewind_role */
  int32_t kind; /* of tradewind_kind */
  int32_t rank;
  int64_t extent[TRADEWIND_MAX_RANK]; /* on this rank, as in tradewind_array */
} tradewind_field;

/* Handles. Zero is none; those of finalized sessions are known to be closed. They may be copied freely. */
typedef int64_t tradewind_session;
typedef int64_t tradewind_component;

/* Name of a code, such as "shape". */
const char *tradewind_code_name(int32_t code);
/* Version of the library. */
const char *tradewind_version(void);

/* ---- sessions (collective) ----------------------------------------------------------------------------- */

/* Open a run config (.yaml), or a network (.safetensors, or .pt2 made by `tradewind freeze`).
 * comm: a Fortran communicator's handle; NULL: this process alone.
 * engine: "python", "frozen" or "replay"; NULL: as the file's ending says (a .pt2 is frozen). */
int tradewind_init(tradewind_session *session, const char *config, const int32_t *comm, const char *engine,
                   tradewind_status *status);
/* Close it; all its handles are closed. Closing a closed one does nothing. */
int tradewind_finalize(tradewind_session *session, tradewind_status *status);
/* Tell all ranks what failed on any of them since the last collective call; `status` comes in as this rank's. */
int tradewind_agree(tradewind_session session, tradewind_status *status);
/* Find a component of the config by its name (a network has one: "network"). */
int tradewind_component_of(tradewind_session session, const char *name, tradewind_component *component,
                           tradewind_status *status);

/* ---- the coupled run, when it keeps the time (collective) ------------------------------------------------ */

int tradewind_advance(tradewind_session session, double until, tradewind_status *status); /* seconds since start */
int tradewind_time(tradewind_session session, double *now, double *stop, double *step, tradewind_status *status); /* local */
int tradewind_seconds(tradewind_session session, const char *date, double *seconds, tradewind_status *status);    /* local */
/* Keep what is put, run and advanced from here on, for tangents and adjoints over several steps; 0 ends that. */
int tradewind_record(tradewind_session session, int32_t on, tradewind_status *status);
/* Tangents and adjoints through what was recorded of `advance`, one advance a call: from the first to the last,
 * and from the last back to the first. */
int tradewind_advance_tangent(tradewind_session session, tradewind_status *status);
int tradewind_advance_adjoint(tradewind_session session, tradewind_status *status);
/* One analysis by the config's filter of the members as they stand; the whole inversion by its solver. */
int tradewind_analyse(tradewind_session session, tradewind_status *status);
int tradewind_solve(tradewind_session session, tradewind_status *status);
int tradewind_checkpoint(tradewind_session session, const char *path, tradewind_status *status);
int tradewind_restore(tradewind_session session, const char *path, tradewind_status *status);
/* Write what the session has done (calls, seconds, answers, ledger; the posterior if there is one). */
int tradewind_report(tradewind_session session, const char *path, tradewind_status *status);

/* ---- one component -------------------------------------------------------------------------------------- */

/* Which cells of the global grid this rank has (numbers from 1), and where they lie in degrees. mask: nonzero
 * where a cell takes part; NULL: everywhere. A rank may have none (n = 0). Collective. */
int tradewind_set_grid(tradewind_component component, int64_t n, const int64_t *global_index, const double *lon,
                       const double *lat, const int32_t *mask, tradewind_status *status);
/* Settle what is declared: from here on shapes are fixed. Done by the first run if it was left out. Collective. */
int tradewind_describe(tradewind_component component, tradewind_status *status);
int tradewind_fields(tradewind_component component, int32_t *count, tradewind_status *status);                       /* local */
int tradewind_field_of(tradewind_component component, int32_t number, tradewind_field *field, tradewind_status *status); /* local, from 1 */

int tradewind_put(tradewind_component component, const char *name, const tradewind_array *array,
                  const tradewind_how *how, tradewind_status *status); /* local; copies */
/* Use the host's memory itself at every run from here on (imports are read, exports are written). Local. */
int tradewind_bind(tradewind_component component, const char *name, const tradewind_array *array,
                   const tradewind_how *how, tradewind_status *status);
int tradewind_get(tradewind_component component, const char *name, const tradewind_array *array,
                  const tradewind_how *how, tradewind_status *status); /* local */
/* One model call: over [time, time + dt), seconds since the session's start. Collective. */
int tradewind_run(tradewind_component component, double time, double dt, tradewind_status *status);

/* Derivatives about the last run; when recording, about all of them, one run a call: tangents from the first to
 * the last, adjoints from the last back to the first. What is put in between enters at the next run. */
int tradewind_put_tangent(tradewind_component, const char *name, const tradewind_array *, const tradewind_how *, tradewind_status *);
int tradewind_tangent(tradewind_component component, tradewind_status *status); /* collective */
int tradewind_get_tangent(tradewind_component, const char *name, const tradewind_array *, const tradewind_how *, tradewind_status *);
int tradewind_put_adjoint(tradewind_component, const char *name, const tradewind_array *, const tradewind_how *, tradewind_status *);
int tradewind_adjoint(tradewind_component component, tradewind_status *status); /* collective */
int tradewind_get_adjoint(tradewind_component, const char *name, const tradewind_array *, const tradewind_how *, tradewind_status *);
/* |<M x, y> - <x, M* y>| / (|M x| |y|) with random x, y about the last run. Collective. */
int tradewind_dot_test(tradewind_component component, double *error, tradewind_status *status);

/* ---- the host's own model as a component (plugin: host) --------------------------------------------------- */

/* A restartable step of the host: gets imports and state by tradewind_get, puts exports and new state by
 * tradewind_put, keeps nothing of its own in between, and returns 0 or a code of its own. */
typedef int (*tradewind_step)(void *context, tradewind_component component, double time, double dt);
/* Register it, with its tangent and adjoint where there are any (NULL else). Local. */
int tradewind_register(tradewind_component component, tradewind_step step, tradewind_step tangent,
                       tradewind_step adjoint, void *context, tradewind_status *status);

/* ---- what a call costs ------------------------------------------------------------------------------------ */

/* Call a function of the engine that does nothing, `times` times. guarded: the floating-point environment is
 * saved and restored around each, as around every real call. Local. */
int tradewind_ping(tradewind_session session, int64_t times, int32_t guarded, tradewind_status *status);

#ifdef __cplusplus
}
#endif
#endif
