"""What all tests share."""

import os

from hypothesis import settings

# The same examples each time, so that a red run is about the change; new ones when asked for.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
