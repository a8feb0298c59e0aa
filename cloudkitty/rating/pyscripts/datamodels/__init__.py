# SPDX-License-Identifier: Apache-2.0
"""Scripts on the wire (contract api.md 8)."""
