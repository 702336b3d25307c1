/* Levenberg–Marquardt for one problem after another: the law's own instruction list, its objective, its steps.
 *
 * The steps are those of isoflop.fitting.solve, to which this is the faster twin: rows of no weight are dropped, and
 * value, Jacobian and normal equations of a block of rows are made while it is in cache. Called through ctypes, which
 * lets go of Python's lock, so that threads run side by side; nothing here is shared between calls. */
#include "objective.h"
#include "tape.h"

#define ISOFLOP_KERNEL 6 /* what isoflop.fitting.native expects to find: raise it with every change of a structure */

/* The table. targets: (rows,), or (problems, rows) if each_target. offsets: (rows + 1,) or NULL. pair_width: the most
 * pairs that one row has. */
typedef struct {
    Domain rows, pairs;
    const int64_t *offsets;
    const double *targets;
    int32_t each_target, n_free;
    int64_t pair_width;
} Table;

/* near: whether the objective's own curvature is used from the first step. held: bit i for a free coordinate that stays
 * where it is. */
typedef struct { double tolerance, longest, limit, nearly; int32_t max_steps, quiet; uint64_t held; int32_t near; } Settings;

/* Rows are filled up to a multiple of this, the numbers in the widest vector, so that none is left for scalar loops. */
enum { LANES = 8 };

#ifndef BORROWED_ROWS
#define BORROWED_ROWS 4096 /* a table of so many rows, of which every problem has all, is not copied */
#endif

/* One problem's rows: those of the table that have weight, packed together. borrowed: the table's own, and weight is ones
 * for a block. */
typedef struct {
    Domain rows, pairs;
    const int64_t *offsets;
    const double *target;
    int borrowed;
    int64_t *own_offsets;
    double *own_target, *weight;
    const double **row_columns, **pair_columns;
} Packed;

typedef struct {
    Work work;
    Packed packed;
    double *slope, *curvature, *mixed, *weighted, *fill;
    const double **jacobian;
} Thread;

int isoflop_kernel(void) { return ISOFLOP_KERNEL; }

static int allocate_columns(const Domain *from, Domain *to, const double ***columns)
{
    *columns = calloc((size_t)from->n_slots + 1, sizeof(double *));
    if (*columns == NULL) return 0;
    to->columns = *columns, to->n_slots = from->n_slots, to->n = 0;
    for (int slot = 0; slot < from->n_slots; slot++)
        if (from->columns[slot] != NULL && ((*columns)[slot] = malloc(sizeof(double) * (size_t)(from->n + LANES))) == NULL) return 0;
    return 1;
}

static void free_columns(const Domain *domain, const double **columns)
{
    if (columns != NULL)
        for (int slot = 0; slot < domain->n_slots; slot++) free((void *)columns[slot]);
    free((void *)columns);
}

/* borrows: whether all problems have all rows of the table. */
static int allocate_thread(const Tape *tape, const Table *table, int borrows, Thread *thread)
{
    int width = BLOCK_ROWS, outputs = table->n_free + 1;
    int pair_width = BLOCK_PAIRS > table->pair_width ? BLOCK_PAIRS : (int)table->pair_width;
    size_t rows = sizeof(double) * (size_t)width, whole = sizeof(double) * (size_t)(table->rows.n + LANES);
    memset(thread, 0, sizeof *thread);
    Packed *packed = &thread->packed;
    thread->slope = malloc(rows), thread->curvature = malloc(rows), thread->mixed = malloc(rows);
    thread->weighted = malloc(rows), thread->fill = malloc(rows * (size_t)outputs);
    thread->jacobian = malloc(sizeof(double *) * (size_t)outputs);
    packed->borrowed = borrows && table->rows.n >= BORROWED_ROWS;
    if (packed->borrowed) {
        packed->rows = table->rows, packed->pairs = table->pairs, packed->offsets = table->offsets, packed->target = table->targets;
        packed->weight = malloc(rows);
        for (int i = 0; packed->weight != NULL && i < width; i++) packed->weight[i] = 1.0;
    } else {
        packed->target = packed->own_target = malloc(whole), packed->weight = malloc(whole);
        packed->offsets = packed->own_offsets = malloc(sizeof(int64_t) * (size_t)(table->rows.n + 2));
        if (packed->own_target == NULL || packed->own_offsets == NULL || !allocate_columns(&table->rows, &packed->rows, &packed->row_columns) ||
            !allocate_columns(&table->pairs, &packed->pairs, &packed->pair_columns)) return 0;
    }
    return thread->slope && thread->curvature && thread->mixed && thread->weighted && thread->fill && thread->jacobian &&
           packed->weight && allocate_work(tape, &thread->work, width, pair_width);
}

