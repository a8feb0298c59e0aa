# SPDX-License-Identifier: Apache-2.0
"""Console scripts, one module each."""

import warnings

# A library of a library tries whether eventlet is there, which complains when it is: before any of
# it is imported, and not on what people read.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
