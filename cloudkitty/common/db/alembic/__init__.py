# SPDX-License-Identifier: Apache-2.0
"""Alembic helpers for plugins with migrations of their own (contract rating.md 2.2)."""
