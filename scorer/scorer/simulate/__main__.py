"""`python -m scorer.simulate`."""

from __future__ import annotations

import sys

from scorer.simulate.cli import main

sys.exit(main())
