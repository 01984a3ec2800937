/* Compiled loops of nrm_plugin: plain C11 without the Python API, loaded by __init__.py.
 *
 * Curves lie flat one behind the other: curve i has the samples begin[i] up to begin[i + 1]. They
 * run from far away to the surface. All values are SI; nan stands for what is not known.
 *
 * Results are the same bits for any compiler and platform: sums have a fixed order (where speed
 * needs it, in lanes that are written out), nothing is contracted, and of the mathematical library
 * only what IEEE 754 rounds exactly is used (square root, floor, absolute value).
 *
 * Whatever the numbers are, no function reads or writes outside its arrays. It returns NRM_OK, or
 * says that lengths contradict each other before it has written anything.
 */

#ifndef NRM_KERNELS_H
#define NRM_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(_WIN32)
#define NRM_EXPORT __declspec(dllexport)
#else
#define NRM_EXPORT __attribute__((visibility("default")))
#endif

/* What a function returns. */
enum { NRM_OK = 0, NRM_LENGTHS = 1, NRM_MEMORY = 2 };

/* ------------------------------------------------------------------ signals.c */

/* Kinds of recorded numbers. */
enum {
    NRM_INT8, NRM_UINT8, NRM_INT16, NRM_UINT16, NRM_INT32, NRM_UINT32, NRM_INT64, NRM_UINT64,
    NRM_FLOAT32, NRM_FLOAT64
};

/* A signal as it was recorded: value = number * gain + offset. */
typedef struct {
    const void *numbers; /* NULL where there is no such signal */
    int64_t count;
    int64_t kind;  /* NRM_INT8 ... NRM_FLOAT64 */
    double gain;   /* to SI */
    double offset; /* SI */
    double limit;  /* what is larger (SI) is no measurement and becomes nan */
} nrm_signal;

/* Take a part of every curve, turned around (backwards) where it was recorded from the surface.
 *
 * first[i] is where the part of curve i begins in the signal; begin (n_curves + 1) is where it
 * goes in out (n_out). */
NRM_EXPORT int nrm_gather(const nrm_signal *signal, int64_t n_curves, const int64_t *first,
                          const int64_t *begin, int64_t backwards, double *out, int64_t n_out);

/* Standard deviation of white noise from the second differences of n values, which slopes do not
 * change; 0 for fewer than 10. nan where there is no memory. */
NRM_EXPORT double nrm_noise(const double *values, int64_t n);

/* ------------------------------------------------------------------ contact.c */

/* How the solid contact is found. */
typedef struct {
    double two_lines;         /* 1: the paper's rule; 0: grown windows */
    double baseline;          /* two lines: part of the samples that is baseline */
    double wall;              /* two lines: part of the largest deflection above which is wall */
    double slope;             /* of the wall from the baseline's, m/m: known beforehand, */
    double slope_stderr;      /* with this standard error; infinite for a free slope */
    double wave;              /* wave number of a fringe in rad/m; 0 for none */
    double spikes;            /* 1: single samples that are far off are replaced */
    double other_slope;       /* another slope of the wall, for other_height, */
    double other_slope_stderr; /* with its standard error */
    double soft_slope;        /* of walls that give way; 0 if there are none, */
    double soft_slope_stderr; /* with its standard error */
    double turn;              /* height at the end of a curve that its wall leaves out, m */
} nrm_contact_settings;

/* The solid contact of a curve. Counts are numbers too, so that nan can stand for none. */
typedef struct {
    double height;            /* of the contact, m */
    double height_stderr;     /* m */
    double baseline_end;      /* samples of the baseline, from the first on */
    double baseline_slope;    /* of deflection against height, m/m */
    double baseline_at;       /* deflection of the baseline's line at height 0, m */
    double wall_begin;        /* first sample of the wall */
    double wall_slope;        /* from the baseline's, m/m */
    double wall_slope_stderr; /* m/m */
    double wall_length;       /* in height, m */
    double wall_samples;
    double noise;             /* of one sample of the deflection, m */
    double long_run;          /* the same as means of 16 samples show it, m */
    double spikes;            /* samples replaced */
    double saturated;         /* samples in a row at the largest value, from 4 on */
    double other_height;      /* contact with the other slope, m */
    double half_height;       /* contact with half of the wall, and less, m */
    double outer_height;      /* contact with the outer two thirds of the baseline, m */
} nrm_contact;

