"""Run the command line as `python -m napari_fashion`."""

from napari_fashion.cli import main
import sys

sys.exit(main())
