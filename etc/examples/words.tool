# Copy it to /etc/cupel/tools or ~/.config/cupel/tools; see cupel-tool(5).

worker words {
	program = /usr/bin/python3
	arguments = { -I, /usr/local/share/cupel/examples/words.py }
	policy = strict
	pool = ondemand
	size = 2
}

tool words {
	help = "count the words of a text"
	class = pure
	cache = 1m
	roles = { owner, member, agent }
	schema = {
		'{"type": "object", "required": ["text"], "additionalProperties": false,',
		' "properties": {"text": {"type": "string", "maxLength": 100000}}}'
	}
	probe = '{"text": "a rose is a rose"}'
}
