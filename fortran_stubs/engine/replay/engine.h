/* engine.h: what the files of the replay engine share.
 *
 * A session of this engine is made from one of two things, and its handles work the same way for both:
 *   a recording   a folder with, per rank, rank-00000.txt (what was called, told and asked, one event a line, tokens
 *                 apart by tabs) and rank-00000.bin (the numbers that were returned, as they stood in memory);
 *   a declaration a plain text that names fields; what is put under a name is what a get of it returns.
 * Neither needs Python. Formats: docs/fortran-stub.md.
 */
#ifndef TRADEWIND_REPLAY_H
#define TRADEWIND_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../engine.h"

#define RP_TOKENS 16 /* most tokens of a line */
#define RP_SHAPES 8     /* other shapes that a field was given in, at most */
#define RP_WHATS 3   /* of tw_what */
#define RP_OPEN (-1) /* a first extent that is settled by the host */

/* A text in memory, cut into lines. */
typedef struct {
  char *bytes;
  size_t length, at;
  int64_t line;
} rp_text;

/* Tokens of one line: they point into the text. */
typedef struct {
  int32_t count;
  char *token[RP_TOKENS];
} rp_line;

/* Extents of an array. */
typedef struct {
  int32_t rank;
  int64_t extent[TRADEWIND_MAX_RANK];
} rp_shape;

/* What was put last: contiguous, as Fortran orders it, of the declared kind. */
typedef struct {
  unsigned char *data;
  rp_shape shape;
  unsigned char *marked; /* per column: nonzero once it was put */
  int64_t given;         /* elements put since the last event */
  uint64_t hash;         /* of what was put since then */
  int32_t foreign;       /* put in other units than the declared ones, which nobody can convert here */
} rp_slot;

typedef struct {
  tradewind_field declared;
  rp_shape others[RP_SHAPES]; /* shapes that the real session accepted besides */
  int32_t other_count;
  char accepted[RP_SHAPES][TRADEWIND_NAME_LENGTH]; /* other words for its units, and units that it converted */
  int32_t converted[RP_SHAPES];
  int32_t accepted_count;
  rp_slot slot[RP_WHATS];
  double initial;
  int32_t has_initial;
} rp_kept;

/* Memory of the host that is read and written at every run. */
typedef struct {
  int32_t field, foreign;
  char units[TRADEWIND_NAME_LENGTH]; /* empty: as declared */
  tradewind_array array;
} rp_binding;

struct rp_session;

typedef struct {
  struct rp_session *session;
  char name[TRADEWIND_NAME_LENGTH];
  rp_kept *fields;
  int32_t count;
  rp_binding *bound;
  size_t bound_count;
  int32_t has_grid, grid_given, described, has_run;
  int64_t columns; /* of the grid */
  uint64_t grid_hash;
  tradewind_component handle;
  tradewind_step back[RP_WHATS]; /* step, tangent, adjoint of the host */
  void *context;
} rp_part;

/* What one collective call was and told. back: the engine called the host, as part of the event after it. */
typedef struct {
  int32_t back;
  const char *call;
  rp_part *part; /* NULL: the session */
  double a, b, now, scalar;
  int32_t code, rank;
  const char *component, *field, *message;
  size_t values, puts; /* first of its values (which follow it), and end of its puts (which went before it) */
} rp_event;

typedef struct {
  int32_t part, field, what, kind;
  const char *units;
  rp_shape shape;
  int64_t offset;
  uint64_t hash;
} rp_value;

typedef struct {
  int32_t part, field, what;
  int64_t count;
  uint64_t hash;
} rp_putting;

typedef struct {
  const char *text;
  double seconds;
} rp_date;

typedef struct rp_session {
  char folder[4096];
  int32_t recorded; /* a recording; else a declaration */
  int32_t rank, size, policy;
  int32_t has_clock;
  double now, stop, step;
  rp_text text;
  FILE *numbers;
  int64_t number_bytes;
  rp_part **parts;
  size_t part_count;
  rp_event *events;
  size_t event_count, at; /* at: the event that was replayed last */
  rp_value *values;
  size_t value_count;
  rp_putting *puts;
  size_t put_count;
  rp_date *dates;
  size_t date_count;
  int32_t inside;                 /* a step of the host is being called: what it puts are exports */
  int64_t calls, gets, differing; /* for the report */
} rp_session;

