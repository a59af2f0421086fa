/*
 * confidence_core.h - how sure a proposal may call itself, from what became of
 * its source's earlier ones. Nobody's own rating counts.
 *
 *	proposed    the share of the source's candidates that were proved better:
 *	            the mean of Beta(1 + wins, 1 + losses)
 *	accepted    Bayes: a change that is better passes with the test's power,
 *	            one that is not with alpha
 *	calibrated  what was promised of earlier applied changes against how many
 *	            held; promises that were not kept lower all later ones
 *
 * A source with no record starts at one half, and a proof at 1 % with a power
 * of 90 % takes it to 0.989; after 25 losses and no win the same proof says
 * 0.776, and a person has to look.
 *
 * Pure. Sources: T. Bayes and R. Price (1763); D. Colquhoun, R. Soc. Open Sci. 1
 * (2014), for what an accepted test is worth.
 */
#ifndef CUPEL_WORKERS_IMPROVE_CONFIDENCE_CORE_H
#define CUPEL_WORKERS_IMPROVE_CONFIDENCE_CORE_H

/* What is remembered of a source (the tuner, a strategy, a model). */
struct confidence_record {
	double wins, losses;	/* candidates that validation called better; not */
	double promised;	/* the sum of confidences of its applied changes */
	double kept;		/* how many of them outlived their watch */
};

/* Records of other workspaces count for a quarter. */
struct confidence_record confidence_pool(struct confidence_record here,
					 struct confidence_record elsewhere);

/* All three are probabilities, 0 to 1. */
double confidence_proposed(const struct confidence_record *record);

/* After a decision with this alpha accepted it; power is planned. */
double confidence_accepted(const struct confidence_record *record, double alpha,
			   double power);

#endif
