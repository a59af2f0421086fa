# Copy it to /etc/cupel/tools or ~/.config/cupel/tools; see cupel-tool(5).

worker primes {
	program = /usr/local/libexec/cupel/primes
	policy = strict
	pool = ondemand
	size = 2
}

tool primes {
	help = "the prime factors of a number"
	class = pure
	coalesce = true
	roles = { owner, member, agent }
	schema = {
		'{"type": "object", "required": ["n"], "additionalProperties": false,',
		' "properties": {"n": {"type": "integer", "minimum": 1}}}'
	}
	probe = '{"n": 6}'
}
