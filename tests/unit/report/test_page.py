"""The page: complete, escaped, and in need of nothing beside itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from scorer.report import page, picture
from scorer.report.result import RunResult
from unit.report.conftest import MakeSensor

VOID = {"meta", "br", "img", "link"}


class Balance(HTMLParser):
    """Refuses tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_shows_each_sensor(run: RunResult) -> None:
    text = page.render(run)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert text.count("<figure>") == len(run.sensors)
    assert text.count('class="anomaly"') == run.anomalies


def test_page_loads_nothing(run: RunResult) -> None:
    text = page.render(run)
    assert re.findall(r"(https?:|//|src=|href=|url\(|@import|<script)", text) == []


def test_what_users_named_is_escaped(run: RunResult) -> None:
    text = page.render(replace(run, name="<b>&"))
    assert "<title>&lt;b&gt;&amp;</title>" in text
    assert "there is no model &lt;yet&gt;" in text


def test_faults_are_shown_with_their_verdict(run: RunResult) -> None:
    text = page.render(run)
    assert "3 of 4" in text
    assert '<td class="text good">found</td>' in text
    assert '<td class="text bad">missed</td>' in text


def test_without_faults_the_page_does_not_speak_of_them(run: RunResult) -> None:
    assert "injected" not in page.render(replace(run, faults=())).lower()


def test_of_too_many_sensors_it_says_that_it_shows_the_worst(run: RunResult, sensor: MakeSensor) -> None:
    many = tuple(sensor(f"s{number}", readings=5) for number in range(picture.PANELS + 1))
    text = page.render(replace(run, sensors=many, faults=()))
    assert text.count("<figure>") == picture.PANELS
    assert "Of 61 sensors, the 60 that most need a look" in text
