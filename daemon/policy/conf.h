/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/conf - the configuration as plain data: what is set, the defaults, and
 * the checks that span several settings.
 *
 * No pointers and fixed arrays, so that the keeper can put it into shared memory as
 * it is. proc/config fills it from postern.conf; see postern.conf(5) for each setting.
 */
#ifndef POLICY_CONF_H
#define POLICY_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "policy/auth.h"
#include "policy/detect.h"
#include "policy/rbl.h"

#define CONF_NAME_MAX	       32u /* names of policies and services, with the NUL */
#define CONF_PATH_MAX	       256u
#define CONF_HOST_MAX	       256u /* RFC 5321 4.5.3.1.2: 255 octets */
#define CONF_INTERFACES_MAX    8u
#define CONF_POLICIES_MAX      16u
#define CONF_POLICY_IDS	       32u /* ids in the kernel maps */
#define CONF_SERVICES_MAX      32u
#define CONF_LISTEN_MAX	       8u  /* endpoints of one service */
#define CONF_BACKENDS_MAX      8u  /* addresses of one service's backend */
#define CONF_LISTS_MAX	       32u /* address list files in all */
#define CONF_NEVER_BAN_MAX     64u
#define CONF_PROXIES_MAX       32u /* trusted proxies */
#define CONF_DNS_MAX	       4u
#define CONF_RBLS_MAX	       32u /* DNS lists; bits of conf_policy.rbls */
#define CONF_POLICY_RBLS_MAX   16u /* lists that one policy asks */
#define CONF_UNDOTTED_MAX      8u  /* names in HELO that need no dot */
#define CONF_UNDOTTED_BYTES    64u /* RFC 1035: a label has 63 octets */
#define CONF_GATES_MAX	       64u
#define CONF_CERTIFICATES_MAX  32u
#define CONF_SERVICE_CERTS_MAX 8u		     /* of one service */
#define CONF_PORTS_MAX	       (2 * CONF_LISTEN_MAX) /* what conf_service_ports() may find */
#define CONF_INTERCEPT_BASE \
	28000u /* gates take intercepted connections at this + the port */
#define CONF_SYN_MAX	   1000000u /* of syn_rate and syn_burst */
#define CONF_LINE_SMALLEST 512u	    /* line-max: RFC 5321 section 4.5.3.1.4 */
#define CONF_LINE_LARGEST  12288u   /* an AUTH line, RFC 4954 section 4 */

enum service_type {
	SERVICE_SMTP,
	SERVICE_SUBMISSION,
	SERVICE_SUBMISSIONS,
	SERVICE_POP3,
	SERVICE_POP3S,
	SERVICE_IMAP,
	SERVICE_IMAPS,
	SERVICE_TCP,
	SERVICE_TYPE_COUNT,
};

enum check_mode {
	MODE_OFF,
	MODE_OBSERVE, /* log what would have happened, let it through */
	MODE_ENFORCE,
};

/* What has a mode of its own in each policy. */
enum conf_check {
	CHECK_STRIKES,	     /* LL */
	CHECK_HELO,	     /* HE */
	CHECK_PTR,	     /* PTR */
	CHECK_RBL,	     /* RBL */
	CHECK_EARLY,	     /* talks before the greeting */
	CHECK_PIPELINING,    /* commands ahead of replies, where that is not offered */
	CHECK_IMPERSONATION, /* HE: a name of ours in HELO */
	CHECK_SPF,	     /* SPF */
	CHECK_GREYLIST,	     /* GL */
	CHECK_RELAY,	     /* AR */
	CHECK_SPOOF,	     /* permit-spoofing: a local domain as the sender */
	CHECK_DOS,	     /* BAN: attempts at a denial of service */
	CHECK_COUNT,
};

/* What becomes of a client when a check that is enforced cannot be made. */
enum dns_failure {
	DNS_FAILURE_ACCEPT,
	DNS_FAILURE_DEFER, /* 451 */
};

enum spf_softfail {
	SPF_SOFTFAIL_ACCEPT,
	SPF_SOFTFAIL_REJECT,
	SPF_SOFTFAIL_GREYLIST,
};

/* Whom greylisting spares when SPF permits the client. */
enum grey_bypass {
	GREY_BYPASS_NO,
	GREY_BYPASS_CONFIRMED, /* if PTR was asked, too, and neither it nor a list is against it */
	GREY_BYPASS_YES,
};

enum rbl_type {
	RBL_BLOCK,
	RBL_ALLOW, /* its weight is taken away */
};

/* Where a client that is listed is refused. */
enum rbl_at {
	RBL_AT_RCPT,
	RBL_AT_CONNECT, /* in the place of the greeting */
};

