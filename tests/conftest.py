"""The same tests give the same result: generated examples are random only where that is asked for (`make fuzz`)."""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile("random" if os.environ.get("YETT_RANDOM") else "repeatable")
