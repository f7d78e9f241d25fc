"""Run the command line as `python -m napari_fashion`."""

import signal
import sys

# Until a handler is installed, Ctrl+C ends the process without a traceback.
_handler = signal.signal(signal.SIGINT, signal.SIG_DFL)

from napari_fashion.cli import main  # noqa: E402

signal.signal(signal.SIGINT, _handler)
sys.exit(main())
