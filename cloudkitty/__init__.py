# SPDX-License-Identifier: Apache-2.0
"""CloudKitty: collects what every scope used, rates it, stores it and answers questions on it."""
