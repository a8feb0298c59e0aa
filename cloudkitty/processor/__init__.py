# SPDX-License-Identifier: Apache-2.0
"""The processor daemon: decides what is due, collects, rates, stores."""
