"""Property tests: the same examples every time, and no file left behind."""

from hypothesis import settings

settings.register_profile("unit", max_examples=40, deadline=None, derandomize=True, database=None)
settings.load_profile("unit")
