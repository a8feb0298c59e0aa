# SPDX-License-Identifier: Apache-2.0
"""The REST calls of hashmap."""
