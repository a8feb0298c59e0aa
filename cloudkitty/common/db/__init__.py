# SPDX-License-Identifier: Apache-2.0
"""Database helpers for plugins with tables of their own (contract rating.md 2.2)."""
