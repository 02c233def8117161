/* floating.h: the host's floating-point environment (traps, flags, rounding, flush to zero) is put aside while
 * an engine works, because Python, numpy and torch divide by zero in good faith, and put back afterwards. */
#ifndef TW_FLOATING_H
#define TW_FLOATING_H

#if defined(__x86_64__) && defined(__GNUC__)
#define TW_X86_REGISTERS
#endif

#include <fenv.h>
#include <stdint.h>

/* What <fenv.h> saves and restores takes 0.25 microseconds on x86-64, nearly all of it for the x87 unit, which
 * hardly anything uses there: so its registers are compared, and written where they differ. */
#ifdef TW_X86_REGISTERS
typedef struct {
  uint32_t sse;           /* MXCSR: control and flags */
  uint16_t control, flags; /* of the x87 unit */
} tw_environment;
#else
typedef fenv_t tw_environment;
#endif

typedef struct tw_guard {
  tw_environment host;
  struct tw_guard *outer; /* a step of the host, called by an engine, may call us again */
} tw_guard;

void tw_guard_enter(tw_guard *guard);
void tw_guard_leave(tw_guard *guard);
/* The host's own environment again, for a step of the host called from within; `ours` keeps the engine's. */
void tw_host_enter(tw_environment *ours);
void tw_host_leave(const tw_environment *ours);

#endif
