# SPDX-License-Identifier: Apache-2.0
"""Talking to Prometheus: its query language and its HTTP API, for collector and fetcher alike."""
