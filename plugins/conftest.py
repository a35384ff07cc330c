"""The tests of plugins, run in this checkout, take the same care as those of the kernel; alone, from a wheel, each needs none of this."""

import compiled
import effort

__all__ = ["compiled", "effort"]
