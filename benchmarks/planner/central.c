/* First come, first served by the first of `servers` that is free (Kiefer and Wolfowitz, 1955), and the
   same work by one server as fast as all (Lindley, 1952). Waits are counted by the upper half of their
   float32: 128 bins an octave. */
#include <stdint.h>
#include <string.h>

static inline uint64_t rotated(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

/* xoshiro256** of Blackman and Vigna (2018), public domain. */
static inline uint64_t drawn(uint64_t s[4]) {
    const uint64_t result = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotated(s[3], 45);
    return result;
}

static inline void count(uint32_t *bins, float wait) {
    uint32_t bits;
    memcpy(&bits, &wait, sizeof bits);
    bins[bits >> 16]++;
}

void serve(uint64_t *state, const float *gaps, const float *services, uint64_t mask, int servers,
           double *free_at, double *fast, int64_t customers, uint32_t *central, uint32_t *single) {
    double now = 0, left = *fast;
    for (int64_t k = 0; k < customers; k++) {
        const uint64_t draw = drawn(state);
        const double gap = gaps[draw & mask], service = services[(draw >> 32) & mask];
        now += gap;
        left = left > gap ? left - gap : 0;
        count(single, (float)left);
        left += service / servers;
        const double start = free_at[0] > now ? free_at[0] : now, end = start + service;
        count(central, (float)(start - now));
        int i = 0;
        for (int j = 1; j < servers; j = 2 * i + 1) {
            if (j + 1 < servers && free_at[j + 1] < free_at[j]) j++;
            if (free_at[j] >= end) break;
            free_at[i] = free_at[j];
            i = j;
        }
        free_at[i] = end;
    }
    for (int i = 0; i < servers; i++) free_at[i] -= now;
    *fast = left;
}
