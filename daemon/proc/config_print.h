/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_print - a configuration as posternd --check shows it: what is in force, defaults included.
 */
#ifndef PROC_CONFIG_PRINT_H
#define PROC_CONFIG_PRINT_H

#include <stdio.h>

#include "proc/config.h"

/* Warnings and errors, one a line, errors first. */
void config_print_report(FILE *out, const struct config_report *report);

/* Settings, limits, policies and services of a configuration without errors. */
void config_print(FILE *out, const struct config *config);

#endif
