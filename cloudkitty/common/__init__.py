# SPDX-License-Identifier: Apache-2.0
"""Import paths that plugins, paste files and generators outside use; nothing of ours does.

Each module names where the thing itself lives (contract rating.md 2.2, config.md 5).
"""
