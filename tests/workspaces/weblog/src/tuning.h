/* Choices that cost or save time. */
#ifndef TUNING_H
#define TUNING_H

#define READ_BYTES 256		/* asked of the kernel at a time */
#define LINE_BYTES 4096		/* the longest line that is kept whole */
#define TABLE_SLOTS 256		/* of the hash table; it does not grow */
#define HASH hash_sum		/* hash_sum, hash_djb2, hash_fnv */
#define NUMBER number_checked	/* number_checked, number_quick */
#define OUTPUT_BYTES 4096	/* of output gathered before it is written */
#define TOP top_by_sort		/* top_by_sort, top_by_scan */

#endif
