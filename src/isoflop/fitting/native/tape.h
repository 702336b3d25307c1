/* A law's instruction list, as isoflop.fitting.program lays it out, run for one problem and a block of rows.
 *
 * Values live in four places: EACH, one number a problem (coordinates first, then what is computed of them alone);
 * NUMBER, one number for the whole table; DATA, one number a row, constant; TILE, one number a row of the block at hand.
 * Two operations are tapes of their own: a root solves its equation for every row, a sum adds up a tape that runs over
 * the lists of values that rows have. */
#ifndef ISOFLOP_TAPE_H
#define ISOFLOP_TAPE_H

#include <stdlib.h>

#include "arithmetic.h"

enum { BLOCK_ROWS = 256, BLOCK_PAIRS = 4096 };

typedef enum { FROM_NOWHERE = -1, FROM_EACH, FROM_NUMBER, FROM_DATA, FROM_TILE } Place;

typedef struct { int32_t place, slot; } Reference;

/* out: a slot of EACH for the steps that run once, of TILE for those that run on rows. child: the tape of a root, or the
 * position among the outputs of the tape of sums. */
typedef struct { int32_t operation; Reference first, second; int32_t out, child; } Step;

typedef struct Tape {
    int32_t n_coordinates, n_each, n_tile, n_once, n_steps, n_outputs, n_roots;
    const Step *once, *steps;
    const Reference *outputs;
    const double *numbers;           /* by data slot */
    const struct Tape *const *roots; /* equations (g, dg/du), the unknown in their first tile slot */
    const struct Tape *sums;         /* over the pairs of a row and a value of its list, or NULL */
} Tape;

/* Rows of the table, or pairs of it: an array for each data slot (NULL for one that is a number). */
typedef struct { long n; int n_slots; const double **columns; } Domain;

/* What a tape needs while it runs; one for each thread. width: the most rows of a block. */
typedef struct Work {
    double *each, *tile, *sums, *bracket;
    struct Work *roots, *pairs;
    int width;
} Work;

static int allocate_work(const Tape *tape, Work *work, int width, int pair_width)
{
    memset(work, 0, sizeof *work);
    work->width = width;
    work->each = malloc(sizeof(double) * (size_t)(tape->n_each + 1));
    work->tile = malloc(sizeof(double) * (size_t)(tape->n_tile + 1) * (size_t)width);
    if (work->each == NULL || work->tile == NULL) return 0;
    if (tape->n_roots > 0) {
        work->bracket = malloc(sizeof(double) * 6 * (size_t)width);
        work->roots = calloc((size_t)tape->n_roots, sizeof(Work));
        if (work->bracket == NULL || work->roots == NULL) return 0;
        for (int i = 0; i < tape->n_roots; i++)
            if (!allocate_work(tape->roots[i], &work->roots[i], width, 0)) return 0;
    }
    if (tape->sums != NULL) {
        work->sums = malloc(sizeof(double) * (size_t)(tape->sums->n_outputs + 1) * (size_t)width);
        work->pairs = calloc(1, sizeof(Work));
        if (work->sums == NULL || work->pairs == NULL) return 0;
        if (!allocate_work(tape->sums, work->pairs, pair_width, 0)) return 0;
    }
    return 1;
}

static void free_work(const Tape *tape, Work *work)
{
    if (work->roots != NULL)
        for (int i = 0; i < tape->n_roots; i++) free_work(tape->roots[i], &work->roots[i]);
    if (work->pairs != NULL) free_work(tape->sums, work->pairs);
    free(work->each), free(work->tile), free(work->sums), free(work->bracket), free(work->roots), free(work->pairs);
}

static double number_at(const Tape *tape, const Work *work, Reference from)
{
    return from.place == FROM_EACH ? work->each[from.slot] : tape->numbers[from.slot];
}

/* What depends on coordinates alone, once for each problem. */
static void set_coordinates(const Tape *tape, Work *work, const double *theta)
{
    memcpy(work->each, theta, sizeof(double) * (size_t)tape->n_coordinates);
    for (int i = 0; i < tape->n_once; i++) {
        const Step *step = &tape->once[i];
        double second = step->second.place == FROM_NOWHERE ? 0.0 : number_at(tape, work, step->second);
        work->each[step->out] = scalar_operation((Operation)step->operation, number_at(tape, work, step->first), second);
    }
    for (int i = 0; i < tape->n_roots; i++) set_coordinates(tape->roots[i], &work->roots[i], theta);
    if (tape->sums != NULL) set_coordinates(tape->sums, work->pairs, theta);
}

/* Where a value's rows begin, and whether it is one number for all of them. */
static const double *rows_of(const Tape *tape, const Work *work, const Domain *rows, long begin, Reference from, int *alone)
{
    *alone = from.place == FROM_EACH || from.place == FROM_NUMBER;
    switch (from.place) {
    case FROM_EACH: return work->each + from.slot;
    case FROM_NUMBER: return tape->numbers + from.slot;
    case FROM_DATA: return rows->columns[from.slot] + begin;
    case FROM_TILE: return work->tile + (size_t)from.slot * (size_t)work->width;
    default: return NULL;
    }
}

