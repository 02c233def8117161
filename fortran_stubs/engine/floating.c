#include "floating.h"

#include <stddef.h>

/* Each thread has an environment of its own, and so a guard of its own. */
static _Thread_local tw_guard *innermost;

void tw_guard_enter(tw_guard *guard) {
  guard->outer = innermost;
  innermost = guard;
  fegetenv(&guard->host);
  fesetenv(FE_DFL_ENV); /* not feholdexcept: that would keep the host's rounding and flush-to-zero, hence other bits */
}

void tw_guard_leave(tw_guard *guard) {
  innermost = guard->outer;
  fesetenv(&guard->host); /* flags raised meanwhile are forgotten, no trap fires */
}

void tw_host_enter(fenv_t *ours) {
  fegetenv(ours);
  if (innermost != NULL) fesetenv(&innermost->host);
}

void tw_host_leave(const fenv_t *ours) { fesetenv(ours); }
