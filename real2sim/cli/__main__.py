"""`python -m real2sim.cli`."""

import sys

from real2sim.cli import main

sys.exit(main())
