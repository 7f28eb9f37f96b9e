/* The decode replicas of a fleet, iteration by iteration: the rules of `tandem.perf.engine` for sequences
   whose KV is there at once, sent to the replica with the shortest step. `decoding.py` tells what is what. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { double alpha, beta, gamma, a, b, c; int64_t blocks, block_tokens, cap, budget; } Engine;
typedef struct { int64_t id, input, output, emitted, kv, held; int recomputed; } Sequence;
typedef struct { Sequence *at; int64_t first, count, room; } List;
typedef struct {
    List batch, arrived, prefilling, waiting;
    int64_t free, requests, tokens;
    double begun, ends;
    int busy;
} Replica;

static void add(List *list, Sequence it) {
    if (list->first + list->count == list->room) {
        if (list->first > list->count) {
            memmove(list->at, list->at + list->first, list->count * sizeof it);
            list->first = 0;
        } else {
            list->room = list->room ? 2 * list->room : 64;
            list->at = realloc(list->at, list->room * sizeof it);
        }
    }
    list->at[list->first + list->count++] = it;
}

static void put_first(List *list, Sequence it) {
    if (list->first == 0) {
        Sequence none = it;
        add(list, none);
        memmove(list->at + 1, list->at, (list->count - 1) * sizeof it);
        list->at[0] = it;
        return;
    }
    list->at[--list->first] = it;
    list->count++;
}

static Sequence take_first(List *list) {
    Sequence it = list->at[list->first++];
    if (--list->count == 0) list->first = 0;
    return it;
}

static inline Sequence *member(List *list, int64_t i) { return list->at + list->first + i; }
static inline int64_t blocks(const Engine *e, int64_t tokens) { return (tokens + e->block_tokens - 1) / e->block_tokens; }

static int admit(const Engine *e, Replica *r) {
    Sequence *next = member(&r->waiting, 0);
    const int64_t need = blocks(e, next->input + next->emitted);
    const int64_t running = r->batch.count + r->prefilling.count + r->arrived.count;
    if (running >= e->cap || need > r->free) return 0;
    r->free -= need;
    next->held = need;
    return 1;
}

static void pull(const Engine *e, Replica *r, double now, double *admitted) {
    while (r->waiting.count && !member(&r->waiting, 0)->recomputed && admit(e, r)) {
        Sequence it = take_first(&r->waiting);
        admitted[it.id] = now;
        add(&r->arrived, it);
    }
}

static void join(const Engine *e, Replica *r, Sequence it, int64_t kv) {
    const int64_t held = blocks(e, kv);
    r->free += it.held - held;
    it.held = held;
    it.kv = kv;
    add(&r->batch, it);
}

static void preempt(Replica *r, int32_t *preempted) {
    List *from = r->prefilling.count ? &r->prefilling : &r->batch;
    Sequence it = *member(from, --from->count);
    r->free += it.held;
    it.held = it.kv = 0;
    it.recomputed = 1;
    preempted[it.id]++;
    put_first(&r->waiting, it);
}

static int64_t chunk(Sequence *it, int64_t budget, double *squares, int64_t *tokens) {
    const int64_t target = it->input + it->emitted;
    const int64_t start = it->kv, end = start + budget < target ? start + budget : target;
    if (end <= start) return 0;
    *tokens += end - start;
    *squares += (double)end * end - (double)start * start;
    it->kv = end;
    return end - start;
}

/* Steps as tokens saw them: `bins` of `bin` seconds; sums of seconds, residents x seconds, tokens x seconds, tokens. */
static void begin(const Engine *e, Replica *r, double now, int32_t *preempted, double bin, int64_t bins,
                  double *histogram, double *sums, int counts) {
    while (r->arrived.count) {
        Sequence it = take_first(&r->arrived);
        join(e, r, it, it.input + it.emitted - 1);
    }
    int64_t opened;
    for (;;) {
        opened = 0;
        for (int64_t i = 0; i < r->batch.count; i++) opened += member(&r->batch, i)->kv % e->block_tokens == 0;
        if (opened <= r->free) break;
        preempt(r, preempted);
    }
    r->free -= opened;
    double context = 0;
    for (int64_t i = 0; i < r->batch.count; i++) {
        Sequence *it = member(&r->batch, i);
        it->held += it->kv % e->block_tokens == 0;
        context += it->kv + 1;
    }
    const int64_t decoding = r->batch.count;
    int64_t budget = e->budget - decoding, tokens = 0;
    double squares = 0;
    for (int64_t i = 0; i < r->prefilling.count; i++) budget -= chunk(member(&r->prefilling, i), budget, &squares, &tokens);
    while (budget > 0 && r->waiting.count && member(&r->waiting, 0)->recomputed && admit(e, r)) {
        add(&r->prefilling, take_first(&r->waiting));
        budget -= chunk(member(&r->prefilling, r->prefilling.count - 1), budget, &squares, &tokens);
    }
    r->busy = decoding || tokens;
    if (!r->busy) return;
    double lasts = 0;
    if (tokens) lasts += e->a + e->b * tokens + e->c * squares;
    if (decoding) lasts += e->alpha + e->beta * decoding + e->gamma * context;
    if (tokens && decoding) lasts -= e->a < e->alpha ? e->a : e->alpha;
    r->begun = now;
    r->ends = now + lasts;
    if (!counts) return;
    int64_t place = (int64_t)(lasts / bin);
    histogram[place < bins ? place : bins - 1] += decoding;
    sums[0] += lasts;
    sums[1] += lasts * decoding;
    sums[2] += decoding;
    sums[3] += lasts * (e->blocks - r->free);
}

