/*
 * What path_make() makes, and where: through which links, and never a file
 * through one.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "sandbox/path.h"

#define LONG "0123456789012345678901234567890123456789012345678901234567890123"

static void it_is_made_where_trust_leads(void **state)
{
	static const struct {
		const char *path;
		bool is_directory;
		enum path_trust trust;
		int result;
		const char *made;
	} rows[] = {
		{ "a", true, PATH_STRICT, 0, "root/a " },
		{ "a/b/c", true, PATH_STRICT, 0, "root/a root/a/b root/a/b/c " },
		{ "a//b/", true, PATH_STRICT, 0, "root/a root/a/b " },
		{ "there/b", true, PATH_STRICT, 0, "root/there/b " },
		{ "a/b", false, PATH_STRICT, 0, "root/a root/a/b " },
		{ "there", true, PATH_STRICT, 0, "" },
		{ "out", true, PATH_STRICT, 0, "" },
		{ "out/b", true, PATH_STRICT, -ELOOP, "" },
		{ "out/b/c", true, PATH_STRICT, -ELOOP, "" },
		{ "there/out/b/c", true, PATH_STRICT, -ELOOP, "" },
		{ "inside/b", true, PATH_STRICT, -ELOOP, "" },
		{ "../outside/b", true, PATH_STRICT, -EXDEV, "" },
		{ "file/b", true, PATH_STRICT, -ENOTDIR, "" },
		{ "a/b", true, PATH_HOST, 0, "root/a root/a/b " },
		{ "out/b/c", true, PATH_HOST, 0, "outside/b outside/b/c " },
		{ "out/b/c", false, PATH_HOST, -ELOOP, "" },
		{ "out/b", false, PATH_HOST, -ELOOP, "" },
		{ "nowhere/b", true, PATH_HOST, -ENOENT, "" },
		{ "", true, PATH_STRICT, -EXDEV, "" },
		{ LONG LONG LONG LONG "/b", true, PATH_STRICT, -ENAMETOOLONG, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error why;
		char got[200];

		assert_int_equal(system("rm -rf root outside; mkdir -p root/there outside && cd root &&"
					" ln -s ../outside out && ln -s ../../outside there/out &&"
					" ln -s there inside && ln -s none nowhere && : >file &&"
					" cd .. && find root outside >before"), 0);
		int root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r = path_make(root, rows[i].path, rows[i].is_directory, rows[i].trust, &why);

		close(root);
		test_output("find root outside | sort | grep -vxF -f before | tr '\\n' ' '",
		    got, sizeof(got));
		test_row(r == rows[i].result, "%s: %d, not %d", rows[i].path, r, rows[i].result);
		test_row(strcmp(got, rows[i].made) == 0, "%s: %s, not %s", rows[i].path, got,
			 rows[i].made);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_made_where_trust_leads),
	};

	return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
