/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_fill - from the settings' texts to their values.
 */
#ifndef PROC_CONFIG_FILL_H
#define PROC_CONFIG_FILL_H

#include "proc/config.h"

/* One configuration being filled. */
struct config_fill {
	struct config *config;
	const struct config_source *source;
	unsigned int policy_lines[CONF_POLICIES_MAX]; /* where their sections end */
	unsigned int service_lines[CONF_SERVICES_MAX];
	struct config_place list_places[CONF_LISTS_MAX]; /* where they are named first */
	struct config_place domains_place, routes_place; /* where their files are named */
	struct config_place interface_places[CONF_INTERFACES_MAX];
	struct config_place chain_places[CONF_CERTIFICATES_MAX];
	struct config_place key_places[CONF_CERTIFICATES_MAX];
	struct config_place ca_places[CONF_SERVICES_MAX]; /* line 0: the default's */
};

/* The place of a setting in postern.conf. */
struct config_place setting_place(const struct config_fill *fill,
				  const struct config_setting *setting);

/* Where it stands what conf_validate() has said (proc/config_place); line 0: at no one place. */
struct config_place problem_place(const struct config_fill *fill,
				  const struct config_tree *tree, const char *problem);

/* Read every setting of a section into its object; what is wrong goes to the report. */
void fill_object(struct config_fill *fill, const struct config_section *section,
		 const struct config_fields *shape, void *object);

/* Read each list file into the builders of the policies that name it (proc/config_list). */
void fill_lists(struct config_fill *fill);

/* A path, relative to the directory of postern.conf. false: too long. */
bool fill_path(const struct config_fill *fill, const char *name, char out[CONF_PATH_MAX]);

/* proc/config_checks: DNS lists, and which of them a policy asks. */
void store_rbl_reply(struct config_fill *fill, void *object,
		     const struct config_setting *setting);
void store_zone(struct config_fill *fill, void *object,
		const struct config_setting *setting);
void store_undotted(struct config_fill *fill, void *object,
		    const struct config_setting *setting);
void store_rbl(struct config_fill *fill, void *object,
	       const struct config_setting *setting);
void load_rbls(struct config_fill *fill, const struct config_tree *tree);

/* proc/config_tls: settings of certificates and TLS. */
void store_chain(struct config_fill *fill, void *object,
		 const struct config_setting *setting);
void store_key(struct config_fill *fill, void *object,
	       const struct config_setting *setting);
void store_certificate(struct config_fill *fill, void *object,
		       const struct config_setting *setting);
void store_backend_ca(struct config_fill *fill, void *object,
		      const struct config_setting *setting);
/* What a service's TLS is where nothing is said. */
void fill_tls_defaults(const struct config_section *section,
		       struct conf_service *service);
/* Read the files that the configuration names, look at them, and make a bundle of them. */
void fill_certificates(struct config_fill *fill);

/* The settings outside of sections, of policy, service, certificate and limits (proc/config_fields). */
enum config_shape {
	SHAPE_ROOT,
	SHAPE_POLICY,
	SHAPE_SERVICE,
	SHAPE_RBL,
	SHAPE_CERTIFICATE,
	SHAPE_LIMITS,
	SHAPE_COUNT,
};
extern const struct config_fields config_shape_table[SHAPE_COUNT];

#endif
