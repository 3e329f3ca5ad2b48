"""`python -m app.commands`."""

import sys

from app.commands.main import main

sys.exit(main())
