#define _GNU_SOURCE
#include "team.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SPINS_AT_BARRIER = 4000, /* then the thread that is waited for may need this core */
    SPINS_FOR_JOB = 10000,   /* sampling between two steps takes about as long */
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

void meet(Team *team) {
    int32_t passed = atomic_load_explicit(&team->passed, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == team->size - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->next_item, 0, memory_order_relaxed);
        atomic_store_explicit(&team->passed, passed + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&team->passed, memory_order_acquire) == passed;) {
        if (++spins < SPINS_AT_BARRIER) pause_briefly();
        else sched_yield();
    }
}

static void wake(Team *team) {
    if (atomic_load(&team->asleep))
        syscall(SYS_futex, &team->job, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void start_job(Team *team) {
    atomic_fetch_add(&team->job, 1);
    wake(team);
}

int32_t wait_for_job(Team *team, int32_t seen) {
    for (int spins = 0; spins < SPINS_FOR_JOB; spins++) {
        if (atomic_load_explicit(&team->job, memory_order_acquire) != seen) break;
        pause_briefly();
    }
    while (atomic_load(&team->job) == seen) {
        atomic_fetch_add(&team->asleep, 1);
        syscall(SYS_futex, &team->job, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
        atomic_fetch_sub(&team->asleep, 1);
    }
    return atomic_load(&team->is_over) ? seen : atomic_load(&team->job);
}

void dismiss(Team *team) {
    atomic_store(&team->is_over, 1);
    start_job(team);
}
