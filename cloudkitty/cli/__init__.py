# SPDX-License-Identifier: Apache-2.0
"""Console scripts, one module each."""
