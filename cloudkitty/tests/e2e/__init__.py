# SPDX-License-Identifier: Apache-2.0
"""Whole processes, real servers."""
