/* floating.h: the host's floating-point environment (traps, flags, rounding, flush to zero) is put aside while
 * an engine works, because Python, numpy and torch divide by zero in good faith, and put back afterwards. */
#ifndef TW_FLOATING_H
#define TW_FLOATING_H

#include <fenv.h>

typedef struct tw_guard {
  fenv_t host;
  struct tw_guard *outer; /* a step of the host, called by an engine, may call us again */
} tw_guard;

void tw_guard_enter(tw_guard *guard);
void tw_guard_leave(tw_guard *guard);
/* The host's own environment again, for a step of the host called from within; `ours` keeps the engine's. */
void tw_host_enter(fenv_t *ours);
void tw_host_leave(const fenv_t *ours);

#endif
