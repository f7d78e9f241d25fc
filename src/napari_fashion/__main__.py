"""Run the command line as `python -m napari_fashion`."""

import sys

from napari_fashion.cli import main

sys.exit(main())
