/* Random instruction lists through the whole kernel, for the sanitizers: every operation, roots, sums over lists of any
 * length, numbers that overflow, rows without weight. Ends with the number of descents; reads nothing. */
#include <stdio.h>

#define BORROWED_ROWS 300
#include "kernel.c"

static uint64_t state = 88172645463325252ULL;
static uint64_t next(void) { state ^= state << 13, state ^= state >> 7, state ^= state << 17; return state; }
static int below(int n) { return (int)(next() % (uint64_t)n); }
static double number(void)
{
    static const double odd[] = {0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 1e-310, INFINITY, -INFINITY, NAN, 709.9, -745.0};
    return below(6) == 0 ? odd[below(12)] : ((double)(next() >> 11) * 0x1p-53 - 0.5) * (below(3) == 0 ? 100.0 : 4.0);
}

enum { SLOTS = 6, STEPS = 12, ONCE = 5, FREE = 4, HELD = 1 };

static Reference reference(int each, int tile, const double *numbers)
{
    Reference from;
    do {
        from.place = below(4);
        from.slot = from.place == FROM_EACH ? below(each) : from.place == FROM_TILE ? (tile ? below(tile) : 0) : below(SLOTS);
    } while ((from.place == FROM_TILE && tile == 0) || (from.place == FROM_NUMBER && numbers[from.slot] != numbers[from.slot]) ||
             (from.place == FROM_DATA && numbers[from.slot] == numbers[from.slot]));
    return from;
}

static const Reference nowhere = {FROM_NOWHERE, 0};

static void random_tape(Tape *tape, const double *numbers, int given, int outputs, const Tape *const *roots, int n_roots, const Tape *sums)
{
    Step *once = calloc(ONCE, sizeof(Step)), *steps = calloc(STEPS, sizeof(Step));
    Reference *wanted = calloc((size_t)outputs, sizeof(Reference));
    int each = FREE + HELD, tile = given;
    for (int i = 0; i < ONCE; i++, each++) {
        int op = below(OP_ROOT);
        once[i] = (Step){op, {FROM_EACH, below(each)}, op < OP_LOG ? (Reference){FROM_EACH, below(each)} : nowhere, each, 0};
    }
    for (int i = 0; i < STEPS; i++, tile++) {
        int op = below(OP_ROOT), special = below(4);
        if (special == 0 && n_roots) steps[i] = (Step){OP_ROOT, reference(each, tile, numbers), below(2) ? reference(each, tile, numbers) : nowhere, tile, below(n_roots)};
        else if (special == 1 && sums) steps[i] = (Step){OP_SUM, nowhere, nowhere, tile, below(sums->n_outputs)};
        else steps[i] = (Step){op, reference(each, tile, numbers), op < OP_LOG ? reference(each, tile, numbers) : nowhere, tile, 0};
    }
    for (int i = 0; i < outputs; i++) wanted[i] = reference(each, tile, numbers);
    *tape = (Tape){FREE + HELD, each, tile, ONCE, STEPS, outputs, n_roots, once, steps, wanted, numbers, roots, sums};
}

static void free_tape(Tape *tape) { free((void *)tape->once), free((void *)tape->steps), free((void *)tape->outputs); }

static const double **random_columns(double *numbers, long n)
{
    const double **columns = calloc(SLOTS, sizeof(double *));
    for (int slot = 0; slot < SLOTS; slot++) {
        numbers[slot] = NAN; /* a column, unless it is a number */
        if (slot >= SLOTS / 2) { do numbers[slot] = number(); while (numbers[slot] != numbers[slot]); continue; }
        double *column = malloc(sizeof(double) * (size_t)(n ? n : 1));
        for (long i = 0; i < n; i++) column[i] = number();
        columns[slot] = column;
    }
    return columns;
}

static void free_random_columns(const double **columns)
{
    for (int slot = 0; slot < SLOTS; slot++) free((void *)columns[slot]);
    free((void *)columns);
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 200;
    long descents = 0;
    for (int round = 0; round < rounds; round++) {
        long rows = 1 + below(round % 20 == 0 ? 700 : 30), pairs = 0, widest = 0;
        int64_t *offsets = malloc(sizeof(int64_t) * (size_t)(rows + 1));
        offsets[0] = 0;
        for (long row = 0; row < rows; row++) {
            long length = below(20) == 0 ? below(round % 20 == 0 ? 6000 : 40) : below(4);
            offsets[row + 1] = pairs += length;
            widest = length > widest ? length : widest;
        }
        double numbers[SLOTS], pair_numbers[SLOTS];
        const double **columns = random_columns(numbers, rows), **pair_columns = random_columns(pair_numbers, pairs);
        Tape sums, roots[2], tape;
        const Tape *const children[2] = {&roots[0], &roots[1]};
        random_tape(&sums, pair_numbers, 0, 3, NULL, 0, NULL);
        for (int i = 0; i < 2; i++) random_tape(&roots[i], numbers, 1, 2, NULL, 0, NULL);
        random_tape(&tape, numbers, 0, FREE + 1, children, 2, below(2) ? &sums : NULL);
        int n = 1 + below(3), each_target = below(2), weighted = below(3) > 0;
        double *targets = malloc(sizeof(double) * (size_t)(n * rows)), *weights = malloc(sizeof(double) * (size_t)(n * rows));
        for (long i = 0; i < n * rows; i++) targets[i] = number(), weights[i] = below(3);
        Table table = {{rows, SLOTS, columns}, {tape.sums ? pairs : 0, SLOTS, pair_columns}, tape.sums ? offsets : NULL, targets, each_target, FREE, widest};
        for (int kind = HUBER; kind <= STUDENT_T; kind++) {
            Objective objective = {kind, kind == STUDENT_T, 4.0, 0.98, 0.05};
            Settings settings = {1e-9, 6.0, 80.0, 1e-2, 25, 2, (uint64_t)below(1 << FREE), below(2)};
            double theta[3 * (FREE + HELD)], scale[3] = {0.1, 1e-3, -2.0}, value[3];
            int64_t steps[3];
            uint8_t converged[3];
            for (int i = 0; i < n * (FREE + HELD); i++) theta[i] = number();
            int64_t index[3], ranges[6];
            int ranged = below(2);
            for (int i = 0; i < n; i++) {
                index[i] = below(n);
                ranges[2 * i] = below((int)rows);
                ranges[2 * i + 1] = ranges[2 * i] + 1 + below((int)(rows - ranges[2 * i]));
            }
            if (isoflop_descend(&tape, &table, &objective, &settings, n, index, ranged ? ranges : NULL, weighted ? weights : NULL, theta, scale, value, steps, converged)) return 1;
            for (int i = 0; i < n; i++) if (steps[i] > 25 || steps[i] < 0 || converged[i] > 1) return 2;
            descents += n;
        }
        double theta[3 * (FREE + HELD)], *value = malloc(sizeof(double) * (size_t)(n * rows)), *jacobian = malloc(sizeof(double) * (size_t)(n * FREE * rows));
        for (int i = 0; i < n * (FREE + HELD); i++) theta[i] = number();
        if (isoflop_evaluate(&tape, &table, n, theta, value, jacobian)) return 1;
        free(value), free(jacobian), free(targets), free(weights), free(offsets);
        free_tape(&tape), free_tape(&sums), free_tape(&roots[0]), free_tape(&roots[1]);
        free_random_columns(columns), free_random_columns(pair_columns);
    }
    printf("%ld descents\n", descents);
    return 0;
}
