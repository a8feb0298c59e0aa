# SPDX-License-Identifier: Apache-2.0
"""Callables for WSGI servers."""