enum client_address {
	CLIENT_ADDRESS_NONE,
	CLIENT_ADDRESS_PROXY,	    /* PROXY protocol v2 */
	CLIENT_ADDRESS_XCLIENT,	    /* Postfix */
	CLIENT_ADDRESS_TRANSPARENT, /* the backend's peer is the client's own address */
};

/* What becomes of connections to an intercepted service while no gate works. */
enum fail_mode {
	FAIL_CLOSED, /* refused: senders try again */
	FAIL_OPEN,   /* straight to the backend; the kernel still drops what it drops */
};

/* TLS towards the client. */
enum tls_mode {
	TLS_MODE_NONE,
	TLS_MODE_STARTTLS,    /* on request: STARTTLS, STLS */
	TLS_MODE_IMPLICIT,    /* from the first byte on */
	TLS_MODE_PASSTHROUGH, /* the backend's own; bytes are relayed and not looked at */
	TLS_MODE_COUNT,
};

enum tls_least {
	TLS_LEAST_1_2,
	TLS_LEAST_1_3,
	TLS_LEAST_COUNT,
};

/* TLS towards the backend. */
enum backend_tls {
	BACKEND_TLS_NONE,
	BACKEND_TLS_STARTTLS,
	BACKEND_TLS_IMPLICIT,
	BACKEND_TLS_COUNT,
};

enum bare_newline {
	BARE_NEWLINE_NORMALIZE,
	BARE_NEWLINE_REJECT,
};

enum xdp_wish {
	XDP_WISH_AUTO,
	XDP_WISH_NATIVE,
	XDP_WISH_GENERIC,
	XDP_WISH_OFF,
};

struct conf_endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

struct conf_strikes {
	uint32_t max;			/* > 0; the strike that bans */
	int64_t window_s;		/* > 0 */
	int64_t ban_time_s;		/* > 0; DURATION_FOREVER_S */
	int64_t ban_time_max_s;		/* >= ban_time_s */
	int64_t ban_memory_s;		/* repeats within it double the time; >= 0 */
	int64_t success_credit_s;	/* 0: off */
	bool repeat_credentials_ignore; /* the same user and password again count once */
};

#define CONF_GREY_DELAY_MAX_S INT64_C(86400)

struct conf_greylist {
	int64_t delay_s; /* > 0, <= CONF_GREY_DELAY_MAX_S; a retry earlier is deferred, too */
	int64_t window_s; /* > delay_s; a retry later begins anew */
	int64_t lifetime_s; /* > 0; how long who came back stays known, from its last use on */
	uint32_t auto_pass; /* successes after which a network passes; 0: never */
	uint8_t spf_bypass; /* enum grey_bypass */
};

/* A DNS list: a section of its own. */
struct conf_rbl {
	char name[CONF_NAME_MAX];
	char zone[CONF_HOST_MAX]; /* without a final dot */
	uint32_t weight;	  /* > 0 */
	uint8_t type;		  /* enum rbl_type */
	bool ipv6;		  /* it has IPv6 addresses, too */
	uint8_t reply_count;	  /* 0: every reply that a list may give */
	struct rbl_pattern replies[RBL_PATTERNS_MAX];
	int64_t timeout_s; /* > 0 */
};

struct conf_policy {
	char name[CONF_NAME_MAX];
	uint16_t id;  /* in the kernel maps; given by the keeper, < CONF_POLICY_IDS */
	bool enabled; /* off: its services are passed in the kernel and not checked */
	uint32_t types_off; /* bit 1 << service_type: switched off in this policy */
	uint8_t mode[CHECK_COUNT]; /* enum check_mode */
	uint8_t dns_failure;	   /* enum dns_failure */
	bool helo_literals_allow;  /* [192.0.2.1] is a name, too */
	uint8_t helo_undotted_count;
	char helo_undotted[CONF_UNDOTTED_MAX]
			  [CONF_UNDOTTED_BYTES]; /* names that need no dot */
	int64_t greet_delay_s;			 /* >= 0; before the greeting */
	uint8_t rbl_at;				 /* enum rbl_at */
	uint32_t rbls;		/* bit 1 << index into conf.rbls: lists that are asked */
	uint32_t rbl_threshold; /* > 0; sum of weights that makes a hit */
	bool ptr_forward_confirmed; /* the name has to lead back to the address */
	uint8_t spf_softfail;	    /* enum spf_softfail */
	bool spf_permerror_reject;
	bool spf_temperror_defer;
	bool add_headers; /* Received-SPF */
	struct conf_strikes strikes;
	struct conf_detector detectors[DETECT_COUNT];
	uint32_t syn_rate; /* connections that one client may begin in a second; 0: any */
	uint32_t syn_burst;  /* > 0; and at once, after a quiet time */
	int64_t am_window_s; /* a login counts so long (AM); >= 0 */
	struct conf_greylist greylist;
};

