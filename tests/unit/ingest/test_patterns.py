"""Stream Analytics' path patterns: what each is in our tokens, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_fleet import told
from scorer.ingest.checks import SettingsError
from scorer.ingest.landing import AUTO, PER_SENSOR, SHARDED, Landing
from scorer.ingest.patterns import translated
from scorer.ingest.places import dated
from scorer.ingest.service_settings import CONNECTION, service_settings

HOUR = 490_932  # 2026-01-02 12:00


def landing(**given: Any) -> Landing:
    return service_settings(told(landing=given), {CONNECTION: "Endpoint=sb://x/"}).landing


@pytest.mark.parametrize(
    ("pattern", "date", "ours"),
    [
        ("cluster1/logs/{date}/{time}", None, "cluster1/logs/{yyyy}/{MM}/{dd}/{HH}"),
        ("{date}/{time}", "YYYY/MM/DD", "{yyyy}/{MM}/{dd}/{HH}"),
        ("{date}/{time}", "yyyy/MM/dd", "{yyyy}/{MM}/{dd}/{HH}"),
        ("{date}/{time}", "DD/MM/YYYY", "{dd}/{MM}/{yyyy}/{HH}"),
        ("{date}/{time}", "MM/DD/YYYY", "{MM}/{dd}/{yyyy}/{HH}"),
        ("{date}/{time}", "YYYY-MM-DD", "{yyyy}-{MM}-{dd}/{HH}"),
        ("{date}/{time}", "MM-DD-YYYY", "{MM}-{dd}-{yyyy}/{HH}"),
        ("{date}-{time}", "YYYYMMDD", "{yyyy}{MM}{dd}-{HH}"),
        (
            "year={datetime:yyyy}/month={datetime:MM}/day={datetime:dd}/hour={datetime:HH}",
            None,
            "year={yyyy}/month={MM}/day={dd}/hour={HH}",
        ),
        ("{date}/{datetime:HH}", None, "{yyyy}/{MM}/{dd}/{HH}"),
        ("{date}/{time}/{sensor}", None, "{yyyy}/{MM}/{dd}/{HH}/{sensor}"),
        ("readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv", None, "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.csv"),
        ("", None, ""),
    ],
)
def test_patterns_in_our_tokens(pattern: str, date: str | None, ours: str) -> None:
    assert translated(pattern, date) == ours


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"path": "{date}/{time}", "dateFormat": "YYYY/DD"},
            "landing.dateFormat is 'YYYY/DD': wanted YYYY, MM",
        ),
        ({"path": "{date}/{time}", "dateFormat": "YYYY.MM.DD"}, "landing.dateFormat is 'YYYY.MM.DD'"),
        ({"path": "{date}/{time}", "dateFormat": "YYYY/MM-DD"}, "landing.dateFormat is 'YYYY/MM-DD'"),
        ({"path": "{date}/{time}", "dateFormat": "/YYYY/MM/DD"}, "landing.dateFormat is '/YYYY/MM/DD'"),
        ({"path": "{date}/{time}", "timeFormat": "HH-mm"}, "landing.timeFormat is 'HH-mm': wanted HH"),
        ({"path": "{date}/{datetime:HH}", "timeFormat": "HH"}, "has no {time}: wanted both or none"),
        ({"dateFormat": "YYYY/MM/DD"}, "has no {date}: wanted both or none"),
        ({"path": "{date}"}, "wanted {yyyy} {MM} {dd} {HH} in its folder"),
        ({"path": "{date}/{datetime:H}"}, "{datetime:H}, without leading zeros: wanted {datetime:HH}"),
        ({"path": "{datetime:M}/{time}"}, "wanted {datetime:MM}"),
        ({"path": "{datetime:d}/{time}"}, "wanted {datetime:dd}"),
        ({"path": "{date}/{time}/{datetime:mm}"}, "a folder of minutes cannot be"),
        ({"path": "{date}/{time}/{datetime:m}"}, "a folder of minutes cannot be"),
        ({"path": "{date}/{time}/{datetime:s}"}, "a folder of seconds cannot be"),
        ({"path": "{datetime:MM/dd}/{time}"}, "{datetime:MM/dd}: wanted one of yyyy, MM, dd and HH"),
        ({"path": "{datetime:YYYY}/{time}"}, "{datetime:YYYY}: wanted one of yyyy, MM, dd and HH"),
        ({"path": "{date}/{time}/{client_id}"}, "holds {client_id}: the one field"),
        ({"path": "{sensor}/{date}/{time}"}, "wanted {sensor} after the date"),
        ({"path": "{date}/{time}/{shard}"}, "{shard}"),
        ({"path": "{date}/{time}/{sensor}", "layout": "Sharded"}, "is of layout PerSensor, not Sharded"),
        ({"path": "/{date}/{time}"}, "starts with /"),
        ({"path": "{date}/{time}/{sensor}.csv"}, "{sensor}.csv"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_could(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        landing(**given)
    assert said in str(refused.value)


def test_a_pattern_is_a_folder_with_files_of_the_usual_names() -> None:
    found = landing(path="logs/{date}/{time}", dateFormat="YYYY-MM-DD", timeFormat="HH", format="CSV")
    assert (found.layout, found.path) == (AUTO, "")
    assert dated(found.template(SHARDED), HOUR, 3) == "logs/2026-01-02/12/part-00003.csv"
    assert dated(found.template(PER_SENSOR), HOUR, sensor="a") == "logs/2026-01-02/12/a.csv"


def test_the_sensor_is_a_folder_of_each_hour_in_a_pattern() -> None:
    found = landing(path="{date}/{time}/{sensor}/")
    assert found.layout == PER_SENSOR
    assert dated(found.template(PER_SENSOR), HOUR, sensor="a") == "2026/01/02/12/a/readings.parquet"


def test_a_pattern_may_name_the_files_too() -> None:
    found = landing(path="{date}/{time}/{sensor}.parquet")
    assert dated(found.template(PER_SENSOR), HOUR, sensor="a") == "2026/01/02/12/a.parquet"
    assert landing(path="{date}/{time}/all-{shard}.parquet").layout == SHARDED
