# SPDX-License-Identifier: Apache-2.0
"""The files of ``etc/cloudkitty`` against a Prometheus that has what the exporters give."""
