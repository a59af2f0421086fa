#include "sandbox/changes_later.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

/* Small letters only; every pattern is looked for at any depth. */
static const struct {
	const char *pattern, *what;
} rows[] = {
	{ ".git", "git" },	/* a file here names another repository */
	{ ".git/hooks/**", "git hook" },
	{ ".git/**/hooks/**", "git hook" },	/* of submodules */
	{ ".git/modules", "git hook" },
	{ ".git/worktrees", "git hook" },
	{ "*.git/hooks/**", "git hook" },	/* of a bare repository */
	{ "*.git/config", "git configuration" },
	{ ".git/config.worktree", "git configuration" },
	{ ".git/**/config", "git configuration" },
	{ ".git/info/attributes", "git configuration" },
	{ ".git/commondir", "git configuration" },
	{ ".gitmodules", "git configuration" },
	{ ".gitconfig", "git configuration" },
	{ ".config/git/**", "git configuration" },
	{ ".husky/**", "git hook" },
	{ ".githooks/**", "git hook" },
	{ ".pre-commit-config.y*ml", "git hook" },
	{ ".pre-commit-hooks.y*ml", "git hook" },
	{ "lefthook.y*ml", "git hook" },
	{ ".lefthook/**", "git hook" },
	{ ".overcommit.yml", "git hook" },
	{ ".hg/hgrc", "mercurial configuration" },

	{ ".github/workflows/**", "CI" },
	{ ".github/actions/**", "CI" },
	{ ".gitlab-ci.y*ml", "CI" },
	{ ".gitlab/ci/**", "CI" },
	{ "jenkinsfile*", "CI" },
	{ ".circleci/**", "CI" },
	{ ".travis.y*ml", "CI" },
	{ ".drone.y*ml", "CI" },
	{ ".woodpecker.y*ml", "CI" },
	{ ".woodpecker/**", "CI" },
	{ ".cirrus.y*ml", "CI" },
	{ ".buildkite/**", "CI" },
	{ ".forgejo/workflows/**", "CI" },
	{ ".gitea/workflows/**", "CI" },
	{ ".builds/**", "CI" },
	{ ".build.yml", "CI" },
	{ "azure-pipelines*.y*ml", "CI" },
	{ ".azure-pipelines/**", "CI" },
	{ "bitbucket-pipelines.yml", "CI" },
	{ "cloudbuild.y*ml", "CI" },
	{ "appveyor.yml", "CI" },
	{ ".appveyor.yml", "CI" },
	{ ".ci/**", "CI" },

	{ ".vscode/**", "editor" },
	{ "*.code-workspace", "editor" },
	{ ".idea/**", "editor" },
	{ ".run/**", "editor" },
	{ ".zed/**", "editor" },
	{ ".fleet/**", "editor" },
	{ ".devcontainer/**", "editor" },
	{ ".devcontainer.json", "editor" },
	{ ".dir-locals*.el", "editor" },
	{ ".exrc", "editor" },
	{ ".vimrc", "editor" },
	{ ".gvimrc", "editor" },
	{ ".vim/**", "editor" },
	{ ".nvimrc", "editor" },
	{ ".nvim.lua", "editor" },
	{ ".config/nvim/**", "editor" },
	{ ".emacs", "editor" },
	{ ".emacs.d/**", "editor" },

	{ ".claude/**", "agent" },
	{ "claude*.md", "agent" },
	{ "agents*.md", "agent" },
	{ "gemini.md", "agent" },
	{ ".cursor/**", "agent" },
	{ ".cursorrules", "agent" },
	{ ".codex/**", "agent" },
	{ ".gemini/**", "agent" },
	{ ".windsurf/**", "agent" },
	{ ".windsurfrules", "agent" },
	{ ".clinerules", "agent" },
	{ ".clinerules/**", "agent" },
	{ ".roo/**", "agent" },
	{ ".continue/**", "agent" },
	{ ".aider*", "agent" },
	{ ".mcp.json", "agent" },
	{ ".github/copilot-instructions.md", "agent" },
	{ ".github/instructions/**", "agent" },
	{ "cupel.conf", "cupel" },
	{ ".cupel/**", "cupel" },

	{ ".envrc", "direnv" },
	{ "mise.toml", "shell" },
	{ ".mise.toml", "shell" },
	{ ".mise/**", "shell" },
	{ ".tool-versions", "shell" },
	{ ".bashrc", "shell" },
	{ ".bash_*", "shell" },
	{ ".profile", "shell" },
	{ ".zshrc", "shell" },
	{ ".zshenv", "shell" },
	{ ".zprofile", "shell" },
	{ ".zlogin", "shell" },
	{ ".zlogout", "shell" },
	{ ".kshrc", "shell" },
	{ ".cshrc", "shell" },
	{ ".tcshrc", "shell" },
	{ ".login", "shell" },
	{ ".inputrc", "shell" },
	{ ".config/fish/**", "shell" },
	{ ".ssh/**", "ssh" },

	{ ".gdbinit", "debugger" },
	{ ".lldbinit", "debugger" },
	{ "sitecustomize.py", "python" },
	{ "usercustomize.py", "python" },
	{ "*.pth", "python" },
	{ "pyvenv.cfg", "python" },
	{ ".rprofile", "R" },
	{ ".irbrc", "ruby" },
	{ ".pryrc", "ruby" },

	{ ".npmrc", "package manager" },
	{ ".yarnrc", "package manager" },
	{ ".yarnrc.yml", "package manager" },
	{ ".yarn/**", "package manager" },
	{ ".pnpmfile.*", "package manager" },
	{ ".cargo/config", "package manager" },
	{ ".cargo/config.toml", "package manager" },
	{ "rust-toolchain*", "package manager" },
	{ ".bundle/config", "package manager" },
	{ ".condarc", "package manager" },
	{ "pip.conf", "package manager" },
	{ ".bazelrc", "package manager" },
	{ ".mvn/**", "package manager" },

	{ "*.desktop", "desktop" },
	{ ".config/autostart/**", "desktop" },
	{ "systemd/system/**", "systemd" },
	{ "systemd/user/**", "systemd" },
	{ "crontab", "cron" },
	{ "cron.*/**", "cron" },
};

