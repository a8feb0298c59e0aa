# SPDX-License-Identifier: Apache-2.0
"""What stored usage would have cost under a draft of rules.

``chain`` says which modules rate, by the draft's rules or by present ones. Where that is hashmap
alone, ``sums`` works on what the storage knows of each series (``exact`` says when that gives the
same as point by point); any other module sees all points again (``pointwise``). ``groups`` adds up
what is shown. ``run`` is the way in.
"""

from cloudkitty.simulation.chain import UnusableError, check
from cloudkitty.simulation.run import Outcome, SimulationError, simulate

__all__ = ["Outcome", "SimulationError", "UnusableError", "check", "simulate"]
