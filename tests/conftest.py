"""What all tests share."""

import os

from hypothesis import settings

# In CI the same examples each time, so that a red run is about the change; elsewhere new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
