"""`python -m acr_lightning` is `acr`."""

import sys

from acr_lightning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
