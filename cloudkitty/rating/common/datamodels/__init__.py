# SPDX-License-Identifier: Apache-2.0
"""Attributes on the wire that rules of several modules have."""
