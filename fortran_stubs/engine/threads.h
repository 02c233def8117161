/* threads.h: how many threads an engine may use on this rank. */
#ifndef TW_THREADS_H
#define TW_THREADS_H

/* OMP_NUM_THREADS where it is set; the cpus of a rank that is pinned to some of them; else 1, because the
 * neighbours of a rank that is not pinned want the other cores. */
int tw_threads(void);
/* Let libraries that read the environment as they are loaded start that many; and put the environment back. */
enum { TW_THREAD_NAMES = 3 };
typedef struct {
  int set[TW_THREAD_NAMES];
} tw_told;
void tw_threads_tell(tw_told *told);
void tw_threads_untell(const tw_told *told);

#endif
