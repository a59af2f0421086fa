/*
 * settle.h - a knob's new value as its standard, in the text of cupel.conf.
 *
 *	knob level { values = { "", fast }  current = "" }
 *	                                              ^^ replaced; where there is
 *	            ^ none, it is put here
 *
 * The bytes are found by tokens as libconfuse takes them from what
 * config_scan.h lets pass, so that neither a string nor a comment is mistaken
 * for a setting. What was made of them is read again, and is given away only if
 * it says all that the text said before, and the new value.
 */
#ifndef CUPEL_WORKERS_IMPROVE_SETTLE_H
#define CUPEL_WORKERS_IMPROVE_SETTLE_H

struct arena;
struct error;

/*
 * ret: the text, in the arena, in which the knob's `current` is value. -EBUSY
 * with the way out where that cannot be made sure of; ret is then untouched.
 */
int settle_current(struct arena *arena, const char *text, const char *knob,
		   const char *value, const char **ret, struct error *why);

#endif
