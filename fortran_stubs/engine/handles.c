#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recursive mutexes */
#endif
#include "handles.h"

#include <stdlib.h>
#include <string.h>

/* A handle is (generation, place + 1, which); `which` keeps sessions and components apart. Places are used
 * again, generations are not. */
enum { SESSION = 1, PART = 2, PLACE_BITS = 20 };

typedef struct {
  void *object; /* NULL: free */
  int64_t generation;
} tw_place;

typedef struct {
  tw_place *places;
  int64_t room;
} tw_table;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static tw_table sessions, parts;

static tw_table *table_of(int which) { return which == SESSION ? &sessions : &parts; }

static int64_t number(int64_t place, int64_t generation, int which) {
  return (generation << (PLACE_BITS + 2)) | ((place + 1) << 2) | which;
}

static int64_t free_place(tw_table *table) {
  for (int64_t place = 0; place < table->room; ++place)
    if (table->places[place].object == NULL) return place;
  const int64_t room = table->room ? 2 * table->room : 8, old = table->room;
  if (room >= (int64_t)1 << PLACE_BITS) return -1;
  tw_place *places = realloc(table->places, (size_t)room * sizeof *places);
  if (places == NULL) return -1;
  memset(places + old, 0, (size_t)(room - old) * sizeof *places);
  table->places = places;
  table->room = room;
  return old;
}

static int64_t enter(void *object, int which) {
  pthread_mutex_lock(&table_lock);
  tw_table *table = table_of(which);
  const int64_t place = free_place(table);
  int64_t handle = 0;
  if (place >= 0) {
    table->places[place].object = object;
    handle = number(place, ++table->places[place].generation, which);
  }
  pthread_mutex_unlock(&table_lock);
  return handle;
}

/* The place of a handle whose object is still there. Under the lock. */
static tw_place *place_of(int64_t handle, int which) {
  const tw_table *table = table_of(which);
  const int64_t place = ((handle >> 2) & (((int64_t)1 << PLACE_BITS) - 1)) - 1;
  if (handle <= 0 || (handle & 3) != which || place < 0 || place >= table->room) return NULL;
  tw_place *found = &table->places[place];
  return found->object != NULL && found->generation == handle >> (PLACE_BITS + 2) ? found : NULL;
}

static void leave(int64_t handle, int which) {
  tw_place *place = place_of(handle, which);
  if (place != NULL) place->object = NULL;
}

tw_held *tw_held_new(void) {
  tw_held *held = calloc(1, sizeof *held);
  if (held == NULL) return NULL;
  pthread_mutexattr_t recursive;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&held->lock, &recursive);
  pthread_mutexattr_destroy(&recursive);
  held->abort_on_error = 1;
  held->users = 1;
  held->company.size = 1;
  return held;
}

int64_t tw_number_session(tw_held *held) { return held->handle = enter(held, SESSION); }

int64_t tw_number_part(tw_part *part) { return part->handle = enter(part, PART); }

tw_held *tw_take_session(int64_t handle) {
  pthread_mutex_lock(&table_lock);
  const tw_place *place = place_of(handle, SESSION);
  tw_held *held = place ? place->object : NULL;
  if (held != NULL) ++held->users;
  pthread_mutex_unlock(&table_lock);
  return held;
}

tw_part *tw_take_part(int64_t handle) {
  pthread_mutex_lock(&table_lock);
  const tw_place *place = place_of(handle, PART);
  tw_part *part = place ? place->object : NULL;
  if (part != NULL) ++part->session->users;
  pthread_mutex_unlock(&table_lock);
  return part;
}

int tw_keep(int64_t handle, tw_keepsake *block) {
  pthread_mutex_lock(&table_lock);
  const tw_place *place = place_of(handle, PART);
  tw_part *part = place ? place->object : NULL;
  if (part != NULL) {
    block->next = part->keepsakes;
    part->keepsakes = block;
  }
  pthread_mutex_unlock(&table_lock);
  return part != NULL;
}

static void free_keepsakes(tw_keepsake *block) {
  while (block != NULL) {
    tw_keepsake *next = block->next;
    free(block);
    block = next;
  }
}

static void free_held(tw_held *held) {
  while (held->parts != NULL) {
    tw_part *part = held->parts;
    held->parts = part->next;
    tw_bindings_free(&part->bindings);
    free_keepsakes(part->keepsakes);
    free(part);
  }
  pthread_mutex_destroy(&held->lock);
  free(held->pending);
  free(held);
}

void tw_drop(tw_held *held) {
  pthread_mutex_lock(&table_lock);
  const int last = --held->users == 0;
  pthread_mutex_unlock(&table_lock);
  if (last) free_held(held);
}

int tw_unlock_all(tw_held *held) {
  const int times = held->locked;
  held->locked = 0;
  for (int i = 0; i < times; ++i) pthread_mutex_unlock(&held->lock);
  return times;
}

void tw_lock_again(tw_held *held, int times) {
  for (int i = 0; i < times; ++i) pthread_mutex_lock(&held->lock);
  held->locked = times;
}

void tw_forget(tw_held *held) {
  pthread_mutex_lock(&table_lock);
  leave(held->handle, SESSION);
  for (const tw_part *part = held->parts; part != NULL; part = part->next) leave(part->handle, PART);
  pthread_mutex_unlock(&table_lock);
}
