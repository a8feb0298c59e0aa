# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: pipeline and root in ``app``, versions in ``v1`` and ``v2`` (contract api.md)."""
