# SPDX-License-Identifier: Apache-2.0
"""Options of ``[api]``."""

from oslo_config import cfg

GROUP = "api"

OPTS = [
    cfg.PortOpt("port", default=8889, help="Port that the cloudkitty-api command listens on."),
    cfg.IntOpt(
        "workers",
        min=1,
        default=2,
        help="Number of processes that the cloudkitty-api command serves with.",
    ),
    cfg.MultiStrOpt(
        "http_basic_user",
        default=[],
        help="With auth_strategy = http_basic: project and roles of a user, as 'NAME PROJECT "
        "ROLE[,ROLE...]'; - for no project. Once for each user.",
    ),
    cfg.IntOpt(
        "idempotency_key_lifetime",
        min=1,
        default=86400,
        help="How long, in seconds, an Idempotency-Key of POST /v2/dataframes is remembered.",
    ),
    cfg.IntOpt(
        "max_request_body_size",
        min=0,
        default=128 * 1024**2,
        help="Most bytes that the body of a request may have; 0: no limit.",
    ),
    cfg.IntOpt(
        "max_page_size",
        min=0,
        default=0,
        help="Most results that the parameter limit of GET /v2/summary and GET /v2/dataframes may "
        "ask for; 0: no limit. Calls of v1 have no pages.",
    ),
    cfg.IntOpt(
        "max_explained_points",
        min=1,
        default=100,
        help="Most points that the parameter limit of GET /v2/dataframes may ask for with "
        "explain=true: each of them is rated again, scripts included.",
    ),
    cfg.IntOpt(
        "max_groupby_keys",
        min=0,
        default=0,
        help="Most keys that the parameter groupby of GET /v2/summary may have; 0: no limit.",
    ),
    cfg.IntOpt(
        "max_groupby_rows",
        min=0,
        default=0,
        help="Most rows, over all pages, that the parameter groupby of GET /v2/summary and "
        "GET /v1/report/summary may lead to; 0: no limit.",
    ),
    cfg.IntOpt(
        "max_interval_days",
        min=0,
        default=0,
        help="Most days from begin to end in GET /v2/summary, GET /v2/dataframes, "
        "GET /v1/report/total, GET /v1/report/summary and GET /v1/storage/dataframes; 0: no limit.",
    ),
    cfg.BoolOpt(
        "pecan_debug",
        default=False,
        help="Pecan's debug page for errors of API v1. Shows source code: never on a network.",
    ),
]
