#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifndef TRADEWIND_VERSION
#define TRADEWIND_VERSION "0.1.0"
#endif

static const char *const names[] = {
    "ok",     "config", "plugin", "field",  "shape",  "kind",        "units",    "grid",
    "data",   "checkpoint", "domain", "ledger", "model", "not differentiable", "order", "closed",
    "python", "memory", "file",   "mpi",    "unsupported", "internal",
};

const char *tradewind_code_name(int32_t code) {
  return code >= 0 && code <= TRADEWIND_INTERNAL ? names[code] : "unknown";
}

const char *tradewind_version(void) { return TRADEWIND_VERSION; }

void tw_clear(tradewind_status *status) {
  status->code = TRADEWIND_OK;
  status->rank = -1;
  status->component[0] = status->field[0] = status->message[0] = status->traceback[0] = '\0';
}

static int continues(char byte) { return ((unsigned char)byte & 0xC0u) == 0x80u; }

void tw_text(char *to, size_t room, const char *from) {
  size_t length = from ? strlen(from) : 0;
  if (length >= room) {
    length = room - 1;
    while (length > 0 && continues(from[length])) --length; /* a UTF-8 character stays whole */
  }
  if (length > 0) memmove(to, from, length);
  to[length] = '\0';
}

void tw_copy_status(tradewind_status *to, const tradewind_status *from) {
  memset(to, 0, sizeof *to);
  to->code = from->code;
  to->rank = from->rank;
  tw_text(to->component, sizeof to->component, from->component);
  tw_text(to->field, sizeof to->field, from->field);
  tw_text(to->message, sizeof to->message, from->message);
  tw_text(to->traceback, sizeof to->traceback, from->traceback);
}

int tw_fail(tradewind_status *status, int32_t code, const char *component, const char *field, const char *format,
            ...) {
  char message[TRADEWIND_MESSAGE_LENGTH + 4]; /* longer, so that tw_text sees where to cut */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  status->code = code;
  tw_text(status->component, sizeof status->component, component);
  tw_text(status->field, sizeof status->field, field);
  tw_text(status->message, sizeof status->message, message);
  return (int)code;
}
