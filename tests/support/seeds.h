#ifndef CUPEL_TESTS_SUPPORT_SEEDS_H
#define CUPEL_TESTS_SUPPORT_SEEDS_H

/* How many seeds: a sanitized run costs five to ten times as much. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS(plain, sanitized) (sanitized)
#else
#define SEEDS(plain, sanitized) (plain)
#endif

#endif
