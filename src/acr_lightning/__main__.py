"""`python -m acr_lightning` is `acr`."""

import sys
from pathlib import Path

# `python -m` puts the working folder before everything else, whoever's it is; `acr` does not.
if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parents[1]:
    del sys.path[0]

from acr_lightning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