static void free_thread(const Tape *tape, const Table *table, Thread *thread)
{
    Packed *packed = &thread->packed;
    free_work(tape, &thread->work);
    free_columns(&table->rows, packed->row_columns), free_columns(&table->pairs, packed->pair_columns);
    free(packed->own_target), free(packed->weight), free(packed->own_offsets);
    free(thread->slope), free(thread->curvature), free(thread->mixed), free(thread->weighted), free(thread->fill);
    free((void *)thread->jacobian);
}

/* Repeats the last row, without weight, until their number is a multiple of LANES. */
static void fill_up(const Table *table, Packed *packed)
{
    long n = packed->rows.n;
    if (n == 0 || table->offsets != NULL) return;
    for (; n % LANES != 0; n++) {
        for (int slot = 0; slot < table->rows.n_slots; slot++)
            if (table->rows.columns[slot] != NULL) ((double *)packed->row_columns[slot])[n] = packed->row_columns[slot][n - 1];
        packed->own_target[n] = packed->own_target[n - 1], packed->weight[n] = 0.0;
    }
    packed->rows.n = n;
}

/* The rows of a problem that have weight, with what belongs to them. weights: (rows,), or NULL for ones. range: the first
 * row and the one after the last, or NULL for all. */
static void pack(const Table *table, const double *target, const double *weights, const int64_t *range, Packed *packed)
{
    long n = 0, n_pairs = 0;
    long first = range == NULL ? 0 : (long)range[0], last = range == NULL ? table->rows.n : (long)range[1];
    packed->own_offsets[0] = 0;
    for (long row = first; row < last; row++) {
        if (weights != NULL && weights[row] == 0.0) continue;
        for (int slot = 0; slot < table->rows.n_slots; slot++)
            if (table->rows.columns[slot] != NULL) ((double *)packed->row_columns[slot])[n] = table->rows.columns[slot][row];
        if (table->offsets != NULL) {
            long begin = (long)table->offsets[row], count = (long)table->offsets[row + 1] - begin;
            for (int slot = 0; slot < table->pairs.n_slots; slot++)
                if (table->pairs.columns[slot] != NULL)
                    memcpy((double *)packed->pair_columns[slot] + n_pairs, table->pairs.columns[slot] + begin, sizeof(double) * (size_t)count);
            n_pairs += count;
        }
        packed->own_target[n] = target[row];
        packed->weight[n] = weights == NULL ? 1.0 : weights[row];
        packed->own_offsets[++n] = n_pairs;
    }
    packed->rows.n = n, packed->pairs.n = n_pairs;
}

/* How many rows the block from begin on has: no more than fit, nor more pairs than fit unless one row has them. */
static int block_rows(const Tape *tape, const Packed *packed, long begin)
{
    long n = packed->rows.n - begin < BLOCK_ROWS ? packed->rows.n - begin : BLOCK_ROWS;
    if (tape->sums != NULL)
        while (n > 1 && packed->offsets[begin + n] - packed->offsets[begin] > BLOCK_PAIRS) n--;
    return (int)n;
}

