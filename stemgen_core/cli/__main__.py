"""`python -m stemgen_core.cli`."""

import sys

from stemgen_core.cli.main import main

sys.exit(main())
