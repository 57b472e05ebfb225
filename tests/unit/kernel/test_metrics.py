"""The seven figures that operators watch are all there, in our own registry."""

from prometheus_client import REGISTRY as PROCESS_WIDE

from backend.kernel import metrics

SEVEN = {
    "linli_inbox_unhandled_age_seconds",
    "linli_outbox_age_seconds",
    "linli_parked_rows",
    "linli_unknown_attempts",
    "linli_open_differences",
    "linli_missed_periods",
    "linli_invariant_failures",
}


def test_the_seven_figures_are_shown() -> None:
    metrics.invariant_failures.labels("I-01").set(0)
    text = metrics.render().decode()
    assert {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")} >= SEVEN


def test_requests_are_counted_by_route_template() -> None:
    metrics.http_request_s.labels("GET", "/api/v1/bills/<bill_id>", "200").observe(0.003)
    counted = 'linli_http_request_duration_seconds_count{method="GET",route="/api/v1/bills/<bill_id>",status="200"} 1.0'
    assert counted in metrics.render().decode()


def test_nothing_of_ours_is_in_the_process_wide_registry() -> None:
    assert not [metric.name for metric in PROCESS_WIDE.collect() if metric.name.startswith("linli")]
