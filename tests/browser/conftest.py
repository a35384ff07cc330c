import os

import browser
import pytest


@pytest.fixture(scope="session")
def chromium():
    """Chromium; where it is not installed the tests are skipped, or fail if somebody has said that it must be there."""
    missing = [name for name, found in zip(("chromium", "chromedriver"), browser.commands(), strict=True) if not found]
    if missing:
        told = f"{' and '.join(missing)} not installed: apt-get install chromium chromium-driver"
        if os.environ.get(browser.REQUIRED) == "required":
            pytest.fail(f"{told} ({browser.REQUIRED}=required)")
        pytest.skip(told)
    opened = browser.Browser()
    yield opened
    opened.close()
