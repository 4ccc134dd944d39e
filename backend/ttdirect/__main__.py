"""`python -m ttdirect`, the same as the command `ttdirect`."""

import sys

from ttdirect.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
