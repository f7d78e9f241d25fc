from __future__ import annotations

import pytest

from miniatures import lay_out


@pytest.fixture(scope="session")
def formats(tmp_path_factory):
    """Folder of the miniature data sets, with pictures; not to be changed."""
    return lay_out(tmp_path_factory.mktemp("convert") / "formats")
