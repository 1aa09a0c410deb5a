"""The access-log job between its ends: lines from a collection, documents collected."""

from __future__ import annotations

import job
import pytest

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment

DAY = "2025-05-20T10:00:"


def line(
    second: str, url: str | None = "/v1_test", status: int | None = 200, org: str | None = "org1"
) -> Row:
    return Row(f"{DAY}{second}Z", url, status, Row(org))


def documents_of(lines: list[Row]) -> dict[str, dict[str, tuple]]:
    """The documents of each index as they stand in the end; later rows replace earlier ones."""
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    stream = env.from_collection(lines, job.LOG_LINE).assign_timestamps_and_watermarks(
        job.watermarks()
    )
    results = job.define_workflow(stream)
    tagged = [
        rows.map(lambda row, index=index: (index, tuple(row)), Types.PICKLED_BYTE_ARRAY())
        for index, rows in results
    ]
    found: dict[str, dict[str, tuple]] = {index: {} for index, _ in results}
    for index, row in tagged[0].union(*tagged[1:]).execute_and_collect():
        found[index][row[0]] = row[1:]
    return found


def test_documents_have_the_ids_and_counts_that_are_documented() -> None:
    lines = [line("01.000"), line("01.500", status=404), line("02.000", "/v2", org="org2")]
    found = documents_of(lines)
    assert found["url_counts"] == {
        "org1_2025-05-20_/v1_test": ("org1", "2025-05-20", "/v1_test", 2),
        "org2_2025-05-20_/v2": ("org2", "2025-05-20", "/v2", 1),
    }
    assert found["status_counts"] == {
        "org1_2025-05-20_200": ("org1", "2025-05-20", 200, 1),
        "org1_2025-05-20_404": ("org1", "2025-05-20", 404, 1),
        "org2_2025-05-20_200": ("org2", "2025-05-20", 200, 1),
    }
    assert found["org_latest"] == {
        "org1": ("org1", "2025-05-20", 404, "/v1_test", f"{DAY}01.500Z"),
        "org2": ("org2", "2025-05-20", 200, "/v2", f"{DAY}02.000Z"),
    }


def test_late_and_disordered_lines_count_and_do_not_become_the_latest() -> None:
    lines = [line("30.000", status=500), line("29.500"), line("50.000"), line("01.000", status=404)]
    found = documents_of(lines)
    assert found["url_counts"] == {
        "org1_2025-05-20_/v1_test": ("org1", "2025-05-20", "/v1_test", 4)
    }
    assert found["org_latest"]["org1"][-1] == f"{DAY}50.000Z"


def test_the_latest_of_one_millisecond_does_not_depend_on_the_order() -> None:
    lines = [line("01.000", "/a"), line("01.000", "/b"), line("01.000", "/b", 404)]
    assert documents_of(lines)["org_latest"] == documents_of(lines[::-1])["org_latest"]


def test_health_checks_are_no_traffic() -> None:
    found = documents_of([line("01.000"), line("02.000", job.HEALTH_CHECK)])
    assert list(found["url_counts"]) == ["org1_2025-05-20_/v1_test"]
    assert found["org_latest"]["org1"][-1] == f"{DAY}01.000Z"


@pytest.mark.parametrize(
    "bad",
    [
        line("02.000", url=None),
        line("02.000", status=None),
        line("02.000", org=None),
        Row(None, "/v1", 200, Row("org1")),
        Row("yesterday", "/v1", 200, Row("org1")),
        Row(f"{DAY}02.000Z", "/v1", 200, None),
    ],
)
def test_incomplete_lines_are_reported_and_do_not_stop_the_job(bad: Row, capfd) -> None:
    found = documents_of([line("01.000"), bad])
    assert list(found["url_counts"].values()) == [("org1", "2025-05-20", "/v1_test", 1)]
    assert "rejected" in capfd.readouterr().err


def test_times_of_other_zones_belong_to_the_day_in_utc() -> None:
    early = Row("2025-05-21T01:30:00.000+02:00", "/v1", 200, Row("org1"))
    assert list(documents_of([early])["url_counts"]) == ["org1_2025-05-20_/v1"]


def test_ids_fit_into_elasticsearch_and_stay_apart() -> None:
    one, other = (job.document_id("org1", "2025-05-20", "/ä" * 300 + end) for end in "ab")
    assert one != other
    assert max(len(one.encode()), len(other.encode())) <= 512
