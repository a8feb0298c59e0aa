# SPDX-License-Identifier: Apache-2.0
"""What rating modules share: names that out-of-tree modules import (contract rating.md 2.2)."""
