/* Histograms of durations, for the metrics. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/str.h"

#include <stdint.h>

#define HISTOGRAM_BUCKETS 11

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS]; /* not cumulative */
	uint64_t count;
	double sum; /* seconds */
};

void histogram_add(struct histogram *h, double seconds);
/* {"count":N,"sum":S,"buckets":[[LE,CUMULATIVE],...]} */
void histogram_json(const struct histogram *h, struct str *out);

#endif
