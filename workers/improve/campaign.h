/*
 * campaign.h - one run of the improvement loop over a workspace.
 *
 *	prepare  base commit, cupel.conf, build, tests (three times), spread
 *	observe  metrics against targets: bottlenecks
 *	search   the tuner: build, measure beside the base, test what leads
 *	race     the best again, on fresh runs; then prune what did not matter
 *	prove    one pre-registered decision; held-out tests; guards
 *	apply    by mode: left proposed, approved, or a commit
 *	watch    old against new; a regression is taken back
 *	learn    what failed is not tried again
 *
 * Each takes its share of the budget (budget_core.h) and then goes on with what
 * it has: the search and the race with the best so far, the pruning with what
 * it kept; a proof ends undecided, as if it had not begun. One build, test or
 * pair may run over.
 *
 * Each arrow is a row in the store before the next begins, so that a campaign
 * that was killed goes on: trials are told to the tuner again, an unfinished
 * proof begins anew at its own share of alpha, a begun apply is finished or
 * undone by what git says.
 *
 * The conductor touches neither files nor processes: copies, commits and runs
 * are asked of the git and job workers, rows of the store.
 */
#ifndef CUPEL_WORKERS_IMPROVE_CAMPAIGN_H
#define CUPEL_WORKERS_IMPROVE_CAMPAIGN_H

#include "workers/improve/cases.h"
#include "workers/improve/bottleneck_core.h"
#include "workers/improve/budget_core.h"
#include "workers/improve/knobs.h"
#include "workers/improve/planning_core.h"
#include "workers/improve/session.h"
#include "workers/improve/tuner_core.h"
#include "workers/improve/workspace_file.h"

enum campaign_mode { MODE_OBSERVE, MODE_PROPOSE, MODE_APPROVE, MODE_AUTO, MODE_COUNT };

/* Copies of the workspace, by what is in them. */
enum copy { COPY_BASE, COPY_CANDIDATE, COPY_FINALISTS };

#define PRUNE_PAIRS 8
#define WATCH_PAIRS 10

#define ARM_NAME_BYTES 300

/* A setting, built in a copy. */
struct arm {
	unsigned copy;
	struct space_config config;
	char name[ARM_NAME_BYTES];	/* for people */
	const char *commit;		/* that was checked out; borrowed */
	json_t *environment;		/* owned; of the build */
	json_t *run_environment;	/* owned; of tests and benchmarks */
};

/*
 * A metric that is looked at in every pair: the primary one, then guards, and
 * where the base is observed all others that have a target.
 */
#define CAMPAIGN_JUDGED_MAX (1 + DECISION_GUARDS_MAX)
#define CAMPAIGN_METRICS_MAX                                                  \
	(CAMPAIGN_JUDGED_MAX + WORKSPACE_BENCHMARKS_MAX * WORKSPACE_METRICS_MAX)

struct watched_metric {
	const struct workspace_benchmark *benchmark;
	const struct workspace_metric *metric;
	bool cpu;			/* of a time: processor time decides */
	bool observed;			/* and no more: without a number it is left out */
	struct decision_guard guard;	/* not of the first */
};

static inline enum direction metric_direction(const struct workspace_metric *metric)
{
	return metric->better ? HIGHER_IS_BETTER : LOWER_IS_BETTER;
}

struct campaign {
	struct session *session;
	struct error *why;
	enum campaign_mode mode;
	uint64_t seed;
	unsigned slots;			/* tests at a time */
	int64_t until_ns;		/* when the budget of time is spent */
	int64_t runs_left;		/* benchmark runs; INT64_MAX: no budget */
	int64_t kept_ns[BUDGET_STEP_COUNT], kept_runs[BUDGET_STEP_COUNT];
	int64_t build_ns;		/* of the base, with its tests */
	int64_t pair_ns, pair_runs;	/* the latter 0 without a budget */

	struct config config;
	struct workspace_file file;
	struct knobs knobs;
	struct watched_metric metrics[CAMPAIGN_METRICS_MAX];
	size_t metric_count;
	const char *base, *branch;	/* commit; NULL: detached */
	bool repository, clean;

	struct arm baseline;
	struct cases cases;		/* of the baseline; flaky ones apart */
	struct cases searched;		/* those that are not held out */
	struct cases flaky;
	bool tested;			/* there is a test at all */
	struct calibration calibration;
	struct planning planning;
	enum metric judge;
	unsigned experiments;		/* so far, for their seeds */

	struct tuner *tuner;
	struct tuner_trial *trials;
	struct space_config winner;	/* of the race, pruned */
	bool found;			/* there is one, other than the present */
	json_t *lessons;		/* of earlier campaigns; owned */

	json_t *report;			/* what the caller is told; see report.c */
};

/* ---- each returns 0 or a negative errno with campaign->why ---- */

