/* Threads that walk through a step side by side and meet at barriers.

   Python starts them (`join_team`), so that this library needs nothing but the C language and two
   system calls. They spin for microseconds within a step, where the next barrier is near, and sleep
   between steps, where the threads that answer HTTP want the cores. */
#ifndef TEAM_H
#define TEAM_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    int32_t size;              /* threads, the one that calls `run_step` included */
    _Atomic int32_t job;       /* counts the steps; a change starts the next one */
    _Atomic int32_t arrived;   /* threads at the current barrier */
    _Atomic int32_t passed;    /* barriers that all have passed */
    _Atomic int32_t next_item; /* what `claim` hands out next */
    _Atomic int32_t asleep;    /* threads that wait for a job in the kernel */
    _Atomic int32_t is_over;
} Team;

/* Wait for the others; then `claim` starts at 0 again. */
void meet(Team *team);

/* The first of `count` items that nobody has taken since the last barrier. */
static inline int claim(Team *team, int count) {
    return atomic_fetch_add_explicit(&team->next_item, count, memory_order_relaxed);
}

void start_job(Team *team);

/* Wait for a job after the one called `seen`; its number, or `seen` when the team is dismissed. */
int32_t wait_for_job(Team *team, int32_t seen);

void dismiss(Team *team);

#endif
