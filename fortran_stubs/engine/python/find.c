#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* realpath, dlopen */
#endif
#include "find.h"

#include <limits.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../status.h"

static const char ASK[] = "set TRADEWIND_PYTHON to the python executable that has tradewind installed";

/* Join two parts of a path; empty where there is no room. */
static const char *join(char *path, const char *folder, const char *name) {
  const int used = snprintf(path, TW_PATH, "%s/%s", folder, name);
  if (used < 0 || used >= TW_PATH) path[0] = '\0';
  return path;
}

static void parent(char *path) {
  char *slash = strrchr(path, '/');
  if (slash != NULL) *slash = '\0';
}

/* A program, not a script that starts one: those of version managers are scripts. */
static int is_program(const char *path) {
  char begin[2] = "";
  if (access(path, X_OK) != 0) return 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  const size_t got = fread(begin, 1, sizeof begin, file);
  fclose(file);
  return got == sizeof begin && memcmp(begin, "#!", sizeof begin) != 0;
}

static int on_path(char *executable, const char *name) {
  const char *path = getenv("PATH");
  while (path != NULL && *path != '\0') {
    const size_t length = strcspn(path, ":");
    char folder[TW_PATH];
    snprintf(folder, sizeof folder, "%.*s", length < TW_PATH ? (int)length : 0, path);
    if (is_program(join(executable, folder, name))) return 1;
    path += length + (path[length] == ':');
  }
  return 0;
}

static int named(tw_interpreter *found, const char *name, tradewind_status *status) {
  if (strchr(name, '/') != NULL) {
    tw_text(found->executable, sizeof found->executable, name);
    if (is_program(name)) return TRADEWIND_OK;
  } else if (on_path(found->executable, name)) {
    return TRADEWIND_OK;
  }
  return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "TRADEWIND_PYTHON is %s, which is no python program (%s)", name,
                 ASK);
}

static int of_environment(char *executable) {
  const char *environment = getenv("VIRTUAL_ENV");
  return environment != NULL && environment[0] != '\0' && is_program(join(executable, environment, "bin/python"));
}

static int of_build(char *executable) {
#ifdef TRADEWIND_BUILD_PYTHON
  tw_text(executable, TW_PATH, TRADEWIND_BUILD_PYTHON);
  return is_program(executable);
#else
  (void)executable;
  return 0;
#endif
}

/* ---- what is told by a virtual environment's pyvenv.cfg ------------------------------------------------------- */

/* Value of one "key = value" line; NULL: the line is another one. */
static char *value_of(char *line, const char *key) {
  const size_t length = strlen(key);
  if (strncmp(line, key, length) != 0) return NULL;
  char *value = line + length;
  value += strspn(value, " \t");
  if (*value++ != '=') return NULL;
  value += strspn(value, " \t");
  value[strcspn(value, "\r\n")] = '\0';
  return value;
}

static int read_environment(tw_interpreter *found, const char *path) {
  FILE *file = fopen(path, "r");
  char line[TW_PATH];
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    const char *home = value_of(line, "home");
    if (home != NULL) tw_text(found->base, sizeof found->base, home);
    const char *version = home ? NULL : value_of(line, "version");
    if (version == NULL && home == NULL) version = value_of(line, "version_info");
    if (version != NULL) sscanf(version, "%d.%d", &found->major, &found->minor);
  }
  fclose(file);
  return found->base[0] != '\0';
}

/* python3.11 tells its version by its name. */
static void version_of_name(tw_interpreter *found, const char *real) {
  const char *name = strrchr(real, '/');
  if (found->minor == 0 && name != NULL) sscanf(name, "/python%d.%d", &found->major, &found->minor);
}

static int settle_base(tw_interpreter *found, tradewind_status *status) {
  char folder[TW_PATH], config[TW_PATH], real[PATH_MAX];
  tw_text(folder, sizeof folder, found->executable);
  parent(folder);
  const int here = read_environment(found, join(config, folder, "pyvenv.cfg"));
  parent(folder);
  const int there = here || read_environment(found, join(config, folder, "pyvenv.cfg"));
  if (realpath(found->executable, real) == NULL)
    return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "%s cannot be read (%s)", found->executable, ASK);
  version_of_name(found, real);
  parent(real);
  tw_text(found->real, sizeof found->real, real);
  if (!there) tw_text(found->base, sizeof found->base, real);
  return TRADEWIND_OK;
}

