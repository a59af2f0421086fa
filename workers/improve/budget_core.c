#include "workers/improve/budget_core.h"

void budget_share(int64_t left, const int64_t needs[BUDGET_STEP_COUNT],
		  int64_t ret_kept[BUDGET_STEP_COUNT])
{
	double most = left > 0 ? (double)left / 2 : 0, sum = 0, later = 0, share;

	for (int step = BUDGET_SEARCH + 1; step < BUDGET_STEP_COUNT; step++)
		sum += (double)needs[step];
	share = sum > most ? most / sum : 1;
	for (int step = BUDGET_STEP_COUNT - 1; step >= BUDGET_SEARCH; step--) {
		ret_kept[step] = (int64_t)(share * later);
		later += (double)needs[step];
	}
}
