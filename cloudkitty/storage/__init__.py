# SPDX-License-Identifier: Apache-2.0
"""Storages: where rated data frames are kept."""

from cloudkitty.storage.base import get_storage
from cloudkitty.storage.errors import NoTimeFrame

__all__ = ["NoTimeFrame", "get_storage"]
