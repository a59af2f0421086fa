# A repository: private copies of a commit, commits, and their inverse.

worker git {
	program = cupel-git
	policy = tool
	pool = ondemand
	size = 8	# half of them hold copies
	workspace = direct
	idle = 1m
}

tool git.status {
	help = "what is checked out, and whether it is clean"
	class = pure
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object"}'
	}
}

tool git.where {
	help = "the directory that its number stands for"
	class = pure
	roles = { owner, improve }
	deadline = 30s
	schema = {
		'{"type": "object"}'
	}
}

tool git.changed {
	help = "the files that are not as they were in a commit"
	class = pure
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["since"], "additionalProperties": false,',
		' "properties": {"since": {"type": "string", "minLength": 1, "maxLength": 256}}}'
	}
}

tool git.snapshot {
	help = "where there is no git: the files as they are, as a commit"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object"}'
	}
}

tool git.read {
	help = "a text file of a commit"
	class = pure
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["commit", "path"], "properties": {"commit": {"type":',
		' "string", "minLength": 40, "maxLength": 40}, "path": {"type": "string", "minLength":',
		' 1, "maxLength": 4095}}}'
	}
}

tool git.checkout {
	help = "make a private copy hold a commit and some changes"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["commit", "copy", "files"], "properties": {"copy":',
		' {"type": "string", "minLength": 1, "maxLength": 32}, "files": {"type": "array",',
		' "maxItems": 64, "items": {"type": "object", "required": ["path", "content"]}}}}'
	}
}

tool git.protect {
	help = "put back what a build did to protected files"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["commit", "copy", "paths"], "properties": {"paths":',
		' {"type": "array", "maxItems": 64, "items": {"type": "string"}}}}'
	}
}

tool git.artefacts {
	help = "a number for what a build has made in a copy"
	class = pure
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["commit", "copy", "except"], "properties": {"except":',
		' {"type": "array", "maxItems": 64, "items": {"type": "string"}}}}'
	}
}

tool git.clean {
	help = "remove private copies"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object"}'
	}
}

tool git.hold {
	help = "keep all private copies for one campaign, until cancelled"
	class = idempotent
	roles = { owner, improve }
	deadline = 24h
	deadline_max = 24h
	slow = 24h
	schema = {
		'{"type": "object", "properties": {"since_ns": {"type": "integer"}}}'
	}
}

tool git.commit {
	help = "commit changes of files, once"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["base", "message", "files", "improvement", "change"],',
		' "properties": {"change": {"type": "string", "minLength": 1, "maxLength": 128},',
		' "since": {"type": "string", "minLength": 40, "maxLength": 40}, "files": {"type": "array", "minItems": 1, "maxItems": 64, "items":',
		' {"type": "object", "required": ["path", "content", "before_sha256"]}}}}'
	}
}

tool git.revert {
	help = "take a commit back, byte by byte"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["commit", "improvement", "change"],',
		' "properties": {"change": {"type": "string", "minLength": 1, "maxLength": 128},',
		' "since": {"type": "string", "minLength": 40, "maxLength": 40}}}'
	}
}

tool git.find {
	help = "what there is of an improvement"
	class = idempotent
	roles = { owner, improve }
	deadline = 2m
	schema = {
		'{"type": "object", "required": ["improvement", "change"],',
		' "properties": {"change": {"type": "string", "minLength": 1, "maxLength": 128},',
		' "since": {"type": "string", "minLength": 40, "maxLength": 40}}}'
	}
}