static void end(const Engine *e, Replica *r, double *first, double *last) {
    int64_t kept = 0;
    for (int64_t i = 0; i < r->batch.count; i++) {
        Sequence it = *member(&r->batch, i);
        it.kv++;
        if (!it.emitted++) first[it.id] = r->ends;
        if (it.emitted < it.output) { *member(&r->batch, kept++) = it; continue; }
        last[it.id] = r->ends;
        r->free += it.held;
        r->requests--;
        r->tokens -= it.input + it.output;
    }
    r->batch.count = kept;
    kept = 0;
    for (int64_t i = 0; i < r->prefilling.count; i++) {
        Sequence it = *member(&r->prefilling, i);
        if (it.kv < it.input + it.emitted) { *member(&r->prefilling, kept++) = it; continue; }
        if (!it.emitted++) first[it.id] = r->ends;
        if (it.emitted < it.output) { join(e, r, it, it.kv); continue; }
        last[it.id] = r->ends;
        r->free += it.held;
        r->requests--;
        r->tokens -= it.input + it.output;
    }
    r->prefilling.count = kept;
}

void play(const Engine *e, int64_t replicas, int64_t requests, const double *arrivals, const int64_t *inputs,
          const int64_t *outputs, double from, double bin, int64_t bins, double *admitted, double *first,
          double *last, int32_t *preempted, double *histogram, double *sums) {
    Replica *pool = calloc(replicas, sizeof *pool);
    for (int64_t i = 0; i < replicas; i++) pool[i].free = e->blocks;
    int64_t coming = 0;
    for (;;) {
        Replica *next = NULL;
        for (int64_t i = 0; i < replicas; i++)
            if (pool[i].busy && (!next || pool[i].ends < next->ends)) next = pool + i;
        if (coming == requests) break;
        if (next && next->ends < arrivals[coming]) {
            const double now = next->ends;
            end(e, next, first, last);
            pull(e, next, now, admitted);
            begin(e, next, now, preempted, bin, bins, histogram, sums, now > from);
            continue;
        }
        const double now = arrivals[coming];
        const int64_t tokens = inputs[coming] + outputs[coming];
        Replica *best = pool;
        double shortest = 0;
        for (int64_t i = 0; i < replicas; i++) {
            const double step = e->beta * pool[i].requests + e->gamma * pool[i].tokens;
            if (i == 0 || step < shortest) { best = pool + i; shortest = step; }
        }
        best->requests++;
        best->tokens += tokens;
        add(&best->waiting, (Sequence){.id = coming, .input = inputs[coming], .output = outputs[coming]});
        pull(e, best, now, admitted);
        if (!best->busy) begin(e, best, now, preempted, bin, bins, histogram, sums, now > from);
        coming++;
    }
    for (int64_t i = 0; i < replicas; i++) {
        free(pool[i].batch.at); free(pool[i].arrived.at); free(pool[i].prefilling.at); free(pool[i].waiting.at);
    }
    free(pool);
}