/* PEM files, read by the keeper. */
struct conf_certificate {
	char name[CONF_NAME_MAX];
	char chain[CONF_PATH_MAX];
	char key[CONF_PATH_MAX];
};

struct conf_service {
	char name[CONF_NAME_MAX];
	uint8_t type;		/* enum service_type */
	uint8_t policy;		/* index into conf.policies */
	uint8_t client_address; /* enum client_address */
	uint8_t bare_newline;	/* enum bare_newline */
	bool apop;		/* POP3: connect at once for the timestamp of APOP */
	uint32_t sessions_per_client_max; /* of one client at this service */
	char aa_login[AUTH_USER_MAX];	  /* XCLIENT LOGIN for AA; "": none */
	bool accept_proxy;		  /* a trusted proxy begins with a PROXY header */
	bool intercept; /* nftables leads ports to listen, which is on loopback; no backend: where the client went */
	uint8_t fail_mode;     /* enum fail_mode, of an intercepted service */
	uint8_t listen_count;  /* 0 for SERVICE_TCP */
	uint8_t backend_count; /* 0 for SERVICE_TCP */
	uint8_t port_count;    /* SERVICE_TCP: guarded ports; others: from listen */
	struct conf_endpoint listen[CONF_LISTEN_MAX];
	struct conf_endpoint backend[CONF_BACKENDS_MAX];
	uint16_t ports[CONF_LISTEN_MAX]; /* guarded in the kernel */
	uint8_t tls;			 /* enum tls_mode */
	uint8_t tls_min;		 /* enum tls_least */
	bool require_tls_for_auth;	 /* false if tls is none or passthrough */
	uint8_t certificate_count;	 /* > 0 if tls is starttls or implicit */
	uint8_t certificates[CONF_SERVICE_CERTS_MAX]; /* indexes into conf.certificates */
	uint8_t backend_tls;			      /* enum backend_tls */
	bool backend_verify;
	char backend_ca[CONF_PATH_MAX];		 /* PEM file */
	char backend_verify_name[CONF_HOST_MAX]; /* set if verified */
};

/* Each is a setting of `limits { }`, of the same name with dashes. */
struct conf_limits {
	uint32_t sessions_max;		  /* all gates together */
	uint32_t sessions_per_client_max; /* IPv4 address, IPv6 /64 */
	uint32_t
		line_max_bytes; /* RFC 5321 4.5.3.1.4 asks for 512; extensions for more */
	uint32_t errors_max; /* postern's own 4xx and 5xx, unknown verbs: in a session */
	uint32_t commands_max;	      /* commands in a session that deliver nothing */
	uint32_t bans_max;	      /* exact bans in the kernel */
	uint32_t strikes_clients_max; /* clients whose strikes are remembered */
	uint32_t dos_clients_max;     /* clients whose doings are counted, in each gate */
	uint32_t dns_cache_entries;   /* answers of the DNS that are kept */
	uint32_t am_clients_max;      /* clients whose last login is remembered */
	uint32_t triplets_max;	      /* of greylisting, with networks that pass */
	uint32_t routes_max;	      /* rows of the routing table */
	int64_t greeting_timeout_s;   /* from connect to a valid EHLO */
	int64_t command_timeout_s;    /* RFC 5321 4.5.3.2.7: 5 min */
	int64_t data_timeout_s;	      /* each read while in DATA; 4.5.3.2.5: 3 min */
	int64_t data_end_timeout_s; /* backend's reply to the last dot; 4.5.3.2.6: 10 min */
	int64_t backend_connect_timeout_s; /* each address */
	int64_t backend_reply_timeout_s;   /* 4.5.3.2: 5 min */
	int64_t session_time_max_s;	   /* one session in all */
	int64_t login_timeout_s;	   /* POP3, IMAP: from connect to a login */
	int64_t imap_idle_timeout_s;	   /* logged in; RFC 9051 section 5.4: 30 min */
	int64_t pop3_idle_timeout_s;	   /* logged in; RFC 1939 section 3: 10 min */
	int64_t shutdown_grace_s;	   /* sessions in DATA may end */
	int64_t check_timeout_s;	   /* all checks of a connection together */
	int64_t handover_grace_s; /* sessions of a program that another has replaced */
	int64_t proxy_header_timeout_s; /* for a trusted proxy to say its header */
	int64_t dns_ttl_min_s;	     /* an answer of the DNS is kept at least so long, */
	int64_t dns_ttl_max_s;	     /* and at most so long */
	uint32_t tls_handshakes_max; /* begun in a second, all gates together */
	uint32_t tls_handshakes_per_client_max; /* begun in a minute */
	int64_t tls_handshake_timeout_s;
	int64_t tls_ticket_rotation_s; /* a key makes tickets for so long */
	int64_t greylist_timeout_s;    /* the ledger's word on one recipient */
};