/* Find the solid contacts of curves; clean receives the deflection without spikes and fringe. */
NRM_EXPORT int nrm_find_contacts(const nrm_contact_settings *settings, int64_t n_curves,
                                 const int64_t *begin, const double *height,
                                 const double *deflection, int64_t n_samples, double *clean,
                                 nrm_contact *contacts);

/* ------------------------------------------------------------------ survey.c */

/* Slopes of the last samples of every curve from the baseline's, m/m, and the errors that noise
 * gives them, for windows of n_sizes sizes: tables (n_turns, n_curves, n_sizes), nan for too short
 * curves. What lies within the height turns[k] (m) of the last sample is left out; the baseline is
 * that of the first of them. */
NRM_EXPORT int nrm_tail_slopes(int64_t n_curves, const int64_t *begin, const double *height,
                               const double *deflection, int64_t n_samples, int64_t n_turns,
                               const double *turns, int64_t n_sizes, const int64_t *sizes,
                               double *slopes, double *errors);

/* Samples of the baselines as far as straight lines can tell, fringe or not; 0 for curves of fewer
 * than 256 samples. */
NRM_EXPORT int nrm_rough_baselines(int64_t n_curves, const int64_t *begin, const double *height,
                                   const double *deflection, int64_t n_samples, int64_t *ends);

/* ------------------------------------------------------------------ noise_filters.c */

/* Amounts of three kinds of noise whose sum has a power spectrum: white and 1 / f noise that have
 * passed a filter, and white noise behind it.
 *
 * For each of n_filters filters, passed (n_filters, n) is the part of the power that it lets
 * through; slow (n) the 1 / f noise before it; power and count (n) are the spectrum and how many
 * values each is the mean of; amounts receives (n_filters, 3). They maximize the likelihood, by
 * multiplicative updates from equal amounts on, which keep them positive. */
NRM_EXPORT int nrm_noise_amounts(int64_t n_filters, int64_t n, const double *passed,
                                 const double *slow, const double *power, const double *count,
                                 double *amounts);

/* ------------------------------------------------------------------ lateral.c */

/* What differs from curve to curve. */
typedef struct {
    double delay;   /* of the lock-in in samples; negative where samples run against the time */
    double settling; /* samples before the hard contact in which the lock-in feels it */
    double cosine; /* of the surface's slope: a layer is thinner than its vertical extent */
} nrm_curve_settings;

enum { NRM_QUARTERS = 4 };

/* What the lateral signal of a curve says of itself. The quarters are those of what the wall bears,
 * from nothing to the largest; nan where fewer than three samples of the wall lie in one. */
typedef struct {
    double exponent;        /* with which the force grows with the load on the wall */
    double exponent_stderr;
    double straight;        /* 1 if it grows along a straight line */
    double missing;         /* 1 if it has a hole, or a part of it never changes */
    double offset_x;        /* mean of the signal far away, in phase, N */
    double offset_y;        /*   and quadrature */
    double noise_x;         /* its standard deviation there, N */
    double noise_y;
    double onset;           /* deflection from the baseline where the wall is met, m */
    double load[NRM_QUARTERS];   /* mean deflection from the baseline on the wall, m */
    double wall_x[NRM_QUARTERS]; /* mean of the signal there less that far away, in phase, N */
    double wall_y[NRM_QUARTERS]; /*   and quadrature */
} nrm_lateral_check;

