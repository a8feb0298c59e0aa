# SPDX-License-Identifier: Apache-2.0
"""Fetchers say which scopes exist."""

from cloudkitty.fetcher.base import BaseFetcher

__all__ = ["BaseFetcher"]