/* Value and Jacobian of a block: thread->jacobian[0] is the value, and what follows its derivatives. */
static void run_block(const Tape *tape, Thread *thread, long begin, int n)
{
    Work *work = &thread->work;
    const Packed *packed = &thread->packed;
    if (tape->sums != NULL) add_up_pairs(tape, work, &packed->pairs, packed->offsets, begin, n);
    run_rows(tape, work, &packed->rows, begin, n);
    for (int output = 0; output < tape->n_outputs; output++) {
        int alone;
        const double *values = rows_of(tape, work, &packed->rows, begin, tape->outputs[output], &alone);
        if (alone) {
            double *fill = thread->fill + (size_t)output * BLOCK_ROWS;
            for (int i = 0; i < n; i++) fill[i] = *values;
            values = fill;
        }
        thread->jacobian[output] = values;
    }
}

/* The objective with its gradient and curvature at theta; infinite where it is no number. */
static void measure(const Tape *tape, const Table *table, const Objective *objective, Thread *thread, const double *theta,
                    double scale, int newton, Normal *into)
{
    int n_free = table->n_free, k = n_free + objective->fits_scale;
    double sums[3] = {0.0, 0.0, 0.0};
    memset(into->slope, 0, sizeof(double) * (size_t)k);
    memset(into->curvature, 0, sizeof(double) * (size_t)(k * k));
    set_coordinates(tape, &thread->work, theta);
    for (long begin = 0; begin < thread->packed.rows.n;) {
        int n = block_rows(tape, &thread->packed, begin);
        run_block(tape, thread, begin, n);
        const double *value = thread->jacobian[0], *target = thread->packed.target + begin;
        for (int i = 0; i < n; i++) thread->slope[i] = value[i] - target[i];
        add_residuals(objective, n, thread->packed.weight + (thread->packed.borrowed ? 0 : begin), scale, newton, thread->slope, thread->curvature, thread->mixed, sums);
        add_products(n_free, k, n, thread->jacobian + 1, thread->slope, thread->curvature,
                     objective->fits_scale ? thread->mixed : NULL, thread->weighted, into);
        begin += n;
    }
    if (objective->fits_scale) {
        into->slope[n_free] = sums[1];
        into->curvature[n_free * k + n_free] = sums[2];
    }
    for (int a = 0; a < k; a++)
        for (int b = a + 1; b < k; b++) into->curvature[a * k + b] = into->curvature[b * k + a];
    into->value = isfinite(sums[0]) ? sums[0] : INFINITY;
}

/* x with A x = b by elimination with pivots; zero where A or b is not finite or A is singular. Overwrites A and b. */
static void solve_system(int k, double *a, double *b)
{
    int usable = 1;
    for (int i = 0; i < k * k; i++) usable = usable && isfinite(a[i]);
    for (int i = 0; i < k; i++) usable = usable && isfinite(b[i]);
    for (int column = 0; usable && column < k; column++) {
        int pivot = column;
        for (int row = column + 1; row < k; row++)
            if (fabs(a[row * k + column]) > fabs(a[pivot * k + column])) pivot = row;
        if (a[pivot * k + column] == 0.0) { usable = 0; break; }
        if (pivot != column) {
            for (int i = 0; i < k; i++) { double swap = a[pivot * k + i]; a[pivot * k + i] = a[column * k + i]; a[column * k + i] = swap; }
            double swap = b[pivot]; b[pivot] = b[column]; b[column] = swap;
        }
        for (int row = column + 1; row < k; row++) {
            double factor = a[row * k + column] / a[column * k + column];
            for (int i = column; i < k; i++) a[row * k + i] -= factor * a[column * k + i];
            b[row] -= factor * b[column];
        }
    }
    if (!usable) { memset(b, 0, sizeof(double) * (size_t)k); return; }
    for (int row = k - 1; row >= 0; row--) {
        for (int i = row + 1; i < k; i++) b[row] -= a[row * k + i] * b[i];
        b[row] /= a[row * k + row];
    }
}

