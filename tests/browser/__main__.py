"""Looks at every page of a site in a real browser: ``python tests/browser build/docs --shots build/shots``.

It exits with 1 where an error stands in the console of a page, something is asked of the network, or an element is wider than
the page at 390 or 1,280 pixels and does not scroll.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browser import WIDTHS, Browser


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder of HTML pages")
    parser.add_argument("--shots", type=Path, help="folder for a picture of each page")
    parser.add_argument("--only", default="**/*.html", help="which pages, as a pattern")
    options = parser.parse_args()
    found = sorted(options.site.resolve().glob(options.only))
    pages = [page for page in found if "_static" not in page.parts]  # what the theme keeps there are no pages
    browser = Browser()
    try:
        wrong = [page for page in pages if report(browser, page, options)]
    finally:
        browser.close()
    print(f"{len(pages)} pages at {' and '.join(map(str, WIDTHS))} pixels: {len(wrong)} of them are not right")
    return 1 if wrong or not pages else 0


def report(browser: Browser, page: Path, options: argparse.Namespace) -> bool:
    """Print what is wrong with a page, and return whether anything is."""
    name = page.relative_to(options.site.resolve()).with_suffix("").as_posix()

    def shot(width: int, _: str) -> Path:
        return Path(options.shots, f"{name.replace('/', '-')}-{width}.png")

    seen = browser.look(page.as_uri(), schemes=("light",), shots=shot if options.shots else None)
    wrong = [
        *(f"console: {line}" for line in seen.console),
        *(f"network: {url}" for url in seen.requests if not url.startswith("file://")),
        *(f"wide {element}" for element in seen.wide[:10]),
    ]
    for line in wrong:
        print(f"{name}: {line}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
