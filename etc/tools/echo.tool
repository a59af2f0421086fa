# The model of a worker, and the double for tests of everything around one.

worker echo {
	program = cupel-echo
	policy = strict
	pool = ondemand
	size = 2
	warm = 1
	calls = 8
}

tool echo {
	help = "answer with the arguments"
	class = pure
	roles = { owner, member, agent, improve }
	concurrency = 64
	probe = '{"text":"probe"}'
}

tool echo.sleep {
	help = "wait, then answer how long it was"
	class = pure
	concurrency = 16
	schema = {
		'{"type": "object", "required": ["ms"], "additionalProperties": false,',
		' "properties": {"ms": {"type": "integer", "minimum": 0, "maximum": 600000}}}'
	}
}

tool echo.burn {
	help = "keep a processor busy"
	class = pure
	schema = {
		'{"type": "object", "required": ["ms"], "additionalProperties": false,',
		' "properties": {"ms": {"type": "integer", "minimum": 0, "maximum": 600000}}}'
	}
}

tool echo.crash {
	help = "die by a signal or an exit code, before or after accepting"
	class = idempotent
	schema = {
		'{"type": "object", "additionalProperties": false, "properties": {',
		' "signal": {"type": "integer", "minimum": 1, "maximum": 31},',
		' "exit": {"type": "integer", "minimum": 0, "maximum": 255},',
		' "phase": {"type": "integer", "minimum": 0, "maximum": 255},',
		' "accept": {"type": "boolean"}}}'
	}
}

tool echo.leak {
	help = "take memory and never give it back"
	class = idempotent
	schema = {
		'{"type": "object", "required": ["bytes"], "additionalProperties": false,',
		' "properties": {"bytes": {"type": "integer", "minimum": 0, "maximum": 1073741824}}}'
	}
}

tool echo.hang {
	help = "ignore cancellation; without a word, or beating without end"
	class = idempotent
	schema = {
		'{"type": "object", "required": ["ms"], "additionalProperties": false, "properties": {',
		' "ms": {"type": "integer", "minimum": 0, "maximum": 600000},',
		' "beats": {"enum": ["none", "still", "alive"]}}}'
	}
}

tool echo.flood {
	help = "answer with so many bytes, in chunks"
	class = pure
	output = 1G
	schema = {
		'{"type": "object", "required": ["bytes"], "additionalProperties": false, "properties": {',
		' "bytes": {"type": "integer", "minimum": 0, "maximum": 1073741824},',
		' "stream": {"type": "integer", "minimum": 0, "maximum": 2}}}'
	}
}

tool echo.fail {
	help = "answer with that error, or with busy"
	class = idempotent
	schema = {
		'{"type": "object", "required": ["code"], "additionalProperties": false, "properties": {',
		' "code": {"type": "integer", "minimum": 1, "maximum": 78},',
		' "reason": {"type": "string", "maxLength": 200},',
		' "busy": {"type": "boolean"}}}'
	}
}

tool echo.progress {
	help = "report progress, step by step"
	class = pure
	schema = {
		'{"type": "object", "required": ["steps"], "additionalProperties": false, "properties": {',
		' "steps": {"type": "integer", "minimum": 1, "maximum": 1000},',
		' "ms": {"type": "integer", "minimum": 0, "maximum": 10000}}}'
	}
}

tool echo.effect {
	help = "write a line into the log, an effect that can be counted, and answer after a while"
	class = effectful
	schema = {
		'{"type": "object", "required": ["token"], "additionalProperties": false, "properties": {',
		' "token": {"type": "string", "maxLength": 200},',
		' "ms": {"type": "integer", "minimum": 0, "maximum": 600000}}}'
	}
}
