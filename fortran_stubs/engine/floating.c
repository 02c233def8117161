#include "floating.h"

#include <stddef.h>

#ifdef TW_X86_REGISTERS
#include <xmmintrin.h>

/* All masked, to nearest, nothing flushed to zero; the x87 unit as the ABI has it at the start of a program. */
enum { SSE_DEFAULT = 0x1F80, X87_DEFAULT = 0x037F, X87_FLAGS = 0x3F };

typedef struct {
  uint16_t control, reserved0, flags, reserved1;
  uint32_t rest[5];
} tw_x87;

static uint16_t x87_control(void) {
  uint16_t control;
  __asm__ volatile("fnstcw %0" : "=m"(control));
  return control;
}

static uint16_t x87_flags(void) {
  uint16_t word;
  __asm__ volatile("fnstsw %0" : "=m"(word));
  return word & X87_FLAGS;
}

static void set_x87_control(uint16_t control) { __asm__ volatile("fldcw %0" : : "m"(control)); }

/* Slow, and hardly ever needed. */
static void set_x87_flags(uint16_t flags) {
  tw_x87 unit;
  __asm__ volatile("fnstenv %0" : "=m"(unit));
  unit.flags = (uint16_t)((unit.flags & ~X87_FLAGS) | flags);
  __asm__ volatile("fldenv %0" : : "m"(unit));
}

static void save(tw_environment *environment) {
  environment->sse = _mm_getcsr();
  environment->control = x87_control();
  environment->flags = x87_flags();
}

/* Flags first: one that is raised would trap as soon as it is unmasked. */
static void restore(const tw_environment *environment) {
  if (x87_flags() != environment->flags) set_x87_flags(environment->flags);
  if (x87_control() != environment->control) set_x87_control(environment->control);
  _mm_setcsr(environment->sse);
}

static void calm(void) {
  if (x87_control() != X87_DEFAULT) set_x87_control(X87_DEFAULT);
  _mm_setcsr(SSE_DEFAULT);
}

#else

static void save(tw_environment *environment) { fegetenv(environment); }
static void restore(const tw_environment *environment) { fesetenv(environment); }
static void calm(void) { fesetenv(FE_DFL_ENV); }

#endif

/* Each thread has an environment of its own, and so a guard of its own. */
static _Thread_local tw_guard *innermost;

/* Not feholdexcept(): that keeps the host's rounding and its flush to zero, hence gives other bits than Python. */
void tw_guard_enter(tw_guard *guard) {
  guard->outer = innermost;
  innermost = guard;
  save(&guard->host);
  calm();
}

/* Flags raised meanwhile are forgotten, and no trap fires. */
void tw_guard_leave(tw_guard *guard) {
  innermost = guard->outer;
  restore(&guard->host);
}

void tw_host_enter(tw_environment *ours) {
  save(ours);
  if (innermost != NULL) restore(&innermost->host);
}

void tw_host_leave(const tw_environment *ours) { restore(ours); }
