"""`python -m ride` is the command `ride`."""

import sys

from ride.cli.main import main

sys.exit(main())
