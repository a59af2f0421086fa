# The database: the one writer, in a directory of its own.

worker store {
	program = cupel-store
	policy = tool
	pool = static
	size = 1
	calls = 64
	critical = true
	state = true
	settings = true
}

tool store.environment {
	help = "keep what measurements depend on"
	class = idempotent
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["facts"], "properties": {"facts": {"type": "string", "minLength": 1, "maxLength": 4096}}}' }
}

tool store.environments {
	help = "where a metric was measured"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object", "required": ["workspace", "metric"]}' }
}

tool store.session {
	help = "begin a session of work on a workspace"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "kind"]}' }
}

tool store.open {
	help = "the unfinished improvement session of a workspace"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace"]}' }
}

tool store.end {
	help = "end a session, with what it has shown"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "workspace", "outcome", "lessons"]}' }
}

tool store.metrics {
	help = "keep measured values"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "metrics"]}' }
}

tool store.trend {
	help = "a metric over time"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object", "required": ["workspace", "metric"]}' }
}

tool store.bottleneck {
	help = "note that a metric misses its target"
	class = idempotent
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "metric", "value", "target", "severity", "impact", "description"]}' }
}

tool store.resolve {
	help = "note that a metric meets its target"
	class = idempotent
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "metric"]}' }
}

tool store.bottlenecks {
	help = "what misses its target"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.propose {
	help = "note a proposal, or find it again"
	class = idempotent
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "workspace", "type", "source", "description", "changes", "hash"]}' }
}

tool store.status {
	help = "move an improvement along its workflow"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "from", "to", "reason"]}' }
}

tool store.settle {
	help = "keep a verdict, its result, and what becomes of the change"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "success", "reason", "to", "confidence"]}' }
}

tool store.experiment {
	help = "keep a plan before its first sample"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["kind", "plan"]}' }
}

tool store.samples {
	help = "keep samples of an experiment"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["experiment", "samples"]}' }
}

tool store.verdict {
	help = "keep the verdict of an experiment"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["experiment", "verdict", "reason"]}' }
}

tool store.alpha {
	help = "how many decisions there have been"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "session"]}' }
}

tool store.applied {
	help = "how many changes were applied in the last 24 hours"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace"]}' }
}

tool store.trial {
	help = "keep a measured setting"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "config", "why", "step", "outcome", "binary", "reused"]}' }
}

tool store.trials {
	help = "the measured settings of a session"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session"]}' }
}

tool store.apply_begin {
	help = "note that an improvement is about to be applied"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "rollback"]}' }
}

tool store.apply_end {
	help = "note how that went"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["apply", "success"]}' }
}

tool store.rollback_begin {
	help = "note that an improvement is about to be taken back"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "reason"]}' }
}

tool store.rollback_end {
	help = "note how that went"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "success"]}' }
}

tool store.watched {
	help = "what is applied and still watched"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace"]}' }
}

tool store.pairs {
	help = "what earlier looks at a change have measured"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["improvement", "plan", "after"]}' }
}

tool store.recover {
	help = "what an interruption left behind"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace"]}' }
}

tool store.improvements {
	help = "all improvements, the newest first"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.improvement {
	help = "one improvement and all that is known of it"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object", "required": ["improvement"]}' }
}

tool store.stats {
	help = "counts of everything"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.record {
	help = "what became of the proposals of a source"
	class = pure
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["source", "workspace"]}' }
}

tool store.execution {
	help = "keep how commands ended"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "executions"]}' }
}

tool store.test_run {
	help = "keep the cases of a test run"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["session", "name", "cases"]}' }
}

tool store.run {
	help = "keep a run of tests or benchmarks"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "kind", "outcome", "executions"]}' }
}

tool store.baseline {
	help = "keep a baseline"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["workspace", "commit", "metrics"]}' }
}

tool store.lessons {
	help = "what experiments have shown"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.forget {
	help = "take back a lesson"
	class = effectful
	roles = { owner }
	schema = { '{"type": "object", "required": ["lesson"], "properties": {"lesson": {"type": "integer", "minimum": 1}}}' }
}

tool store.call {
	help = "keep calls and their outcomes"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["calls"]}' }
}

tool store.event {
	help = "keep events"
	class = effectful
	roles = { owner, improve }
	schema = { '{"type": "object", "required": ["events"]}' }
}

tool store.events {
	help = "the latest events"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.database {
	help = "how large the file is, and how often others held it"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}

tool store.verify {
	help = "look for breaks in the chain of the audit"
	class = pure
	roles = { owner, member, agent, improve }
	schema = { '{"type": "object"}' }
}