/* Check lateral signals (N); deflections without spikes and fringe. Without heights (NULL) onset is
 * 0, and only the fitted wall is looked at; own has the lock-in's delays, NULL for none. */
NRM_EXPORT int nrm_check_lateral(int64_t n_curves, const int64_t *begin, const double *height,
                                 const double *clean, const double *in_phase,
                                 const double *quadrature, int64_t n_samples,
                                 const nrm_contact *contacts, const nrm_curve_settings *own,
                                 nrm_lateral_check *checks);

/* ------------------------------------------------------------------ profiles.c, layers.c */

enum { NRM_LOCAL_LINEAR, NRM_SAVITZKY_GOLAY, NRM_TOTAL_VARIATION };

/* How profiles are made. */
typedef struct {
    double method;            /* NRM_LOCAL_LINEAR ... */
    double half_width;        /* of the window of the derivative, m */
    double amplitude;         /* of the dither, peak, m */
    double lateral_stiffness; /* of the lever, N/m; 0: its compliance is not corrected */
    double spring_constant;   /* of the deflection as told, N/m; nan if not known */
    double wall_slope;        /* deflection per height (positive) that stands for the distance; 0: 1 */
    double doubt;             /* part of the deflection by which distances may be off */
    double lateral_line;      /* 1: a line is taken out of the lateral signal; 0: its mean far away */
} nrm_profile_settings;

/* The lateral signal far away: beyond reach, or the farthest third of the baseline if that is more. */
typedef struct {
    double in_phase;         /* mean, N */
    double quadrature;
    double slope_in_phase;   /* of the line through it, against height, N/m */
    double slope_quadrature;
    double noise_in_phase;   /* of one sample about the line, N */
    double noise_quadrature;
    double correlation;      /* samples over which noise is correlated: 16 times the variance of means */
                             /*   of 16 samples, as a part of that of one */
    double spread;           /* sum of squares of heights about their mean, m^2 */
    double length;           /* in height, m */
    double bend_in_phase;    /* slope of the nearer half less that of the farther one, N/m; this */
                             /*   and what follows only in nrm_lateral_baselines */
    double bend_quadrature;
    double rise_in_phase;    /* force before the hard contact, less that of the line there, N */
    double rise_quadrature;
} nrm_lateral_baseline;

/* Measure lateral signals (N) far away, beyond reach (m) from the contact; nan without a contact. */
NRM_EXPORT int nrm_lateral_baselines(int64_t n_curves, const int64_t *begin, const double *height,
                                     const double *in_phase, const double *quadrature,
                                     int64_t n_samples, const nrm_contact *contacts, double reach,
                                     nrm_lateral_baseline *baselines);

/* Columns of profiles. */
enum {
    NRM_NORMAL,                      /* normal force, N */
    NRM_IN_PHASE, NRM_QUADRATURE,    /* lateral force, N */
    NRM_GRADIENT_X, NRM_GRADIENT_Y,  /* its derivative towards the electrode, N/m */
    NRM_STDERR_X, NRM_STDERR_Y,      /* standard errors of the gradient, N/m */
    NRM_N_COLUMNS
};

/* Profiles of curves over distances from the electrode.
 *
 * in_phase and quadrature are lateral forces (peak, N), or NULL. correlation is the
 * autocorrelation of their noise from lag 0 on. found (n_curves, NRM_N_COLUMNS, n_depths) receives
 * nan where there is no estimate; valid (n_curves) the smallest distance with one. depth (m)
 * rises. */
NRM_EXPORT int nrm_profiles(const nrm_profile_settings *settings, int64_t n_curves,
                            const int64_t *begin, const double *height, const double *clean,
                            const double *in_phase, const double *quadrature, int64_t n_samples,
                            const nrm_contact *contacts, const nrm_curve_settings *own,
                            const double *correlation, int64_t n_lags, const double *depth,
                            int64_t n_depths, double *found, double *valid);

