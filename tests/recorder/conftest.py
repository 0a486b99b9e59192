import os
import re

import pytest


@pytest.fixture(autouse=True)
def _no_key_of_ones_own(monkeypatch):
    """No test sees keys or proxies of whoever runs it."""
    for name in list(os.environ):
        if re.search("openai|proxy", name, re.IGNORECASE):
            monkeypatch.delenv(name)