/* text.c: files and tokens. Numbers are read without the locale. */
int rp_read_text(const char *path, rp_text *text, tradewind_status *status);
int rp_next_line(rp_text *text, rp_line *line, char apart); /* 0 at the end */
int rp_parse_whole(const char *token, int64_t *value);      /* 0 where it is none */
int rp_parse_bits(const char *token, uint64_t *value);      /* 16 hexadecimal digits */
int rp_parse_real(const char *token, double *value);        /* such digits of a double */
int rp_parse_shape(const char *token, rp_shape *shape);     /* "4,*,2", "-" */
int rp_parse_kind(const char *token, int32_t *kind);
int rp_parse_role(const char *token, int32_t *role);
void rp_unescape(char *token);
int rp_copy_name(char *to, size_t size, const char *from); /* 0 where it is empty or too long */
void *rp_grown(void *array, size_t count, size_t size);    /* room for one more; NULL: no memory */

/* copy.c: arrays. */
size_t rp_kind_size(int32_t kind);
const char *rp_kind_word(int32_t kind);
int64_t rp_count(const rp_shape *shape);
void rp_shape_text(const rp_shape *shape, char *text, size_t size);
rp_shape rp_shape_of(const tradewind_array *array);
int rp_same_shape(const rp_shape *a, const rp_shape *b);
tradewind_array rp_view(void *data, int32_t kind, const rp_shape *shape); /* contiguous */
tradewind_array rp_columns(const tradewind_array *whole, int64_t first, int64_t count);
void rp_copy(const tradewind_array *to, const tradewind_array *from); /* as many elements, in Fortran's order */
int64_t rp_not_finite(const tradewind_array *array);                  /* number of the first such element, or 0 */
uint64_t rp_hash(const tradewind_array *array, int64_t first, int64_t columns);
void rp_fill(const tradewind_array *array, double value);

/* open.c: which thing is opened; journal.c and declared.c read it. */
int rp_open(const tw_opening *opening, void **state, tradewind_status *status);
void rp_close(void *state);
int rp_read_journal(rp_session *session, tradewind_status *status);
int rp_read_declared(rp_session *session, const char *path, tradewind_status *status);
rp_part *rp_part_of(rp_session *session, const char *name);
int32_t rp_part_number(const rp_session *session, const char *name);          /* -1: none */
int32_t rp_field_number(const rp_part *part, int32_t role, const char *name); /* -1: none */
rp_part *rp_new_part(rp_session *session, const char *name);                  /* NULL: no memory */
rp_kept *rp_new_field(rp_part *part, const char *name);                       /* NULL: no memory, or no name */

/* events.c: the order of calls. */
int rp_event_enter(rp_session *session, rp_part *part, const char *call, double a, double b,
                   tradewind_status *status);
const rp_event *rp_event_now(const rp_session *session);

/* fields.c: put, get, bind. */
int rp_put(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
           tradewind_status *status);
int rp_get(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
           tradewind_status *status);
int rp_bind(void *part, const char *name, const tradewind_array *array, const tradewind_how *how,
            tradewind_status *status);
int rp_bound_in(rp_part *part, tradewind_status *status);  /* read what is bound before a run */
int rp_bound_out(rp_part *part, tradewind_status *status); /* write what is bound after it */
int rp_all_given(rp_part *part, tradewind_status *status); /* every import has been put */
void rp_puts_forgotten(rp_session *session);               /* a new event: counts of puts start again */
/* What is kept of a field: copies in and out, in blocks of columns. */
int rp_slot_in(rp_part *part, rp_kept *field, tw_what what, const tradewind_array *array, int64_t first,
               tradewind_status *status);
void rp_free_slot(rp_slot *slot);

/* values.c: what a recording holds of a field after the last call. */
const rp_value *rp_recorded(const rp_part *part, int32_t field, tw_what what, const char *units);
int rp_give_value(rp_part *part, const rp_value *value, const tradewind_array *array, int64_t first,
                  tradewind_status *status);
/* Copy columns from `first` on out of a whole field. */
int rp_give(const rp_part *part, const rp_kept *field, const tradewind_array *whole, const tradewind_array *array,
            int64_t first, tradewind_status *status);

/* checks.c: does an array fit what is declared? */
int rp_check_array(rp_part *part, rp_kept *field, const tradewind_array *array, const tradewind_how *how,
                   tradewind_status *status);
/* 0: these are the field's units; 1: others, which the real session converted; -1: neither (the status says so). */
int rp_check_units(const rp_part *part, const rp_kept *field, const tradewind_how *how, tradewind_status *status);
typedef enum { RP_PUT, RP_GET, RP_BIND } rp_way;
int rp_find_field(rp_part *part, rp_way way, tw_what what, const char *name, int32_t *field,
                  tradewind_status *status);
rp_shape rp_full_shape(const rp_part *part, const rp_kept *field, const tradewind_array *array);

/* keep.c: checkpoints and reports. */
int rp_checkpoint(void *state, const char *path, tradewind_status *status);
int rp_restore(void *state, const char *path, tradewind_status *status);
int rp_report(void *state, const char *path, tradewind_status *status);

#endif
