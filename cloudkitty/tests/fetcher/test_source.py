# SPDX-License-Identifier: Apache-2.0
"""Scopes from the configuration."""

from oslo_config import fixture as cfg_fixture

from cloudkitty.fetcher.base import get_fetcher


def test_each_once_in_their_order(conf: cfg_fixture.Config) -> None:
    conf.config(backend="source", group="fetcher")
    conf.config(sources=["b", "a", "", "b"], group="fetcher_source")
    fetcher = get_fetcher(conf.conf)
    assert fetcher.name == "source"
    assert fetcher.get_tenants() == ["b", "a"]


def test_none(conf: cfg_fixture.Config) -> None:
    conf.config(backend="source", group="fetcher")
    assert get_fetcher(conf.conf).get_tenants() == []
