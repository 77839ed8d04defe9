"""The route table, and the applications that serve it."""

from mentorapi.handlers import (
    availability,
    events,
    images,
    mentors,
    profile,
    requests,
    reviews,
    sessions,
)
from mentorapi.http import docs, probes
from mentorapi.http.base import ApiHandler
from mentorapi.http.router import ApiApplication
from mentorapi.http.services import Services
from mentorapi.schemas.common import PREFIX

RESOURCES = (
    mentors,
    reviews,
    profile,
    images,
    availability,
    requests,
    sessions,
    events,
)

#: The operations: path templates and their handlers; the first that fits is taken.
ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (PREFIX + path, handler) for module in RESOURCES for path, handler in module.routes
]


def make_app(services: Services) -> ApiApplication:
    metrics_routes = [] if services.settings.metrics_address else probes.metrics_routes
    others = [*docs.routes, *docs.redirects, *probes.routes, *metrics_routes]
    return ApiApplication(services, [*ROUTES, *others])


def make_metrics_app(services: Services) -> ApiApplication:
    """The application at ``MENTORAPI_METRICS_ADDRESS``."""
    return ApiApplication(services, [*probes.routes, *probes.metrics_routes])
