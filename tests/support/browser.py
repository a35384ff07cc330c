"""A real browser that looks at pages: what stands in its console, what it asks the network for, what is too wide or too pale."""

import base64
import itertools
import json
import shutil
import tempfile
from pathlib import Path

from attrs import frozen
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

REQUIRED = "BROWSER_TESTS"
"""Environment variable: "required" lets the tests of this folder fail, and not be skipped, where no browser is."""

WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

_BAD = ("SEVERE", "WARNING")

_TOO_WIDE = """
const page = document.documentElement.clientWidth, found = [];
if (document.documentElement.scrollWidth > page) found.push(`the page scrolls to ${document.documentElement.scrollWidth}`);
for (const element of document.querySelectorAll('body *')) {
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || box.right <= page + 1) continue;
  let scrolls = false;
  for (let above = element.parentElement; above && above !== document.body; above = above.parentElement)
    scrolls ||= getComputedStyle(above).overflowX !== 'visible' && above.getBoundingClientRect().right <= page + 1;
  if (!scrolls) found.push(`${element.tagName} ${element.className} to ${Math.round(box.right)}: ${element.textContent.trim().slice(0, 60)}`);
}
return found;
"""

_TOO_PALE = """
const number = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const color = number(getComputedStyle(at).backgroundColor);
    if (at.namespaceURI.endsWith('svg')) continue;
    if (color.length === 3 || color[3] > 0.99) return color;
  }
  return [255, 255, 255];
};
const found = new Set();
for (const element of document.querySelectorAll(arguments[0])) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || ['title', 'desc', 'style'].includes(element.localName)) continue;
  const style = getComputedStyle(element);
  const a = light(number(element.localName === 'text' ? style.fill : style.color)), b = light(behind(element));
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) found.add(`${contrast.toFixed(2)} ${element.localName} ${element.textContent.trim().slice(0, 40)}`);
}
return [...found];
"""


@frozen
class Seen:
    """What a browser saw of a page.

    Attributes
    ----------
    console
        Errors and warnings in its console.
    requests
        URLs that it asked for, but for the page itself.
    wide
        Elements that reach beyond the page, and do not scroll.
    pale
        Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3).
    """

    console: list[str]
    requests: list[str]
    wide: list[str]
    pale: list[str]


def commands():
    """Return the browser and its driver; None for what is not installed."""
    return shutil.which("chromium"), shutil.which("chromedriver")


class Browser:
    """Chromium without a window, with a profile of its own that is thrown away."""

    def __init__(self):
        chromium, driver = commands()
        self._profile = tempfile.TemporaryDirectory(prefix="zcollection-browser-", ignore_cleanup_errors=True)
        options = Options()
        options.binary_location = chromium
        for argument in (*_ARGUMENTS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(executable_path=driver))

    def close(self):
        self.driver.quit()
        self._profile.cleanup()

    def set(self, *, width, scheme, height=900, media=""):
        """Choose how wide the page is, and whether its reader likes it light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def look(self, url, *, widths=WIDTHS, schemes=SCHEMES, shots=None):
        """Load a page and return what is seen of it at each width, light and dark.

        `shots` is called with a width and a scheme, and returns the file for a picture of the whole page.
        """
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.set(width=widths[0], scheme=schemes[0])
        self.driver.get(url)
        wide, pale = [], []
        for width, scheme in itertools.product(widths, schemes):
            self.set(width=width, scheme=scheme)
            at = f"at {width}, {scheme}: "
            wide += [at + found for found in self.driver.execute_script(_TOO_WIDE)]
            pale += [at + found for found in self.driver.execute_script(_TOO_PALE, ".zc, .zc *")]
            if shots is not None:
                self.shoot(shots(width, scheme), width=width, scheme=scheme)
        asked = [other for other in self._requests() if other != url and not other.startswith(("data:", "chrome:"))]
        console = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in _BAD]
        return Seen(console, asked, wide, pale)

    def shoot(self, path, *, width, scheme):
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        self.set(width=width, scheme=scheme, height=max(height, 200))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))

    def printed(self):
        """Return the page as it is printed: the bytes of a PDF."""
        found = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
        return base64.b64decode(found["data"])

    def _requests(self):
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]
