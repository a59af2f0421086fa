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
	schema = {
		'{"type": "object", "required": ["argv"], "additionalProperties": false, "properties": {',
		' "argv": {"type": "array", "minItems": 1, "maxItems": 1024, "items": {"type": "string"}},',
		' "env": {"type": "object", "additionalProperties": {"type": "string"}},',
		' "cwd": {"type": "string", "maxLength": 4095}, "stdin": {"type": "string"},',
		' "limits": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},',
		' "collect": {"type": "array", "maxItems": 16, "items": {"type": "string"}}}}'
	}
}
