# SPDX-License-Identifier: Apache-2.0
"""Options of ``[DEFAULT]``."""

import socket

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.StrOpt(
        "api_paste_config",
        default="api_paste.ini",
        help="Paste file with the pipelines of the API. A relative name is searched where "
        "configuration files are.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        choices=["noauth", "keystone", "http_basic"],
        default="keystone",
        help="Who says who a caller is. 'http_basic': names and passwords of an htpasswd file, see "
        "[oslo_middleware] http_basic_auth_user_file and [api] http_basic_user. 'noauth' lets "
        "everybody in as administrator: only for a service that nobody else can reach.",
    ),
    cfg.HostAddressOpt(
        "host",
        default=socket.getfqdn(),
        sample_default="<your_hostname>",
        help="Name of this host towards the message bus.",
    ),
]
