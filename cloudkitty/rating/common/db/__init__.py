# SPDX-License-Identifier: Apache-2.0
"""Columns that rules of several modules have, and how to filter by them."""
