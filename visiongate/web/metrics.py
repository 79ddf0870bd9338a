"""Prometheus metrics of routes, detectors and logins, right with several processes too.

With more than one worker, ``PROMETHEUS_MULTIPROC_DIR`` must name an empty folder before
``prometheus_client`` is first imported; then each process counts into files there, and whichever
answers ``/metrics`` adds them up. Labels are few and bounded: no user, no path, no address.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, cast

from flask import Flask, Response, current_app, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from visiongate.errors import ConfigurationError, DetectorUnknown, VisiongateError
from visiongate.types import DetectorState
from visiongate.web import logging as web_logging

if TYPE_CHECKING:
    from visiongate.registry import Registry
    from visiongate.services import Services
    from visiongate.types import Report

__all__ = [
    "Metrics",
    "count_fetch",
    "count_login",
    "count_problem",
    "count_turned_away",
    "init_app",
    "metrics_of",
    "observe_report",
]

_EXTENSION = "visiongate.metrics"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The gateway's metrics in a registry of their own, so that apps do not share counts.

    ``waiting`` tells how many requests wait for a place to compute.
    """

    def __init__(self, waiting: Callable[[], int] = lambda: 0) -> None:
        self._waiting = waiting
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "visiongate_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "visiongate_request_seconds",
            "Time from a request's arrival to its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            "visiongate_errors", "Problem documents sent, by code.", ("code",), registry=registry
        )
        self.in_flight = Gauge(
            "visiongate_requests_in_flight",
            "Requests being answered now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.waiting = Gauge(
            "visiongate_queue_waiting",
            "Requests waiting for a place to compute.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.detector_seconds = Histogram(
            "visiongate_detector_seconds",
            "Time in a detector for one picture, failures included.",
            ("detector",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.detector_failures = Counter(
            "visiongate_detector_failures",
            "Pictures that a detector gave no answer to.",
            ("detector", "code"),
            registry=registry,
        )
        self.sensitive_uses = Counter(
            "visiongate_sensitive_uses",
            "Pictures judged by a detector that is marked sensitive.",
            ("detector",),
            registry=registry,
        )
        self.audit_failures = Counter(
            "visiongate_audit_failures",
            "Events that the audit log could not take.",
            registry=registry,
        )
        self.logins = Counter(
            "visiongate_logins", "Login attempts, by outcome.", ("outcome",), registry=registry
        )
        self.fetches = Counter(
            "visiongate_url_fetches",
            "Pictures fetched from addresses, by the operator's entry for the host.",
            ("host", "outcome"),
            registry=registry,
        )
        self.unavailable = Gauge(
            "visiongate_detector_unavailable",
            "1 where a detector that is switched on cannot answer.",
            ("detector",),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.without_model = Gauge(
            "visiongate_detector_without_model",
            "1 where a detector's weights are not on this machine.",
            ("detector",),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        # Found by labels once: looking them up costs more than counting.
        self.request_count = cache(self.requests.labels)
        self.request_duration = cache(self.request_seconds.labels)
        self.detector_duration = cache(self.detector_seconds.labels)
        self._shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        if not self._shared:
            ProcessCollector(registry=registry)
        elif not values.ValueClass._multiprocess:
            raise ConfigurationError(
                "PROMETHEUS_MULTIPROC_DIR was set after prometheus_client had been imported, "
                "which counts in memory since then. Set it before the process starts."
            )

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, of all processes."""
        registry = self.registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def enter(self) -> float:
        """Count a request that is being answered from now on; return the time."""
        since = time.perf_counter()
        self.in_flight.inc()
        self._look_at_the_line()
        return since

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count its answer, and how long that took."""
        method = method if method in _METHODS else "other"
        self.request_count(method, route, status).inc()
        self.request_duration(method, route).observe(seconds)

    def leave(self) -> None:
        """Count it no more among those that are being answered."""
        self.in_flight.dec()
        self._look_at_the_line()

    def _look_at_the_line(self) -> None:
        # Each process can tell of its own line alone, so it does at every turn; whoever waits
        # comes through here when done, so the last to leave writes zero.
        self.waiting.set(self._waiting())

    def look_at(self, registry: Registry) -> None:
        """Note how each detector that is switched on stands now."""
        for entry in registry:
            if entry.state is not DetectorState.DISABLED:
                broken = entry.state is DetectorState.UNAVAILABLE
                self.unavailable.labels(entry.name).set(broken)
                self.without_model.labels(entry.name).set(broken and entry.lacks_model)

    def observe(self, report: Report, registry: Registry) -> None:
        """Count what each detector of the report did."""
        for part in report.detectors:
            self.detector_duration(part.name).observe(part.milliseconds / 1000)
            if part.failure is not None:
                self.detector_failures.labels(part.name, part.failure.code).inc()
            elif _is_sensitive(registry, part.name):
                self.sensitive_uses.labels(part.name).inc()


def init_app(app: Flask, services: Services) -> None:
    """Measure every request, and answer GET /metrics."""
    engine = services.engine
    metrics = Metrics(lambda: getattr(engine, "waiting", 0))
    app.extensions[_EXTENSION] = metrics

    def begin() -> None:
        g.counted_since = metrics.enter()

    def count(response: Response) -> Response:
        since = g.get("counted_since")
        if since is not None:
            seconds = time.perf_counter() - since
            metrics.count(request.method, web_logging.route(), response.status_code, seconds)
            if (code := g.get("problem_code")) is not None:
                metrics.errors.labels(code).inc()
        return response

    def end(_: BaseException | None) -> None:
        if g.pop("counted_since", None) is not None:
            metrics.leave()

    def show() -> Response:
        metrics.look_at(services.registry)
        return Response(metrics.render(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.before_request(begin)
    app.after_request(count)
    app.teardown_request(end)
    app.add_url_rule("/metrics", "metrics", show)


def metrics_of(app: Flask) -> Metrics:
    """Return the app's metrics."""
    return cast(Metrics, app.extensions[_EXTENSION])


def observe_report(report: Report) -> None:
    """Count what the detectors of ``report`` did, and name them in the request's log line."""
    services = cast("Services", current_app.extensions["visiongate.services"])
    metrics_of(current_app).observe(report, services.registry)
    web_logging.note(detectors=[part.name for part in report.detectors])


def count_login(outcome: str) -> None:
    """Count a login attempt: ``ok``, ``wrong``, ``limited`` or ``malformed``."""
    metrics_of(current_app).logins.labels(outcome).inc()


def count_problem(code: str) -> None:
    """Count the problem of one picture among several."""
    metrics_of(current_app).errors.labels(code).inc()


def count_turned_away(app: Flask, route: str, error: VisiongateError) -> None:
    """Count a request that was refused before the application saw it, by its route's rule."""
    metrics = metrics_of(app)
    route = web_logging.template(route)
    metrics.requests.labels("POST", route, error.status).inc()
    metrics.errors.labels(error.code).inc()


def count_fetch(host: str, outcome: str) -> None:
    """Count a picture fetched from a host as the operator lists it: ``ok`` or an error's code."""
    metrics_of(current_app).fetches.labels(host, outcome).inc()


def _is_sensitive(registry: Registry, name: str) -> bool:
    try:
        info = registry.get(name).info
    except DetectorUnknown:
        return False
    return info is not None and info.sensitive
