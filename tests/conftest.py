"""Settings for the whole suite; imports neither torch nor gradio, so that parts of it start at once."""

import os

# Before torch is imported anywhere: two threads that wait for each other make tiny models slower, not faster.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test reaches out but those marked `network`.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