static void run_rows(const Tape *tape, Work *work, const Domain *rows, long begin, int n);

/* The unknown of an equation for n rows: Newton's steps in z = log((u - low)/(high - u)), or log(u - low) without an
 * upper end, kept inside a bracket that only shrinks. The constants are those of isoflop.laws.implicit. */
static void solve_roots(const Tape *equation, Work *own, double *bracket, const Domain *rows, long begin, int n,
                        const double *low, int low_alone, const double *high, int high_alone, double *out)
{
    const double widest = 700.0, beyond = 0.98 * widest, settled = 1e-8, exact = 1e-13, merged_at = 1e-2, rounded = 36.0;
    double *z = bracket, *lowest = bracket + n, *highest = bracket + 2 * n, *speed = bracket + 3 * n, *lost = bracket + 4 * n;
    double *unknown = own->tile;
    int alone;
    for (int i = 0; i < n; i++) z[i] = 0.0, lowest[i] = -widest, highest[i] = widest, lost[i] = 0.0;
    for (int step = 0; step <= 120; step++) {
        for (int i = 0; i < n; i++) {
            double from = low[low_alone ? 0 : i];
            if (high == NULL) {
                speed[i] = exp(z[i]);
                unknown[i] = from + speed[i];
            } else {
                double span = high[high_alone ? 0 : i] - from, share = 1.0 / (1.0 + exp(-z[i]));
                unknown[i] = from + span * share;
                speed[i] = span * share * (1.0 - share);
            }
        }
        if (step == 120) break;
        run_rows(equation, own, rows, begin, n);
        const double *value = rows_of(equation, own, rows, begin, equation->outputs[0], &alone);
        int value_alone = alone;
        const double *slope = rows_of(equation, own, rows, begin, equation->outputs[1], &alone);
        int all_done = 1;
        for (int i = 0; i < n; i++) {
            double g = value[value_alone ? 0 : i], newton = -g / (slope[alone ? 0 : i] * speed[i]);
            if (g < 0) lowest[i] = z[i];
            if (g > 0) highest[i] = z[i];
            double moved = z[i] + newton;
            if (!(moved >= lowest[i] && moved <= highest[i])) moved = 0.5 * (lowest[i] + highest[i]);
            int gone = g != g || highest[i] < -beyond || lowest[i] > beyond;
            int merged = isinf(g) && highest[i] - lowest[i] < merged_at;
            if (high != NULL) merged = merged || (lowest[i] > rounded && highest[i] < widest);
            double size = fabs(unknown[i]), rounding = 4.0 * (nextafter(size, INFINITY) - size) / speed[i];
            rounding = rounding < merged_at ? rounding : merged_at;
            int done = gone || merged || g == 0 || highest[i] - lowest[i] < (rounding > exact ? rounding : exact);
            done = done || fabs(newton) < (rounding > settled ? rounding : settled);
            if (!gone && g != 0) z[i] = moved;
            lost[i] = gone;
            all_done = all_done && done;
        }
        if (all_done) step = 119; /* the unknown at the last z, and no further step */
    }
    for (int i = 0; i < n; i++) out[i] = lost[i] != 0.0 ? NAN : unknown[i];
}

/* Every step on n rows of the domain from begin on. */
static void run_rows(const Tape *tape, Work *work, const Domain *rows, long begin, int n)
{
    for (int i = 0; i < tape->n_steps; i++) {
        const Step *step = &tape->steps[i];
        int first_alone = 0, second_alone = 0;
        double *out = work->tile + (size_t)step->out * (size_t)work->width;
        const double *first = rows_of(tape, work, rows, begin, step->first, &first_alone);
        const double *second = rows_of(tape, work, rows, begin, step->second, &second_alone);
        if (step->operation == OP_SUM)
            memcpy(out, work->sums + (size_t)step->child * (size_t)work->width, sizeof(double) * (size_t)n);
        else if (step->operation == OP_ROOT)
            solve_roots(tape->roots[step->child], &work->roots[step->child], work->bracket, rows, begin, n,
                        first, first_alone, second, second_alone, out);
        else
            row_operation((Operation)step->operation, n, first, first_alone, second, second_alone, out);
    }
}

/* All sums over lists, for rows begin to begin + n: pairs offsets[begin] to offsets[begin + n]. */
static void add_up_pairs(const Tape *tape, Work *work, const Domain *pairs, const int64_t *offsets, long begin, int n)
{
    const Tape *sums = tape->sums;
    long start = (long)offsets[begin];
    run_rows(sums, work->pairs, pairs, start, (int)(offsets[begin + n] - start));
    for (int output = 0; output < sums->n_outputs; output++) {
        int alone;
        const double *value = rows_of(sums, work->pairs, pairs, start, sums->outputs[output], &alone);
        double *out = work->sums + (size_t)output * (size_t)work->width;
        for (int i = 0; i < n; i++) {
            double total = 0.0;
            for (int64_t pair = offsets[begin + i]; pair < offsets[begin + i + 1]; pair++)
                total += value[alone ? 0 : pair - start];
            out[i] = total;
        }
    }
}

#endif
