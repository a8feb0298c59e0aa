# SPDX-License-Identifier: Apache-2.0
"""Checks on attributes that rules of several modules have."""
