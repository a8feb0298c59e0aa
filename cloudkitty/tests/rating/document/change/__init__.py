# SPDX-License-Identifier: Apache-2.0
"""Tests of what makes the rules in use those of a document."""