_Static_assert(COUNT(rows) <= LATER_ROWS_MAX, "room for every pattern");

static int compile(struct later_table *table, size_t *used, struct glob *ret,
		   const char *pattern, struct error *why)
{
	int r = glob_compile(ret, span_of_text(pattern), table->memory + *used,
			     sizeof(table->memory) - *used);

	if (r < 0)
		return error_set(why, r, "pattern %s: %s", pattern, strerror(-r));
	*used += (size_t)r;
	return 0;
}

int later_init(struct later_table *table, struct error *why)
{
	size_t used = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(rows); i++) {
		char pattern[64];
		const char *slash = strchr(rows[i].pattern, '/');

		snprintf(pattern, sizeof(pattern), "**/%s", rows[i].pattern);
		r = compile(table, &used, &table->globs[i], pattern, why);
		if (r < 0 || !slash)
			continue;
		snprintf(pattern, sizeof(pattern), "%.*s", (int)(slash - rows[i].pattern),
			 rows[i].pattern);
		r = compile(table, &used, &table->folders[i], pattern, why);
	}
	return r;
}

/* Only rows that begin as a component of the path does, or with a star, can match. */
static const char *match(const struct later_table *table, struct span path)
{
	bool begins[UCHAR_MAX + 1] = { ['*'] = true };

	for (size_t i = 0; i < path.length; i++)
		if (i == 0 || path.data[i - 1] == '/')
			begins[path.data[i]] = true;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (begins[(unsigned char)rows[i].pattern[0]] &&
		    glob_match(&table->globs[i], path))
			return rows[i].what;
	return NULL;
}

/*
 * Whether the last component, as a directory, is the start of a pattern: the
 * link .github could lead to workflows of its own choice.
 */
static const char *match_start(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = strlen(name);

	for (size_t i = 0; i < COUNT(rows); i++)
		if (strncmp(rows[i].pattern, name, length) == 0 &&
		    rows[i].pattern[length] == '/')
			return rows[i].what;
	return NULL;
}

static size_t make_small(const char *path, char ret[PATH_MAX])
{
	size_t length = strnlen(path, PATH_MAX - 1);

	for (size_t i = 0; i < length; i++)
		ret[i] = path[i] >= 'A' && path[i] <= 'Z' ?
				 (char)(path[i] - 'A' + 'a') : path[i];
	ret[length] = '\0';
	return length;
}

bool later_begins(const struct later_table *table, const char *name)
{
	char small[PATH_MAX];
	struct span text = { (uint8_t *)small, make_small(name, small) };

	for (size_t i = 0; i < COUNT(rows); i++)
		if ((rows[i].pattern[0] == small[0] || rows[i].pattern[0] == '*') &&
		    strchr(rows[i].pattern, '/') && glob_match(&table->folders[i], text))
			return true;
	return false;
}

const char *later_of(const struct later_table *table, const char *path,
		     bool is_link)
{
	char small[PATH_MAX + 2];
	size_t length = make_small(path, small);
	const char *what = match(table, (struct span){ (uint8_t *)small, length });

	if (what || !is_link)
		return what;
	what = match_start(small);
	if (what)
		return what;
	memcpy(small + length, "/x", 2);
	return match(table, (struct span){ (uint8_t *)small, length + 2 });
}
