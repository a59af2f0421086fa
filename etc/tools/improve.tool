# The conductor of the improvement loop; a client of the tools it conducts.

worker improve {
	program = cupel-improve
	policy = strict
	pool = ondemand
	size = 4
	client_role = improve
}

tool improve.run {
	help = "measure a repository, try its knobs, prove and keep what is better"
	class = effectful
	roles = { owner, member }
	deadline = 6h
	deadline_max = 24h
	slow = 24h
	schema = {
		'{"type": "object", "required": ["workspace", "copies"], "additionalProperties": false,',
		' "properties": {',
		' "workspace": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "copies": {"type": "array", "maxItems": 8, "items": {"type": "integer", "minimum": 1, "maximum": 4294967295}},',
		' "mode": {"enum": ["observe", "propose", "approve", "auto"]},',
		' "metric": {"type": "string", "maxLength": 130},',
		' "rounds": {"type": "integer", "minimum": 1, "maximum": 1000},',
		' "time_s": {"type": "integer", "minimum": 1, "maximum": 86400},',
		' "runs": {"type": "integer", "minimum": 1, "maximum": 1000000},',
		' "slots": {"type": "integer", "minimum": 1, "maximum": 16},',
		' "seed": {"type": "integer", "minimum": 0, "maximum": 9007199254740991}}}'
	}
}

tool improve.apply {
	help = "commit an approved improvement"
	class = effectful
	roles = { owner, member }
	deadline = 5m
	deadline_max = 1h
	schema = {
		'{"type": "object", "required": ["workspace", "improvement"], "additionalProperties": false,',
		' "properties": {',
		' "workspace": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "improvement": {"type": "integer", "minimum": 1},',
		' "here": {"type": "boolean"}}}'
	}
}

tool improve.rollback {
	help = "take an applied improvement back, byte by byte"
	class = effectful
	roles = { owner, member }
	deadline = 5m
	deadline_max = 1h
	schema = {
		'{"type": "object", "required": ["workspace", "improvement"], "additionalProperties": false,',
		' "properties": {',
		' "workspace": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "improvement": {"type": "integer", "minimum": 1},',
		' "reason": {"type": "string", "maxLength": 300}}}'
	}
}

tool improve.test {
	help = "build a workspace and run its tests, side by side"
	class = effectful
	roles = { owner, member, agent }
	deadline = 1h
	deadline_max = 24h
	slow = 24h
	schema = {
		'{"type": "object", "required": ["config"], "additionalProperties": false,',
		' "properties": {',
		' "config": {"type": "string", "maxLength": 262144},',
		' "workspace": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "names": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 64}},',
		' "tags": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 64}},',
		' "changed": {"type": "string", "minLength": 1, "maxLength": 256},',
		' "slots": {"type": "integer", "minimum": 1, "maximum": 16}}}'
	}
}

tool improve.bench {
	help = "build a workspace and run its benchmarks"
	class = effectful
	roles = { owner, member, agent }
	deadline = 1h
	deadline_max = 24h
	slow = 24h
	schema = {
		'{"type": "object", "required": ["config"], "additionalProperties": false,',
		' "properties": {',
		' "config": {"type": "string", "maxLength": 262144},',
		' "workspace": {"type": "string", "minLength": 1, "maxLength": 4095},',
		' "names": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 64}},',
		' "runs": {"type": "integer", "minimum": 1, "maximum": 1000}}}'
	}
}