/* Mean lateral forces in bins of the distance from the electrode, from 0 on, of bin_width (m).
 *
 * Arguments as in nrm_profiles. bins (n_curves, 3, n_bins) receives in phase and quadrature (N), nan
 * in empty bins, and how many samples each bin has. */
NRM_EXPORT int nrm_force_bins(const nrm_profile_settings *settings, int64_t n_curves,
                              const int64_t *begin, const double *height, const double *clean,
                              const double *in_phase, const double *quadrature,
                              int64_t n_samples, const nrm_contact *contacts,
                              const nrm_curve_settings *own, const double *depth,
                              int64_t n_depths, double bin_width, int64_t n_bins, double *bins);

/* Distances and lateral forces of the samples of one curve of n samples that lie above the hard
 * contact and within reach of the depths, in the order of the samples: z (m), x and y (N) have room
 * for n. *count receives how many there are. */
NRM_EXPORT int nrm_samples_above(const nrm_profile_settings *settings, int64_t n,
                                 const double *height, const double *clean,
                                 const double *in_phase, const double *quadrature,
                                 const nrm_contact *contact, const nrm_curve_settings *own,
                                 const double *depth, int64_t n_depths, double *z, double *x,
                                 double *y, int64_t *count);

/* Straight pieces through values: least squares with a price on the changes of slope.
 *
 * z, values, weight and fit have n > 2 entries, z rising; limit has n - 2, positive. gap receives
 * a bound on how much larger the sum is than the smallest one. */
NRM_EXPORT int nrm_trend_filter(int64_t n, const double *z, const double *values,
                                const double *weight, const double *limit, double *fit,
                                double *gap);

/* ------------------------------------------------------------------ normal.c */

/* The normal force of a curve. Distances count from the electrode; nan where there is no such
 * thing, forces also where the spring constant is not known. */
typedef struct {
    double onset;         /* largest distance at which the force has left the baseline, m */
    double breaks;        /* how often the tip falls from a repulsive force as it comes nearer */
    double first_force;   /* from which it falls the first time, N, */
    double first_at;      /*   at this distance, m */
    double largest_force; /* the largest from which it falls, N, */
    double largest_at;    /*   at this distance, m */
    double adhesion;      /* largest attraction, positive, N, */
    double adhesion_at;   /*   at this distance, m */
    double pull_off;      /* largest distance at which there is attraction, m */
    double work;          /* integral of the force over the distance, from the onset on, J */
    double adhesion_work; /* the same of the attraction alone, positive, J */
    double lateral_onset; /* largest distance at which the lateral signal has left its baseline, m */
} nrm_normal;

/* Measure the normal channel; arguments as in nrm_profiles. Of the settings, spring constant and
 * wall's slope count. */
NRM_EXPORT int nrm_normal_channel(const nrm_profile_settings *settings, int64_t n_curves,
                                  const int64_t *begin, const double *height, const double *clean,
                                  const double *in_phase, const double *quadrature,
                                  int64_t n_samples, const nrm_contact *contacts,
                                  const nrm_curve_settings *own, nrm_normal *found);

/* ------------------------------------------------------------------ chain.c */

/* Rows of results, single precision. There may be the first only (no lateral signal), those up to
 * the moduli, or all: gradients follow from moduli where the shape factor is known. */
enum {
    NRM_FORCE_NORMAL,
    NRM_FORCE_IN_PHASE, NRM_FORCE_QUADRATURE,
    NRM_STORAGE_MODULUS, NRM_STORAGE_MODULUS_STDERR,
    NRM_LOSS_MODULUS, NRM_LOSS_MODULUS_STDERR,
    NRM_FORCE_GRADIENT_IN_PHASE, NRM_FORCE_GRADIENT_IN_PHASE_STDERR,
    NRM_FORCE_GRADIENT_QUADRATURE, NRM_FORCE_GRADIENT_QUADRATURE_STDERR,
    NRM_N_RESULTS
};

