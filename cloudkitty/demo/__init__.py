# SPDX-License-Identifier: Apache-2.0
"""A make-believe cloud to try the product on: ``python -m cloudkitty.demo``.

It answers like a Prometheus server that has scraped 20 projects every minute since the beginning
of last month. Everything follows from a seed and the time asked about: two runs tell the same.
"""
