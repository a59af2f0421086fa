# A foreign command, once: without a workspace.

worker job {
	program = cupel-job
	policy = tool
	pool = per_call
	size = 16
	warm = 2
}

tool job {
	help = "run a command in a sandbox of its own"
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
