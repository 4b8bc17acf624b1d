/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/replay_main - feeds saved inputs to a fuzz target, as a plain program.
 *
 * Lets `make check` replay every corpus file, and so every past crash, where no fuzzer is
 * installed. Reads the files named on its command line (a directory stands for the files
 * in it) and prints TAP. A target that finds a broken invariant aborts: tests/run then
 * shows the last "# replaying" line, which names the input. Called by tests/run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A corpus is for small inputs that each show one thing; a larger file is a mistake. */
#define INPUT_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int replayed;

static int replay_file(const char *path)
{
	/* Exactly as large as the input, so that ASan sees the first byte read past it. */
	uint8_t *input = NULL;
	struct stat st;
	size_t len = 0;
	FILE *f;
	int err = 0;

	f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &st) != 0)
		err = -errno;
	else if (st.st_size > INPUT_MAX_BYTES)
		err = -EFBIG;
	else if (!(input = malloc((size_t)st.st_size ? (size_t)st.st_size : 1)))
		err = -ENOMEM;
	else
		len = fread(input, 1, (size_t)st.st_size, f);
	if (f)
		(void)fclose(f); /* only read from */
	if (err) {
		printf("not ok %u - %s: %s\n", ++replayed, path, strerror(-err));
		return 1;
	}

	printf("# replaying %s\n", path);
	(void)fflush(stdout); /* before a crash */
	(void)LLVMFuzzerTestOneInput(input, len);
	free(input);
	printf("ok %u - %s\n", ++replayed, path);
	return 0;
}

static int replay_directory(const char *path)
{
	struct dirent **entries = NULL;
	int failed = 0;
	int n;

	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char file[4096];

		(void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			failed |= replay_file(file);
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			failed |= replay_directory(argv[i]);
		else
			failed |= replay_file(argv[i]);
	}
	if (replayed == 0) {
		printf("not ok 1 - no inputs to replay\n");
		replayed = 1;
		failed = 1;
	}
	printf("1..%u\n", replayed);
	return failed;
}
