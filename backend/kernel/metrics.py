"""What operators watch, in a registry of our own, one per process.

The seven figures that are zero, or explained, on a normal day (reliability.md section 5): age of unhandled inbox rows,
age of the outbox, parked rows, unknown attempts, open differences, missed periods, invariant failures. Names end in
their unit; labels come from fixed lists, never from what a client sent.
"""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
REGISTRY = CollectorRegistry()

_LATENCY_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)

http_request_s = Histogram(
    "linli_http_request_duration_seconds",
    "Requests answered, by route template.",
    ["method", "route", "status"],
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
egress_call_s = Histogram(
    "linli_egress_call_duration_seconds",
    "Outbound calls until the last byte of the answer.",
    ["host", "outcome"],
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
job_s = Histogram(
    "linli_job_duration_seconds",
    "Outbox rows handled, by event and outcome.",
    ["event", "outcome"],
    buckets=(*_LATENCY_S, 30.0, 60.0),
    registry=REGISTRY,
)
rate_limited = Counter(
    "linli_rate_limited_total",
    "Requests refused by a rate limit; `by` tells whether Redis or this process counted.",
    ["rule", "by"],
    registry=REGISTRY,
)
log_lines_lost = Counter(
    "linli_log_lines_lost_total",
    "Log lines that could not be written.",
    registry=REGISTRY,
)

inbox_unhandled_rows = Gauge("linli_inbox_unhandled_rows", "Inbox rows without an outcome.", registry=REGISTRY)
inbox_unhandled_age_s = Gauge(
    "linli_inbox_unhandled_age_seconds", "Age of the oldest inbox row without an outcome.", registry=REGISTRY
)
outbox_waiting_rows = Gauge("linli_outbox_waiting_rows", "Outbox rows that are due and not done.", registry=REGISTRY)
outbox_age_s = Gauge("linli_outbox_age_seconds", "Age of the oldest outbox row that is due.", registry=REGISTRY)
parked_rows = Gauge("linli_parked_rows", "Outbox rows that wait for a person.", registry=REGISTRY)
unknown_attempts = Gauge(
    "linli_unknown_attempts", "Payment attempts and refunds whose outcome is not known.", registry=REGISTRY
)
open_differences = Gauge("linli_open_differences", "Differences that wait for a person.", registry=REGISTRY)
missed_periods = Gauge("linli_missed_periods", "Periodic jobs without a completed run.", registry=REGISTRY)
invariant_failures = Gauge(
    "linli_invariant_failures", "Rows that offend an invariant.", ["invariant"], registry=REGISTRY
)


def render() -> bytes:
    """All figures in the Prometheus text format; the content type is `CONTENT_TYPE`."""
    return generate_latest(REGISTRY)