/* Moduli of the profiles `found`, as `nrm_profiles` gives them; amplitude (m) is the dither's, peak,
 * shape (n_depths) r_g.
 *
 * rows (n_rows, n_curves, n_depths) with n_rows 1, NRM_FORCE_GRADIENT_IN_PHASE or NRM_N_RESULTS. */
NRM_EXPORT int nrm_moduli(double amplitude, int64_t n_rows, int64_t n_curves, int64_t n_depths,
                          const double *found, const float *shape, float *rows);

/* Everything that is needed to process curves whose numbers are in memory. */
typedef struct {
    nrm_signal height;      /* m */
    nrm_signal deflection;  /* m, positive where it is repulsive */
    nrm_signal in_phase;    /* N, peak; without numbers where there is none */
    nrm_signal quadrature;  /* N, peak */
    double turn_re;         /* the lateral signal is multiplied by turn, which takes the */
    double turn_im;         /*   instrument's phase out */
    int64_t backwards;      /* 1: recorded from the surface on */
    nrm_contact_settings contact;
    nrm_profile_settings profile;
    const double *correlation; /* of the lateral noise, from lag 0 on */
    int64_t n_lags;
    const double *depth; /* m, rising */
    const float *shape;  /* r_g, n_depths */
    int64_t n_depths;
    int64_t n_rows;      /* as in nrm_moduli; 1 without a lateral signal */
    double bin_width;    /* of the bins of nrm_force_bins, m */
    int64_t n_bins;
} nrm_job;

/* Process curves, one after the other from recorded numbers to rows of results.
 *
 * Curve i has length[i] samples from first[i] on. bins (3, n_curves, n_bins) is written where there
 * is a lateral signal. Only contacts is written where rows is NULL. */
NRM_EXPORT int nrm_process(const nrm_job *job, int64_t n_curves, const int64_t *first,
                           const int64_t *length, const nrm_curve_settings *own,
                           nrm_contact *contacts, nrm_lateral_check *checks, nrm_normal *normals,
                           nrm_lateral_baseline *baselines, double *valid, float *rows,
                           float *bins);

/* ------------------------------------------------------------------ scanning.c */

/* What was met in a stream: nothing yet, the limit given, a fall or a rise that has begun, a level
 * crossed upwards or downwards. */
enum { NRM_NOTHING, NRM_LIMIT, NRM_FALLING, NRM_RISING, NRM_ENTERED, NRM_LEFT };

/* A bin that is not full yet. */
typedef struct {
    double sum;
    double count;
} nrm_open_bin;

/* How a signal moves. */
typedef struct {
    double direction; /* -1 falling, 1 rising, 0 not known */
    double low;       /* lowest value, at position low_at */
    double low_at;
    double high;      /* highest value, at position high_at */
    double high_at;
} nrm_turn_state;

/* Whether a signal is in contact. */
typedef struct {
    double inside;   /* 1 or 0 */
    double baseline; /* nan before the first value */
    double seen;     /* 1: there has been a contact */
    double below;    /* for how many values the signal was far below the baseline */
    double dropped;  /* 1: the baseline dropped to such a signal */
} nrm_contact_state;

/* Write the mean of every full bin of width samples; returns how many, or -1 if out (n_out) is too
 * short. */
NRM_EXPORT int64_t nrm_bin_means(const double *values, int64_t n, int64_t width,
                                 nrm_open_bin *carry, double *out, int64_t n_out);

/* Find where a fall or a rise by travel after an extreme is complete.
 *
 * values[0] has the position first. The search begins at position *at and ends before limit; *at
 * receives the position behind what was met, which is returned. */
NRM_EXPORT int nrm_next_turn(const double *values, int64_t n, int64_t first, int64_t limit,
                             double travel, nrm_turn_state *state, int64_t *at);

/* Find where the signal rises above its baseline by threshold, or is back within release.
 *
 * Positions as in nrm_next_turn. The baseline follows the signal outside by steps of threshold /
 * settle per value. */