static double clipped(double x, double end) { return x > end ? end : x < -end ? -end : x; }

/* One problem from theta and scale, which it leaves at the optimum; room: k (4 + 3 k) numbers and theta's length. */
static void descend(const Tape *tape, const Table *table, const Objective *objective, const Settings *settings, Thread *thread,
                    double *room, double *theta, double *scale, double *best, int64_t *n_steps, uint8_t *converged)
{
    int n_free = table->n_free, k = n_free + objective->fits_scale, n_theta = tape->n_coordinates;
    Normal here = {0.0, room, room + k}, there = {0.0, room + k + k * k, room + 2 * k + k * k};
    double *system = room + 2 * k + 2 * k * k, *step = system + k * k, *trial = step + k;
    double damping = 1e-3, weight = 0.0;
    int newton = settings->near, quiet = 0, finished = 0;
    int64_t steps = 0;
    if (thread->packed.borrowed) weight = (double)thread->packed.rows.n;
    else for (long row = 0; row < thread->packed.rows.n; row++) weight += thread->packed.weight[row];
    memcpy(trial, theta, sizeof(double) * (size_t)n_theta);
    measure(tape, table, objective, thread, theta, *scale, newton, &here);
    while (!finished && steps < settings->max_steps) {
        double largest = 0.0;
        for (int i = 0; i < k; i++) {
            double own = here.curvature[i * k + i];
            largest = i == 0 || own > largest || own != own ? own : largest;
        }
        memcpy(system, here.curvature, sizeof(double) * (size_t)(k * k));
        for (int i = 0; i < k; i++) {
            system[i * k + i] = here.curvature[i * k + i] * (1.0 + damping) + (1e-14 * largest + 1e-300);
            step[i] = -here.slope[i];
        }
        for (int i = 0; i < n_free && i < 64; i++) {
            if (!(settings->held >> i & 1)) continue;
            for (int j = 0; j < k; j++) system[i * k + j] = system[j * k + i] = 0.0;
            system[i * k + i] = 1.0, step[i] = 0.0;
        }
        solve_system(k, system, step);
        for (int i = 0; i < n_free; i++) trial[i] = clipped(theta[i] + clipped(step[i], settings->longest), settings->limit);
        double trial_scale = objective->fits_scale ? *scale + clipped(step[n_free], settings->longest) : *scale;
        measure(tape, table, objective, thread, trial, trial_scale, newton, &there);
        double before = here.value, size = objective->fits_scale ? weight : fabs(before);
        int better = there.value < before;
        double gain = isfinite(before) ? (before - there.value) / size : 1.0;
        if (better) {
            memcpy(theta, trial, sizeof(double) * (size_t)n_theta);
            *scale = trial_scale;
            Normal swap = here; here = there; there = swap;
        }
        steps++;
        int stuck = !better && damping > 1e6, was_newton = newton;
        damping = stuck ? 1e-3 : better ? damping * 0.1 : damping * 8.0 + 1e-9;
        quiet = better ? (gain < settings->tolerance ? quiet + 1 : 0) : quiet + stuck;
        newton = better ? was_newton || gain < settings->nearly : was_newton && !stuck;
        finished = quiet >= settings->quiet || (stuck && !was_newton) || here.value == 0.0;
        /* a problem that is stuck with its own curvature tries once more with the reweighted one */
        if (stuck && was_newton && !finished) measure(tape, table, objective, thread, theta, *scale, newton, &here);
    }
    *best = here.value, *n_steps = steps;
    *converged = (uint8_t)(finished && isfinite(here.value));
}

static int all_rows(const Table *table, const int64_t *ranges, const double *weights)
{
    return weights == NULL && !table->each_target && ranges == NULL;
}

/* Packs the rows of problem i, unless they are those of the problem before. index: (n,), the row of weights of each
 * problem, and of targets if each has its own. ranges: (n, 2), the rows of each problem, or NULL for all. */
