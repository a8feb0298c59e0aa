# SPDX-License-Identifier: Apache-2.0
"""Label joins: labels of usage that another source has (``joins`` in metrics.yml).

``schema`` reads the definitions, ``base`` says what a source of labels is, ``prometheus``,
``keystone`` and ``gnocchi`` are those there are, ``collector`` puts them around any collector.
"""
