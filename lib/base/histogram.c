/* Histograms: see histogram.h. */
#include "base/histogram.h"

static const double bounds[HISTOGRAM_BUCKETS] = { 0.005, 0.01, 0.025, 0.05, 0.1,
	0.25, 0.5, 1, 2.5, 5, 10 };

void
histogram_add(struct histogram *h, double seconds)
{
	size_t i = 0;

	while (i < HISTOGRAM_BUCKETS && seconds > bounds[i])
		i++;
	if (i < HISTOGRAM_BUCKETS)
		h->buckets[i]++;
	h->count++;
	h->sum += seconds;
}

void
histogram_json(const struct histogram *h, struct str *out)
{
	uint64_t below = 0;
	size_t i;

	str_addf(out, "{\"count\":%llu,\"sum\":%.6f,\"buckets\":[",
	    (unsigned long long)h->count, h->sum);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->buckets[i];
		str_addf(out, "%s[%g,%llu]", i == 0 ? "" : ",", bounds[i],
		    (unsigned long long)below);
	}
	str_add(out, "]}");
}
