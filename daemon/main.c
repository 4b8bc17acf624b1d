/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * posternd - the daemon's options; what they ask for is done in proc/. See posternd(8).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "proc/config.h"
#include "proc/config_print.h"
#include "proc/keeper.h"

#define CONFIG_PATH POSTERN_CONF_DIR "/postern.conf"
#define EXIT_USAGE  2

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_DETACH,
	ACTION_VERSION,
	ACTION_HELP,
};

struct options {
	enum action action;
	const char *config_path;
	const char *pin_dir; /* NULL: the configuration's */
};

static const char usage[] =
	"usage: posternd [-f] [-c FILE]\n"
	"       posternd --check [FILE]\n"
	"       posternd --detach [-c FILE | --pin-dir DIR]\n"
	"       posternd --version | --help\n"
	"\n"
	"  -c, --config FILE   configuration (default " CONFIG_PATH ")\n"
	"  -f, --foreground    stay in the foreground: the only mode there is\n"
	"      --check         read the configuration, say what is wrong or what is in force, and exit\n"
	"      --detach        take postern off the kernel: nothing is dropped any more; needs no daemon\n"
	"      --pin-dir DIR   where --detach finds it (default: pin-dir of the configuration)\n"
	"      --version       print the version\n"
	"      --help          print this\n";

/* 0; -EINVAL: getopt has said why. */
static int options_read(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"foreground", no_argument, NULL, 'f'},
		{"check", no_argument, NULL, 'k'},
		{"detach", no_argument, NULL, 'd'},
		{"pin-dir", required_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:f", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config_path = optarg;
			break;
		case 'f':
			break;
		case 'k':
			out->action = ACTION_CHECK;
			break;
		case 'd':
			out->action = ACTION_DETACH;
			break;
		case 'p':
			out->pin_dir = optarg;
			break;
		case 'v':
			out->action = ACTION_VERSION;
			break;
		case 'h':
			out->action = ACTION_HELP;
			break;
		default:
			return -EINVAL;
		}
	}
	if (out->action == ACTION_CHECK && optind < argc)
		out->config_path = argv[optind++];
	if (optind < argc) {
		(void)fprintf(stderr, "posternd: '%s': takes no such argument\n",
			      argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int check(const char *path)
{
	AUTO(config_free) struct config *config = NULL;
	int err = config_load(path, &config);

	if (!config) {
		(void)fprintf(stderr, "posternd --check: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	config_print_report(stderr, &config->report);
	if (err) {
		(void)fprintf(stderr, "%s: %zu error%s\n", path, config->report.errors,
			      config->report.errors == 1 ? "" : "s");
		return EXIT_FAILURE;
	}
	config_print(stdout, config);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A configuration with mistakes in it must not keep the admin from taking postern off. */
static int detach(const struct options *options)
{
	AUTO(config_free) struct config *config = NULL;

	if (geteuid() != 0) {
		(void)fprintf(stderr, "posternd --detach: needs root\n");
		return EXIT_FAILURE;
	}
	if (options->pin_dir)
		return keeper_detach(options->pin_dir);
	if (config_load(options->config_path, &config) && !config)
		return EXIT_FAILURE;
	if (config->report.errors > 0)
		(void)fprintf(
			stderr,
			"posternd --detach: %s has errors (see --check); taking pin-dir from it as "
			"far as it could be read: %s\n",
			options->config_path, config->conf.pin_dir);
	if (keeper_is_running(config->conf.run_dir))
		(void)fprintf(
			stderr,
			"posternd --detach: posternd runs: it goes on refusing what is banned at the "
			"ports that it serves, until it is stopped\n");
	return keeper_detach(config->conf.pin_dir);
}

int main(int argc, char **argv)
{
	struct options options = {.action = ACTION_RUN, .config_path = CONFIG_PATH};

	if (options_read(argc, argv, &options)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	switch (options.action) {
	case ACTION_RUN:
		return keeper_main(options.config_path);
	case ACTION_CHECK:
		return check(options.config_path);
	case ACTION_DETACH:
		return detach(&options);
	case ACTION_VERSION:
		(void)printf("posternd " POSTERN_VERSION "\n");
		return EXIT_SUCCESS;
	case ACTION_HELP:
		(void)fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	return EXIT_USAGE;
}