static void pack_problem(const Table *table, int64_t i, const int64_t *index, const int64_t *ranges, const double *weights,
                         Packed *packed)
{
    int64_t row = index[i] * (int64_t)table->rows.n;
    if (packed->borrowed || (i > 0 && all_rows(table, ranges, weights))) return;
    pack(table, table->targets + (table->each_target ? row : 0), weights == NULL ? NULL : weights + row,
         ranges == NULL ? NULL : ranges + 2 * i, packed);
    fill_up(table, packed);
}

/* The optima of n problems. index, ranges: as pack_problem has them. theta: (n, coordinates) and scale: (n,), starts that
 * become optima; weights: a row for each index, or NULL; value, steps, converged: (n,). Returns 0, or 1 where memory ran
 * out. */
int isoflop_descend(const Tape *tape, const Table *table, const Objective *objective, const Settings *settings, int64_t n,
                    const int64_t *index, const int64_t *ranges, const double *weights, double *theta, double *scale,
                    double *value, int64_t *steps, uint8_t *converged)
{
    Thread thread;
    int k = table->n_free + objective->fits_scale;
    double *room = malloc(sizeof(double) * (size_t)(k * (4 + 3 * k) + tape->n_coordinates + 1));
    int failed = !allocate_thread(tape, table, all_rows(table, ranges, weights), &thread) || room == NULL;
    for (int64_t i = 0; !failed && i < n; i++) {
        pack_problem(table, i, index, ranges, weights, &thread.packed);
        descend(tape, table, objective, settings, &thread, room, theta + i * tape->n_coordinates, scale + i, value + i, steps + i, converged + i);
    }
    free_thread(tape, table, &thread), free(room);
    return failed;
}

/* Value (n,), gradient (n, k) and curvature (n, k, k) of the objective, not descended. newton: (n,). The rest, and what it
 * returns, as isoflop_descend has them. */
int isoflop_measure(const Tape *tape, const Table *table, const Objective *objective, int64_t n, const int64_t *index,
                    const int64_t *ranges, const double *weights, const double *theta, const double *scale,
                    const uint8_t *newton, double *value, double *slope, double *curvature)
{
    Thread thread;
    int k = table->n_free + objective->fits_scale;
    int failed = !allocate_thread(tape, table, all_rows(table, ranges, weights), &thread);
    for (int64_t i = 0; !failed && i < n; i++) {
        Normal into = {0.0, slope + i * k, curvature + i * k * k};
        pack_problem(table, i, index, ranges, weights, &thread.packed);
        measure(tape, table, objective, &thread, theta + i * tape->n_coordinates, scale[i], newton[i], &into);
        value[i] = into.value;
    }
    free_thread(tape, table, &thread);
    return failed;
}

/* Value (n, rows) and Jacobian (n, coordinates, rows) of the law itself. Returns as isoflop_descend does. */
int isoflop_evaluate(const Tape *tape, const Table *table, int64_t n, const double *theta, double *value, double *jacobian)
{
    Thread thread;
    int failed = !allocate_thread(tape, table, 1, &thread);
    long rows = table->rows.n;
    if (!failed && !thread.packed.borrowed) pack(table, table->targets, NULL, NULL, &thread.packed);
    for (int64_t i = 0; !failed && i < n; i++) {
        set_coordinates(tape, &thread.work, theta + i * tape->n_coordinates);
        for (long begin = 0; begin < rows;) {
            int count = block_rows(tape, &thread.packed, begin);
            run_block(tape, &thread, begin, count);
            memcpy(value + i * rows + begin, thread.jacobian[0], sizeof(double) * (size_t)count);
            for (int a = 0; a < table->n_free; a++)
                memcpy(jacobian + (i * table->n_free + a) * rows + begin, thread.jacobian[a + 1], sizeof(double) * (size_t)count);
            begin += count;
        }
    }
    free_thread(tape, table, &thread);
    return failed;
}