NRM_EXPORT int nrm_next_contact(const double *values, int64_t n, int64_t first, int64_t limit,
                                double threshold, double release, double settle,
                                nrm_contact_state *state, int64_t *at);

/* Find where a marker goes above high or below low, from index *at on; *level is 1, 0, or nan
 * before the first value. */
NRM_EXPORT int nrm_next_edge(const double *values, int64_t n, double high, double low,
                             double *level, int64_t *at);

/* ------------------------------------------------------------------ tap_sums.c */

/* Sums of values[i * step + k] * taps[set * length + k] over k to out[set * count + i]; 1 if the
 * n values do not reach so far. */
NRM_EXPORT int nrm_tap_sums(const double *values, int64_t n, int64_t step, int64_t count,
                            const double *taps, int64_t n_sets, int64_t length, double *out);

/* Means of the line through n samples from half before each position to half behind it, both in
 * samples, as far as there are samples; its value there where half is 0. nan where a sample is not
 * finite, and for positions more than half a sample outside. */
NRM_EXPORT int nrm_window_means(const double *values, int64_t n, const double *position,
                                int64_t count, double half, double *out);

/* ------------------------------------------------------------------ knots.c */

/* Where the lateral force of a curve begins, in bins from the outer end inwards; nan: not seen. */
typedef struct {
    double edge, error; /* with its standard error */
    double low, high; /* of its interval of 95 % */
    double pieces;    /* 1 or 2 straight pieces place it */
    double height;    /* largest gain of the search; as far as it went */
    double outside_x; /* slope of a layer of 10 bins just outside the edge over its standard error, */
    double outside_y; /*   in phase and quadrature */
    double outside_power; /* 1 over that standard error */
} nrm_onset;

/* Find the outermost knot of the force of each curve.
 *
 * values (n_curves, n_bins, 2) are mean forces in phase and quadrature, from outside inwards, over
 * their noise; weight (n_curves, n_bins) is by how much less noise there is than far away; the first
 * count[i] bins of curve i are looked at. whitening (n_bins, n_bins), lower triangular, makes noise
 * white and of variance 1. thresholds[k] (n_bins + 1) is the gain from which on something is seen in
 * a search over k bins; penalties[d] (n_bins; NULL: no second knot) is the gain that one must have that puts the edge
 * d bins farther out; margin (bins) is left out beside the edge where a layer outside is looked for. */
NRM_EXPORT int nrm_find_onsets(int64_t n_curves, int64_t n_bins, const double *values,
                               const double *weight, const int64_t *count,
                               const double *whitening, const double *thresholds,
                               const double *penalties, double margin, nrm_onset *onsets);

/* ------------------------------------------------------------------ pairing.c */

/* How paths of pairs are valued (see pairing/pair_paths.py). */
typedef struct {
    double same;         /* standard deviation of the difference of equal intervals, s, */
    double other;        /*   and of others */
    double least;        /* least evidence of an interval, */
    double least_beside; /*   where peaks of the second series are left out in it, */
    double most;         /*   and most */
    double skip;         /* evidence that a peak left out costs, */
    double jump;         /*   and a new stretch */
    double skips_first;  /* peaks that may be left out between two pairs, on either side */
    double skips_second;
} nrm_path_settings;

/* Evidence that peaks are the same, by how their shapes differ.
 *
 * first (parts, n), second (parts, m): parts of the shapes; same, other (parts): standard deviations
 * of their differences, for one peak and for two. Each part gives least to most. out (n, m) receives
 * the sums. Returns 1 if the sizes cannot be. */
NRM_EXPORT int nrm_likeness(const double *first, const double *second, int64_t n, int64_t m,
                            int64_t parts, const double *same, const double *other, double least,
                            double most, float *out);

