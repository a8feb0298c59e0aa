# SPDX-License-Identifier: Apache-2.0
"""Options of ``[fetcher_keystone]``."""

from oslo_config import cfg

GROUP = "fetcher_keystone"

#: What every section has that names credentials for Keystone (contract config.md 2.1). The names
#: are those of keystoneauth. What the authentication plugin wants is registered when it is built.
SESSION_OPTS = [
    cfg.StrOpt("cafile", help="CA bundle for the certificates of Keystone and of the service."),
    cfg.StrOpt("certfile", help="Client certificate, as PEM."),
    cfg.StrOpt("keyfile", help="Key of the client certificate, as PEM."),
    cfg.BoolOpt(
        "insecure",
        default=False,
        help="Do not verify certificates; without effect when cafile is set.",
    ),
    cfg.FloatOpt(
        "timeout",
        min=0,
        help="Seconds to wait for a connection and for each piece of an answer; 0: no limit. By "
        "default 60.",
    ),
    cfg.BoolOpt("collect-timing", default=False, help="Log how long each request has taken."),
    cfg.BoolOpt(
        "split-loggers",
        default=False,
        help="Log the parts of requests and answers to loggers of their own (keystoneauth.session."
        "request, .response, .body, .request-id).",
    ),
    cfg.StrOpt(
        "tls-ciphers",
        help="Ciphers that TLS may use, as OpenSSL names them. By default those of the library.",
    ),
    cfg.StrOpt(
        "tls-min-version",
        choices=["1.2", "1.3"],
        help="Lowest version of TLS. By default what the system allows.",
    ),
    cfg.StrOpt(
        "auth_type",
        deprecated_name="auth_plugin",
        help="How to log in at Keystone: a plugin of keystoneauth, for example password or "
        "v3applicationcredential. Its own options belong to the same section.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="Section that has auth_type and the options of the plugin, if it is not this one. "
        "Options about TLS, time and logs are taken from there too when they are not set here.",
    ),
]

OPTS = [
    cfg.StrOpt("keystone_version", default="3", help="Version of the Identity API: 3."),
    cfg.BoolOpt(
        "ignore_rating_role",
        default=False,
        help="Take every project, also those on which the user has no role named rating.",
    ),
    cfg.BoolOpt("ignore_disabled_tenants", default=False, help="Leave disabled projects out."),
    *SESSION_OPTS,
]