int tw_find_interpreter(tw_interpreter *found, tradewind_status *status) {
  const char *asked = getenv("TRADEWIND_PYTHON");
  memset(found, 0, sizeof *found);
  if (asked != NULL && asked[0] != '\0') {
    if (named(found, asked, status) != TRADEWIND_OK) return status->code;
  } else if (!of_environment(found->executable) && !of_build(found->executable) &&
             !on_path(found->executable, "python3")) {
    return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "no python3 program was found on PATH (%s)", ASK);
  }
  return settle_base(found, status);
}

/* ---- its library ---------------------------------------------------------------------------------------------- */

#ifdef __APPLE__
#define SUFFIX ".dylib"
#else
#define SUFFIX ".so"
#endif

static void *open_global(const char *path) { return dlopen(path, RTLD_NOW | RTLD_GLOBAL); }

/* libpython3.11.so.1.0, .so and free-threaded ones in one folder. */
static void *open_in(const char *folder, int major, int minor) {
  static const char *const endings[] = {SUFFIX ".1.0", SUFFIX, "t" SUFFIX ".1.0", "t" SUFFIX};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
    char name[64], path[TW_PATH];
    snprintf(name, sizeof name, "libpython%d.%d%s", major, minor, endings[i]);
    void *library = access(join(path, folder, name), R_OK) == 0 ? open_global(path) : NULL;
    if (library != NULL) return library;
  }
  return NULL;
}

/* The version that a folder's only libpython has, where nothing else tells it. */
static void version_in(const char *folder, int *major, int *minor) {
  DIR *listing = opendir(folder);
  if (listing == NULL) return;
  for (const struct dirent *item = readdir(listing); item != NULL && *minor == 0; item = readdir(listing))
    if (sscanf(item->d_name, "libpython%d.%d", major, minor) != 2) *minor = 0;
  closedir(listing);
}

/* lib, lib64, and lib/x86_64-linux-gnu and its like. */
static void *open_below(const char *prefix, int major, int minor) {
  char folder[TW_PATH], inner[TW_PATH];
  void *library = open_in(join(folder, prefix, "lib64"), major, minor);
  if (library == NULL) library = open_in(join(folder, prefix, "lib"), major, minor);
  DIR *listing = library ? NULL : opendir(folder);
  if (listing == NULL) return library;
  for (const struct dirent *item = readdir(listing); item != NULL && library == NULL; item = readdir(listing))
    if (strstr(item->d_name, "-linux-") != NULL) library = open_in(join(inner, folder, item->d_name), major, minor);
  closedir(listing);
  return library;
}

/* Beside the executables of one folder: never one of another installation, which only looks the same. */
static void *search(const char *executables, int major, int minor) {
  char prefix[TW_PATH], folder[TW_PATH];
  tw_text(prefix, sizeof prefix, executables);
  parent(prefix); /* from bin */
  if (minor == 0) version_in(join(folder, prefix, "lib"), &major, &minor);
  return minor != 0 ? open_below(prefix, major, minor) : NULL;
}

static void *search_all(const tw_interpreter *interpreter) {
  void *library = search(interpreter->base, interpreter->major, interpreter->minor);
  return library ? library : search(interpreter->real, interpreter->major, interpreter->minor);
}

void *tw_open_libpython(const tw_interpreter *interpreter, tradewind_status *status) {
  const char *asked = getenv("TRADEWIND_LIBPYTHON");
  const int told = asked != NULL && asked[0] != '\0';
  void *library = told ? open_global(asked) : search_all(interpreter);
  if (library != NULL) return library;
  const char *reason = dlerror();
  tw_fail(status, TRADEWIND_PYTHON, NULL, NULL,
          "no libpython%d.%d of %s can be loaded: %s (install one, that is, libpython3.x of the system or a Python "
          "built with --enable-shared, or set TRADEWIND_LIBPYTHON to its path)",
          interpreter->major, interpreter->minor, told ? asked : interpreter->executable,
          reason ? reason : "none was found");
  return NULL;
}