/* Collect the most evidence of paths that end in each pair of two series of peaks.
 *
 * likeness (n, m): evidence of each pair's shapes; first (n), second (m): times of the peaks in s.
 * Pairs with less than -4 skip are none (-inf). score (n, m) receives the evidence, steps (n, m) how it was reached: 0 begins a path, 1 a new
 * stretch, else 2 + (peaks left out of first) * (skips_second + 1) + (left out of second). Returns
 * 1 if the sizes cannot be, 2 without memory. */
NRM_EXPORT int nrm_collect_paths(const float *likeness, int64_t n, int64_t m, const double *first,
                                 const double *second, const nrm_path_settings *settings,
                                 float *score, int8_t *steps);

/* ------------------------------------------------------------------ library.c */

/* Hash of the sources that the library was made of. */
NRM_EXPORT const char *nrm_sources(void);

/* Size in bytes of a record: signal, contact_settings, contact, lateral_check, profile_settings,
 * curve_settings, job, open_bin, turn_state, contact_state, normal, lateral_baseline, onset,
 * path_settings; -1
 * beyond them. */
NRM_EXPORT int64_t nrm_record_size(int64_t record);

/* ------------------------------------------------------------------ shared, not exported */

#define NRM_RESTRICT restrict

/* Two numbers, which every processor adds or multiplies at once (an extension of GCC and Clang). */
typedef double nrm_pair __attribute__((vector_size(16)));

static inline nrm_pair nrm_pair_at(const double *values) { return (nrm_pair){values[0], values[1]}; }

static inline double nrm_sum_of_pairs(const nrm_pair *two) {
    return (two[0][0] + two[0][1]) + (two[1][0] + two[1][1]);
}

/* Least-squares line: mean_x, mean_y, slope, and the sum of squares of x about its mean. */
typedef struct {
    double mean_x, mean_y, slope, sxx;
} nrm_line;

enum {
    NRM_SMOOTHED = 9,       /* most samples over which deflection is averaged for the distance */
    NRM_SMALLEST_WALL = 12, /* samples of the smallest window on the wall, */
    NRM_FEWEST_ON_WALL = 6  /* and of that of a sparse ramp */
};

/* Room for one curve: `longest` samples, reused from curve to curve so that it stays in the
 * processor's cache. */
typedef struct {
    double *memory;   /* all of the below in one piece */
    int64_t longest;
    double *height, *deflection, *clean, *in_phase, *quadrature; /* signals */
    double *work; /* the arrays asked for, whose use is the caller's */
} nrm_scratch;

/* Arrays that finding contacts, lines in a layer, and the other derivatives need. */
enum { NRM_CONTACT_WORK = 4, NRM_LINES_WORK = 15, NRM_LAYERS_WORK = 40 };

int nrm_scratch_make(nrm_scratch *scratch, int64_t longest, int64_t arrays);
void nrm_scratch_free(nrm_scratch *scratch);

/* Whether begin (n_curves + 1) rises from 0 on and ends within n_samples; the longest curve. */
int nrm_check_begin(int64_t n_curves, const int64_t *begin, int64_t n_samples, int64_t *longest);

/* Returns whether all of out is finite. */
bool nrm_gather_part(const nrm_signal *signal, int64_t first, int64_t n, bool backwards,
                     double *NRM_RESTRICT out);
void nrm_prefetch_part(const nrm_signal *signal, int64_t first, int64_t n);
bool nrm_all_finite(const double *values, int64_t n);
double nrm_noise_of(const double *y, int64_t n, double *work);
double nrm_second_differences(const double *y, int64_t n, double *work);
double nrm_median(double *values, int64_t n);
double nrm_mean_of(const double *values, int64_t n);

/* Means and variances of the two parts of a lateral signal. */
typedef struct {
    double mean_x, mean_y, var_x, var_y;
} nrm_scatter;

nrm_scatter nrm_scatter_of(const double *x, const double *y, int64_t n);
nrm_line nrm_fit_line(const double *x, const double *y, int64_t a, int64_t b);

/* Count in a record: a number from 0 to most, 0 for nan. */
int64_t nrm_count(double value, int64_t most);