int campaign_prepare(struct campaign *campaign);
/* -ERANGE where noise leaves no decision a chance; needed for no watch. */
int campaign_can_decide(struct campaign *campaign);
int campaign_observe(struct campaign *campaign);
/* Values of each watched metric, as they are now, against the targets. */
int campaign_judge_metrics(struct campaign *campaign, const struct bottleneck_series *series);
/* Takes out of the space what was seen to fail before. */
int campaign_heed(struct campaign *campaign);
int campaign_search(struct campaign *campaign);
int campaign_race(struct campaign *campaign);
/* Builds the winner and puts back what did not matter; ret is the built arm. */
int campaign_prune(struct campaign *campaign, struct arm *ret,
		   enum tuner_outcome *ret_outcome);
/* Proves the winner; ret_improvement is its row, and 0 if nothing was proven. */
int campaign_prove(struct campaign *campaign, int64_t *ret_improvement);
/*
 * In mode auto: applies it here and now if tests passed, confidence and gain
 * are above their thresholds, there is a branch to commit to, and the day is
 * not full; else says in the report why not.
 */
int campaign_apply(struct campaign *campaign, int64_t improvement);
/*
 * Re-measures what is applied, for half of the time that is left at most, and
 * takes back what regressed. The report says of how many there was no time.
 */
int campaign_watch(struct campaign *campaign);
/* The same of the one that this campaign has just committed, while there is time. */
int campaign_watch_new(struct campaign *campaign, int64_t improvement);
/*
 * Finishes or undoes whatever an earlier run was killed in. Only for who holds
 * the copies: what is being tested is by a campaign that is gone.
 */
int campaign_recover(struct campaign *campaign);

/* Ends the session in the store, together with what it has shown. */
int campaign_learn(struct campaign *campaign, const char *outcome);

void campaign_release(struct campaign *campaign);

/*
 * By hand: commits an approved improvement on top of the present commit, on a
 * branch of its own or (here) on the current one; takes an applied one back.
 */
int improvement_apply(struct campaign *campaign, int64_t improvement, bool here);
int improvement_roll_back(struct campaign *campaign, int64_t improvement,
			  const char *reason);
/* Finishes or undoes an apply or a rollback of this one that was cut short. */
int improvement_recover(struct campaign *campaign, int64_t improvement);

/* ---- what they share ---- */

/* The base commit, and what it says in cupel.conf and the knobs' files. */
int campaign_read(struct campaign *campaign);
/* What is to get better (NULL: as cupel.conf says), and what must not get worse. */
int campaign_choose_metrics(struct campaign *campaign, const char *asked);

/* Asks the store (git, without a copy); steals arguments. */
int campaign_ask(struct campaign *campaign, const char *tool, json_t *arguments,
		 json_t **ret);

/* Tells the new tuner of settings that were judged before. */
void campaign_tell_lessons(struct campaign *campaign);

/* Keeps of what is left of the budget what the steps after the search need. */
void campaign_share_budget(struct campaign *campaign);

/* Whether a step may go on; if not, the report says that the budget is spent. */
bool campaign_has_budget(struct campaign *campaign, enum budget_step step);

/* A line for the person who waits. */
__attribute__((format(printf, 4, 5)))
void campaign_say(struct campaign *campaign, uint64_t done, uint64_t total,
		  const char *format, ...);

/*
 * Makes the copy hold the base commit with that setting, and builds it. Other
 * than TUNER_OK, campaign->why says what was wrong with the candidate; a
 * negative errno is our own failure.
 */
int arm_build(struct campaign *campaign, unsigned copy,
	      const struct space_config *config, struct arm *ret,
	      enum tuner_outcome *ret_outcome);
/* The same of another commit (borrowed) as it is, with that environment (stolen). */
int arm_build_commit(struct campaign *campaign, unsigned copy, const char *commit,
		     json_t *environment, struct arm *ret,
		     enum tuner_outcome *ret_outcome);
void arm_release(struct arm *arm);

/* A number for what was built; 0 if that does not say how it will run. */
int arm_binary(struct campaign *campaign, const struct arm *arm, uint64_t *ret);

/* Runs the tests, and keeps how they ended in the store. TUNER_WRONG with the
 * first difference in campaign->why. */
int arm_test(struct campaign *campaign, const struct arm *arm, bool holdout,
	     enum tuner_outcome *ret_outcome);

/* One pair of runs of all metrics, in the order of the coin. */
struct pair {
	bool candidate_first;
	bool valid;			/* nothing stood still meanwhile */
	bool base_stopped, candidate_stopped;	/* that run did; then it is not valid */
	bool failed;			/* the candidate's run did, or gave no number */
	struct decision_value values[CAMPAIGN_METRICS_MAX];
	struct decision_value times[METRIC_REPORTED];	/* wall and cpu, of the first */
	int64_t rss_bytes;		/* most of both, of the first; -1: not measured */
};

int pair_measure(struct campaign *campaign, const struct arm *base,
		 const struct arm *candidate, bool candidate_first, struct pair *ret);

/* The sample rows of a pair, appended for store.samples. */
void pair_record(const struct pair *pair, unsigned number, json_t *samples);

#endif
