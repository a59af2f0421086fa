# How often each word stands in each kind of line, and the sizes by section.
/^[A-Z][A-Za-z-]*:/ { field = $1 }
/^Section:/ { section = $2 }
/^Installed-Size:/ { size[section] += $2 }
{
	gsub(/[(),|<>=:.]+/, " ")
	for (i = 1; i <= NF; i++)
		words[field, tolower($i)]++
}
END {
	for (key in words)
		if (words[key] > most) {
			most = words[key]
			split(key, part, SUBSEP)
		}
	for (section in size)
		printf "%-24s %9d kB\n", section, size[section] | "sort"
	close("sort")
	print "most often:", part[2], "in", part[1], most
}
