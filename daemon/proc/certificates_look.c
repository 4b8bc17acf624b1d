/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/certificates_look - see certificates_look.h.
 */
#include "proc/certificates_look.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sandbox.h"

static void look_at_all(const struct tls_bundle_builder *builder,
			struct look_result *result)
{
	const struct tls_bundle_head *head = builder->head;

	for (size_t i = 0; i < CONF_CERTIFICATES_MAX; i++) {
		const struct tls_pair pair = {
			.chain = tls_bundle_built(builder, &head->chains[i]),
			.key = tls_bundle_built(builder, &head->keys[i]),
		};

		if (pair.chain.len > 0 && pair.key.len > 0)
			tls_cert_look(&pair, &result->facts[i]);
	}
	for (size_t i = 0; i < CONF_SERVICES_MAX; i++) {
		const struct tls_pem pem =
			tls_bundle_built(builder, &head->authorities[i]);

		if (pem.len > 0)
			result->authorities[i] = tls_cert_count(&pem);
	}
	result->is_done = 1;
}

static void look_main(const struct tls_bundle_builder *builder,
		      struct look_result *result)
{
	(void)alarm(LOOK_SECONDS_MAX);
	if (tls_init() || sandbox_look())
		_exit(1);
	look_at_all(builder, result);
	_exit(0);
}

static int wait_for_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int certificates_look(const struct tls_bundle_builder *builder,
		      struct look_result *out_result)
{
	struct look_result *result;
	pid_t pid;
	int err;

	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		return -errno;
	pid = fork();
	if (pid == 0)
		look_main(builder, result);
	err = pid < 0 ? -errno : wait_for_end(pid);
	if (!err && !result->is_done)
		err = -EIO;
	if (!err)
		*out_result = *result;
	(void)munmap(result, sizeof(*result));
	return err;
}
