# SPDX-License-Identifier: Apache-2.0
"""What the hashmap calls take and give, one module per kind of object (contract api.md 7)."""
