"""The decisions read as one story: each has the same form, and those that change each other say so on both sides."""

import re
from pathlib import Path

import pytest
from pages import DOCS

FOLDER = DOCS / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
INDEX = (FOLDER / "README.md").read_text()
SECTIONS = ["Context", "Decision", "Consequences", "Measurements"]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def status_of(decision):
    return re.search(r"^- \*\*Status:\*\* (.*?)(?=^- \*\*)", decision.read_text(), flags=re.MULTILINE | re.DOTALL)[1]


def title_of(decision):
    return re.match(r"# (\d+)\. (.+)\n", decision.read_text()).groups()


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
class TestEachDecision:
    def test_has_the_form(self, decision):
        text = decision.read_text()
        assert int(title_of(decision)[0]) == int(decision.name[:4])
        assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == SECTIONS
        assert re.search(r"^- \*\*Date:\*\* \d{4}-\d{2}-\d{2}$", text, flags=re.MULTILINE)
        assert re.match(r"accepted|superseded", status_of(decision))

    def test_is_linked_back_by_those_that_its_status_names(self, decision):
        named = {link for link in LINK.findall(status_of(decision)) if link in {other.name for other in DECISIONS}}
        assert [other for other in named if f"]({decision.name})" not in (FOLDER / other).read_text()] == []

    def test_is_in_both_lists(self, decision):
        by_topic, _, by_number = INDEX.partition("## By number")
        number, title = title_of(decision)
        assert f"({decision.name})" in by_topic
        assert (
            f"| {number} | [{title}]({decision.name}) | {re.match(r'accepted|superseded', status_of(decision))[0]}"
            in by_number
        )

    def test_leads_to_files_that_exist(self, decision):
        links = [link for link in LINK.findall(decision.read_text()) if not link.startswith("http")]
        assert [link for link in links if not Path(FOLDER, link).exists()] == []
