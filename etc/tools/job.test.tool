# A test or a benchmark: what it writes is gone with it.

worker job.test {
	program = cupel-job
	policy = test
	pool = per_call
	size = 16
	warm = 0
	workspace = overlay
}

tool job.test {
	help = "run a test in a throw-away view of a workspace"
	class = effectful
	roles = { owner, agent, improve }
	deadline = 10m
	deadline_max = 24h
	output = 64M
	schema = "@job"
}