struct conf {
	uint32_t abi;		      /* CONF_ABI; the child is of the same program */
	uint64_t generation;	      /* 1, 2, ... with each load */
	char hostname[CONF_HOST_MAX]; /* in the banner */
	char state_dir[CONF_PATH_MAX];
	char run_dir[CONF_PATH_MAX];
	char pin_dir[CONF_PATH_MAX];
	char local_domains_file[CONF_PATH_MAX]; /* ""; where text_row.origin says so */
	char routes_file[CONF_PATH_MAX];	/* the same */
	char interfaces[CONF_INTERFACES_MAX][16];
	uint8_t interface_count;
	uint8_t xdp;   /* enum xdp_wish */
	uint8_t gates; /* >= 1; 0 only from conf_init(): one a core, says proc/config */
	uint8_t log_level; /* enum log_level of base/log.h */
	uint8_t policy_count;
	uint8_t service_count;
	uint8_t list_count;
	uint8_t certificate_count;
	uint8_t never_ban_count;
	uint8_t trusted_proxy_count;
	uint8_t dns_count;
	uint8_t rbl_count;
	bool want_open_relay;
	struct conf_policy policies[CONF_POLICIES_MAX];
	struct conf_service services[CONF_SERVICES_MAX];
	struct conf_rbl rbls[CONF_RBLS_MAX];
	struct conf_certificate certificates[CONF_CERTIFICATES_MAX];
	char lists[CONF_LISTS_MAX][CONF_PATH_MAX]; /* prefix_row.origin is the index */
	struct prefix never_ban[CONF_NEVER_BAN_MAX];
	struct prefix trusted_proxies[CONF_PROXIES_MAX]; /* they tell who the client is */
	struct conf_endpoint
		dns[CONF_DNS_MAX]; /* none: resolv.conf, read by the keeper */
	struct conf_limits limits;
};

#define CONF_ABI 3u

/**
 * conf_init - all defaults; no policy, service or interface, and no hostname.
 * @conf: written whole, padding included; the unused policies and services have their
 * defaults, so that a new one only needs what is set
 */
void conf_init(struct conf *conf);

/* Defaults of one policy, of one service. conf_init() has done so for all. */
void conf_policy_init(struct conf_policy *policy);
void conf_service_init(struct conf_service *service);
void conf_rbl_init(struct conf_rbl *rbl);

const char *service_type_name(enum service_type type);
/* Mail is handed in there. */
bool service_type_is_smtp(enum service_type type);
/* POP3 and IMAP: a login there opens a mailbox. */
bool service_type_is_mailbox(enum service_type type);
/* -1 if unknown. */
int service_type_from_name(const char *name);
uint16_t service_type_port(enum service_type type); /* 25, 587, ...; 0 for tcp */
const char *check_mode_name(enum check_mode mode);
const char *conf_check_name(enum conf_check check);

/* What a service of this type does when nothing is said. */
enum tls_mode service_type_tls(enum service_type type);
/* Does one log in at a service of this type? */
bool service_type_has_login(enum service_type type);

/* Does the gate itself speak TLS with the clients of this service? */
bool conf_service_has_tls(const struct conf_service *service);

/* Index of the policy, service or DNS list of this name; -1. */
int conf_policy_find(const struct conf *conf, const char *name);
int conf_service_find(const struct conf *conf, const char *name);
int conf_rbl_find(const struct conf *conf, const char *name);
int conf_certificate_find(const struct conf *conf, const char *name);
/* The policy with this kernel id; NULL. */
const struct conf_policy *conf_policy_by_id(const struct conf *conf, uint16_t id);

/* Is this the address of a trusted proxy? */
bool conf_trusts_proxy(const struct conf *conf, const struct addr *addr);

/* Is the service guarded: its policy enabled, and its type not switched off in it? */
bool conf_service_is_on(const struct conf *conf, const struct conf_service *service);

/* Is there a service whose packets need marks and routes of ours: intercepted or transparent? */
bool conf_wants_intercept(const struct conf *conf);

/**
 * conf_service_ports - what a service guards in the kernel: `ports` and those of `listen`.
 * @out_ports: each once
 *
 * Return: how many.
 */
size_t conf_service_ports(const struct conf_service *service,
			  uint16_t out_ports[CONF_PORTS_MAX]);

#define CONF_PROBLEM_MAX 256u

/**
 * conf_validate - the checks that span settings.
 * @conf: complete
 * @out_problem: one sentence: which setting, its value, what would be right
 *
 * Return: 0; -EINVAL with @out_problem written.
 */
int conf_validate(const struct conf *conf, char out_problem[CONF_PROBLEM_MAX]) MUST_CHECK;

#endif
