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
	schema = {
		'{"type": "object", "required": ["argv"], "additionalProperties": false, "properties": {',
		' "argv": {"type": "array", "minItems": 1, "maxItems": 1024, "items": {"type": "string"}},',
		' "env": {"type": "object", "additionalProperties": {"type": "string"}},',
		' "cwd": {"type": "string", "maxLength": 4095}, "stdin": {"type": "string"},',
		' "limits": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},',
		' "collect": {"type": "array", "maxItems": 16, "items": {"type": "string"}}}}'
	}
}
