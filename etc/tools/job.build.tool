# A build: it may write in its workspace.

worker job.build {
	program = cupel-job
	policy = build
	pool = per_call
	size = 8
	warm = 0
	workspace = direct
}

tool job.build {
	help = "run a build in a workspace"
	class = effectful
	roles = { owner, agent, improve }
	deadline = 10m
	deadline_max = 24h
	output = 64M
	schema = "@job"
}
