#include "common/clock.h"

#include <string.h>
#include <time.h>

#include "common/cleanup.h"

#define DAY_SECONDS 86400
#define ERA_DAYS 146097		/* 400 years; then the calendar repeats */
#define EPOCH_DAYS 719468	/* from 0000-03-01 to 1970-01-01 */

struct date {
	uint64_t year, month, day;
};

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);	/* cannot fail for these two clocks */
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

/* Years begin in March here, so that the leap day is the last of its year. */
static struct date date_of_days(uint64_t days)
{
	uint64_t in_era = days % ERA_DAYS;
	uint64_t year = (in_era - in_era / 1460 + in_era / 36524 -
			 in_era / (ERA_DAYS - 1)) / 365;
	uint64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	uint64_t from_march = (5 * in_year + 2) / 153;
	uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;

	return (struct date){
		.year = days / ERA_DAYS * 400 + year + (month <= 2),
		.month = month,
		.day = in_year - (153 * from_march + 2) / 5 + 1,
	};
}

/* gmtime_r(3) will not do: it takes the time zone lock. */
void clock_text(int64_t wall_ns, char ret[CLOCK_TEXT_BYTES])
{
	/* Rounded down, also before 1970; then nothing below is negative. */
	int64_t seconds = wall_ns / NS_PER_S -
			  (wall_ns % NS_PER_S < 0);
	uint64_t nanoseconds = (uint64_t)wall_ns -
			       (uint64_t)seconds * NS_PER_S;
	uint64_t since_0000 = (uint64_t)(seconds +
					 (int64_t)EPOCH_DAYS * DAY_SECONDS);
	uint64_t second = since_0000 % DAY_SECONDS;
	struct date date = date_of_days(since_0000 / DAY_SECONDS);
	const struct {
		size_t last;
		unsigned width;
		uint64_t value;
	} parts[] = {
		{ 3, 4, date.year },	    { 6, 2, date.month },
		{ 9, 2, date.day },	    { 12, 2, second / 3600 },
		{ 15, 2, second / 60 % 60 }, { 18, 2, second % 60 },
		{ 28, 9, nanoseconds },
	};

	memcpy(ret, "0000-00-00T00:00:00.000000000Z", CLOCK_TEXT_BYTES);
	for (size_t i = 0; i < COUNT(parts); i++) {
		uint64_t rest = parts[i].value;

		for (unsigned k = 0; k < parts[i].width; k++, rest /= 10)
			ret[parts[i].last - k] = (char)('0' + rest % 10);
	}
}
