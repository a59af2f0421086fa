/*
 * descriptors.h - how many descriptors this process has open.
 *
 * Told by poll(2), which looks at many at once and waits for none: a confined
 * program can list no directory, and so not /proc/self/fd. Not for whoever
 * watches PSI triggers or mounts, whose news poll(2) takes away.
 */
#ifndef CUPEL_COMMON_DESCRIPTORS_H
#define CUPEL_COMMON_DESCRIPTORS_H

/* Those numbered from here on are not looked for. */
#define DESCRIPTORS_MOST 4096

/* How many it may have: RLIMIT_NOFILE, and that or DESCRIPTORS_MOST, if less. */
unsigned descriptors_limit(void);
unsigned descriptors_end(void);

/* How many below end, of descriptors_end(), are open; 0: that is not known. */
unsigned descriptors_open(unsigned end);

#endif
