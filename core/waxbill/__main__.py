"""``python -m waxbill``."""

import sys

from .cli import main

sys.exit(main())
