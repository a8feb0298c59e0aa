# SPDX-License-Identifier: Apache-2.0
"""What an operator can set, in groups of the plug-ins' own."""

from oslo_config import cfg

OPTIONS = {
    "acme_prices": [
        cfg.DictOpt(
            "prices",
            default={},
            help="Metric and price of one unit for one period: disk:0.0001,instance:0.044.",
        ),
    ],
    "collector_acme": [
        cfg.StrOpt(
            "meters",
            default="/var/lib/acme/meters.csv",
            help="The file that the meters write, CSV with the columns begin, metric and value.",
        ),
    ],
    "fetcher_acme": [
        cfg.StrOpt(
            "customers",
            default="/var/lib/acme/customers.csv",
            help="The file with the customers, CSV with the columns id and left.",
        ),
    ],
    "storage_acme": [
        cfg.StrOpt(
            "directory",
            default="/var/lib/acme/rated",
            help="Where rated periods are kept, a file for each.",
        ),
    ],
}


def list_opts():
    """Say which options there are; for samples (entry point ``oslo.config.opts``)."""
    return list(OPTIONS.items())


def group(name):
    """Give the values of a group; plug-ins are made when the configuration has been read."""
    cfg.CONF.register_opts(OPTIONS[name], group=name)
    return cfg.CONF[name]