/* Copy n samples with those that stand alone replaced; returns how many. */
int64_t nrm_without_spikes(const double *y, int64_t n, double noise, double *NRM_RESTRICT clean);

void nrm_range_of(const double *y, int64_t n, double *low, double *high);

/* Samples before the last ones that stay at the largest value, top. */
int64_t nrm_unsaturated(const double *y, int64_t n, double top);

/* Samples of the first n before those within the height turn of the last sample. */
int64_t nrm_before_turn(const double *x, int64_t n, double turn);

/* Samples of the baseline among the first `stop`, and its noise as means of samples show it. */
int64_t nrm_baseline_end(const double *x, const double *y, double noise, int64_t stop);
int64_t nrm_smallest_wall(const double *x, int64_t n);
double nrm_long_run_noise(const double *x, const double *y, int64_t end, const nrm_line *line);

/* `finite` says whether all samples are. */
void nrm_contact_of(const nrm_contact_settings *settings, const double *height,
                    const double *deflection, int64_t n, bool finite, double *NRM_RESTRICT clean,
                    double *work, nrm_contact *contact);
void nrm_check_lateral_of(const double *height, const double *clean, const double *in_phase,
                          const double *quadrature, int64_t n, bool finite,
                          const nrm_contact *contact, double delay, double *work,
                          nrm_lateral_check *check);

/* One curve's signals, and what profiles of it depend on. */
typedef struct {
    const double *height, *clean, *in_phase, *quadrature; /* no lateral signal: NULL */
    int64_t n;
    const nrm_contact *contact;
    const nrm_profile_settings *settings;
    nrm_curve_settings own;
    const double *correlation;
    int64_t n_lags;
    const double *depth;
    int64_t n_depths;
    double bin_width; /* of the bins from distance 0 on, m */
    int64_t n_bins;
    const nrm_scatter *far; /* of the lateral signal beyond the reach, if measured already; or NULL */
} nrm_curve;

/* Samples of a curve, by rising distance from the electrode unless it is said otherwise. */
typedef struct {
    int64_t n;        /* within reach of the depths */
    int64_t n_binned; /* with those beyond, which follow in no order */
    double *z;                               /* m */
    double *normal, *in_phase, *quadrature;  /* N */
    double var_x, var_y; /* variances of the lateral signals far away, N^2 */
    double line;         /* variance of the slope of a line that is taken out, as a part of these, */
                         /*   1/m^2 */
    double noise;        /* of one sample's distance, from that of the deflection, m, */
    int64_t smoothed;    /*   before the running mean over so many samples */
} nrm_layer;

void nrm_normal_of(const nrm_curve *curve, double *work, nrm_normal *found);
int64_t nrm_profile_work(const nrm_profile_settings *settings);
/* Whether there is a lateral signal beyond reach; *scatter receives what it is. */
bool nrm_lateral_baseline_of(const nrm_curve *curve, double reach, nrm_lateral_baseline *baseline,
                             nrm_scatter *scatter);
double nrm_reach_of(const nrm_curve *curve);
void nrm_profile_of(const nrm_curve *curve, double *work, double *found, double *valid,
                    double *bins);
nrm_layer nrm_layer_samples(const nrm_curve *curve, bool by_distance, double *work);
void nrm_weight_variances(const double *weights, int64_t n, const double *correlation,
                          int64_t n_lags, int64_t n_smoothed, double *correlated,
                          double *smoothed);
/* Variances of a lateral force's two parts. */
typedef struct {
    double x, y;
} nrm_variances;

nrm_variances nrm_behind_lever(const nrm_curve *curve, const nrm_layer *layer, double in_phase,
                               double quadrature);
void nrm_savitzky_golay(const nrm_curve *curve, const nrm_layer *layer, double *room,
                        double *found, double *valid);
void nrm_total_variation(const nrm_curve *curve, nrm_layer *layer, double *work, double *found);

#endif
