# SPDX-License-Identifier: Apache-2.0
"""Storages: where rated data frames are kept."""

from cloudkitty.storage.base import get_storage

__all__ = ["get_storage"]
