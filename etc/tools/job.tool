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
		' "cwd": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "stdin": {"type": "string"},',
		' "limits": {"type": "object", "additionalProperties": false, "properties": {',
		'  "wall_ms": {"type": "integer", "minimum": 1, "maximum": 86400000},',
		'  "cpu_ms": {"type": "integer", "minimum": 1, "maximum": 86400000},',
		'  "output_bytes": {"type": "integer", "minimum": 0, "maximum": 1073741824}}},',
		' "collect": {"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1}}}}'
	}
}
