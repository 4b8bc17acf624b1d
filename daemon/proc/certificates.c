/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/certificates - see certificates.h.
 */
#include "proc/certificates.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "proc/certificates_look.h"

#define DAY_S	    INT64_C(86400)
#define NOTE_MAX    768u
#define OTHERS_READ S_IROTH

/* One reading of all files. */
struct reading {
	const struct conf *conf;
	int64_t now_s;
	certificate_note_fn note;
	void *context;
	struct tls_bundle_builder builder;
	struct certificates *found;
	size_t errors;
};

__attribute__((format(printf, 4, 5))) static void
say(struct reading *r, bool is_error, const struct certificate_note *about,
    const char *format, ...)
{
	char text[NOTE_MAX];
	struct certificate_note note = *about;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	note.is_error = is_error;
	note.text = text;
	r->errors += is_error;
	r->note(r->context, &note);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void add_file(struct reading *r, const struct certificate_note *about,
		     const char *path, struct tls_bundle_part *out_part,
		     struct file_stamp *out_stamp)
{
	int err = tls_bundle_add(&r->builder, path, out_part, out_stamp);

	if (!err)
		return;
	if (err == -ENOENT)
		say(r, true, about, "'%s': there is no such file", path);
	else if (err == -ENODATA)
		say(r, true, about, "'%s' is empty", path);
	else if (err == -EFBIG)
		say(r, true, about, "'%s' is too large: at most %u bytes", path,
		    TLS_FILE_MAX_BYTES);
	else
		say(r, true, about, "'%s' cannot be read: %s", path, strerror(-err));
}

static bool needs_authorities(const struct conf_service *service)
{
	return service->backend_tls != BACKEND_TLS_NONE && service->backend_verify;
}

/* Services mostly trust the same ones: they are read once. */
static bool share_authorities(struct reading *r, uint8_t index)
{
	struct tls_bundle_part *parts = r->builder.head->authorities;

	for (uint8_t i = 0; i < index; i++) {
		if (parts[i].len == 0 || strcmp(r->conf->services[i].backend_ca,
						r->conf->services[index].backend_ca) != 0)
			continue;
		parts[index] = parts[i];
		r->found->authorities[index] = r->found->authorities[i];
		return true;
	}
	return false;
}

static void add_all(struct reading *r)
{
	struct tls_bundle_head *head = r->builder.head;

	for (uint8_t i = 0; i < r->conf->certificate_count; i++) {
		const struct conf_certificate *certificate = &r->conf->certificates[i];
		struct certificate_note about = {.file = CERTIFICATE_CHAIN, .index = i};

		add_file(r, &about, certificate->chain, &head->chains[i],
			 &r->found->chains[i]);
		about.file = CERTIFICATE_KEY;
		add_file(r, &about, certificate->key, &head->keys[i], &r->found->keys[i]);
	}
	for (uint8_t i = 0; i < r->conf->service_count; i++) {
		const struct certificate_note about = {.file = CERTIFICATE_CA,
						       .index = i};

		if (needs_authorities(&r->conf->services[i]) && !share_authorities(r, i))
			add_file(r, &about, r->conf->services[i].backend_ca,
				 &head->authorities[i], &r->found->authorities[i]);
	}
}

/* ---- judging --------------------------------------------------------------------------------- */

void certificate_time_problem(const struct tls_cert_facts *facts, int64_t now_s,
			      struct buf *out)
{
	const time_t begin = (time_t)facts->not_before_s;
	const time_t end = (time_t)facts->not_after_s;
	const int64_t left_s = facts->not_after_s - now_s;
	char day[32] = "";
	struct tm tm;

	if (facts->cert_count == 0)
		return;
	if (facts->not_before_s > now_s && gmtime_r(&begin, &tm)) {
		(void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
		buf_printf(out, "not valid before %s", day);
	} else if (left_s < CERTIFICATE_SOON_S && gmtime_r(&end, &tm)) {
		(void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
		buf_printf(out, left_s < 0 ? "expired since %s" : "expires on %s", day);
	}
}

/* What would be right, by fault; of the chain's file, if not of the key's. */
static const struct {
	bool is_of_key;
	const char *text;
} remedies[TLS_CERT_FAULTS] = {
	[TLS_CERT_NONE] = {false, "holds no certificate: it has to be PEM, "
				  "-----BEGIN CERTIFICATE-----"},
	[TLS_CERT_BROKEN] = {false, "holds a certificate that cannot be read"},
	[TLS_CERT_KEY_NONE] = {true,
			       "holds no private key that can be read: it has to be "
			       "PEM, -----BEGIN PRIVATE KEY-----"},
	[TLS_CERT_KEY_LOCKED] = {true, "is locked with a passphrase, and there is nobody "
				       "to ask: write it without one (openssl pkey)"},
	[TLS_CERT_MISMATCH] = {true, "is not the key of the certificate in chain: take "
				     "the two that belong together"},
	[TLS_CERT_ORDER] = {false,
			    "begins with another certificate than that of the key: "
			    "the host's own has to be the first"},
	[TLS_CERT_REFUSED] = {false, "cannot be used: too small a key or too weak a "
				     "signature"},
};

static void judge_fault(struct reading *r, uint8_t index)
{
	const struct tls_cert_facts *facts = &r->found->facts[index];
	const struct conf_certificate *certificate = &r->conf->certificates[index];
	const bool is_of_key = remedies[facts->fault].is_of_key;
	const struct certificate_note about = {
		.file = is_of_key ? CERTIFICATE_KEY : CERTIFICATE_CHAIN, .index = index};

	say(r, true, &about, "'%s' %s%s%s%s",
	    is_of_key ? certificate->key : certificate->chain,
	    remedies[facts->fault].text, facts->problem[0] ? " (" : "", facts->problem,
	    facts->problem[0] ? ")" : "");
}

static void judge_certificate(struct reading *r, uint8_t index)
{
	const struct tls_cert_facts *facts = &r->found->facts[index];
	const struct conf_certificate *certificate = &r->conf->certificates[index];
	const struct certificate_note chain = {.file = CERTIFICATE_CHAIN, .index = index};
	const struct certificate_note key = {.file = CERTIFICATE_KEY, .index = index};
	char memory[64];
	struct buf when = BUF_OVER(memory);

	if (facts->fault != TLS_CERT_GOOD) {
		judge_fault(r, index);
		return;
	}
	certificate_time_problem(facts, r->now_s, &when);
	if (when.len > 0)
		say(r, false, &chain, "certificate %s: '%s': %s", certificate->name,
		    certificate->chain, memory);
	if (facts->broken_at > 0)
		say(r, false, &chain,
		    "certificate %s: '%s': number %u in it did not issue the one before it: "
		    "some clients will not trust the chain",
		    certificate->name, certificate->chain, facts->broken_at);
	if (r->found->keys[index].mode & OTHERS_READ)
		say(r, false, &key,
		    "certificate %s: '%s' can be read by everybody on this host: chmod 600",
		    certificate->name, certificate->key);
}

static void judge_all(struct reading *r, const struct look_result *result)
{
	memcpy(r->found->facts, result->facts, sizeof(r->found->facts));
	for (uint8_t i = 0; i < r->conf->certificate_count; i++)
		judge_certificate(r, i);
	for (uint8_t i = 0; i < r->conf->service_count; i++) {
		const struct certificate_note about = {.file = CERTIFICATE_CA,
						       .index = i};

		if (needs_authorities(&r->conf->services[i]) &&
		    result->authorities[i] == 0)
			say(r, true, &about,
			    "'%s' holds no certificate of an authority that can be read",
			    r->conf->services[i].backend_ca);
	}
}

static bool has_something_to_read(const struct conf *conf)
{
	bool needs = conf->certificate_count > 0;

	for (uint8_t i = 0; i < conf->service_count; i++)
		needs = needs || needs_authorities(&conf->services[i]);
	return needs;
}

static int read_all(struct reading *r)
{
	AUTO(free_mem) struct look_result *result = calloc(1, sizeof(*result));
	int err = result ? tls_bundle_begin(&r->builder) : -ENOMEM;

	if (err)
		return err;
	add_all(r);
	if (r->errors > 0)
		return -EINVAL;
	err = certificates_look(&r->builder, result);
	if (err == -EIO) {
		const struct certificate_note about = {.file = CERTIFICATE_CHAIN};

		say(r, true, &about,
		    "the certificates cannot be looked at: the process that does it died");
		return -EINVAL;
	}
	if (err)
		return err;
	judge_all(r, result);
	if (r->errors > 0)
		return -EINVAL;
	return tls_bundle_end(&r->builder, &r->found->bundle_fd);
}

int certificates_read(const struct conf *conf, int64_t now_s, certificate_note_fn note,
		      void *context, struct certificates **out_certificates)
{
	AUTO(certificates_free) struct certificates *found = NULL;
	struct reading reading = {
		.conf = conf,
		.now_s = now_s,
		.note = note,
		.context = context,
		.builder = {.fd = -1},
	};
	int err;

	if (!has_something_to_read(conf)) {
		*out_certificates = NULL;
		return 0;
	}
	found = calloc(1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	found->bundle_fd = -1;
	reading.found = found;
	err = read_all(&reading);
	tls_bundle_drop(&reading.builder);
	if (!err)
		*out_certificates = TAKE_PTR(found);
	return err;
}

void certificates_free(struct certificates **certificates)
{
	if (!*certificates)
		return;
	close_fd(&(*certificates)->bundle_fd);
	free(*certificates);
	*certificates = NULL;
}

/* ---- watching -------------------------------------------------------------------------------- */

static bool has_changed(const char *path, const struct file_stamp *old)
{
	struct file_stamp now;

	/* certbot and others replace a file in more than one step. */
	return file_stamp_take(path, &now) == 0 && !file_stamp_equal(&now, old);
}

bool certificates_have_changed(const struct certificates *certificates,
			       const struct conf *conf)
{
	bool changed = false;

	for (uint8_t i = 0; i < conf->certificate_count && !changed; i++)
		changed = has_changed(conf->certificates[i].chain,
				      &certificates->chains[i]) ||
			  has_changed(conf->certificates[i].key, &certificates->keys[i]);
	for (uint8_t i = 0; i < conf->service_count && !changed; i++)
		changed = needs_authorities(&conf->services[i]) &&
			  has_changed(conf->services[i].backend_ca,
				      &certificates->authorities[i]);
	return changed;
}
