"""The studio as a Space with the Gradio SDK: `app_file: space.py` (docs/hosting.md)."""

import os
import sys
from importlib.util import find_spec

if find_spec("spaces"):
    import spaces  # noqa: F401  # pyright: ignore[reportMissingImports]  # before torch: on ZeroGPU it must be the first to see CUDA

os.environ.setdefault("HOST", "0.0.0.0")

from app.main import main

sys.exit(main())
