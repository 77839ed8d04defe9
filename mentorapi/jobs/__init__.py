"""The background jobs: one file for each, and one line in the list below."""

from mentorapi.jobs import events, idempotency_keys, search_vocabulary, sweep
from mentorapi.jobs.runner import Job


def all_jobs(sweep_interval: float) -> list[Job]:
    """Return the jobs of a server, with their intervals in seconds."""
    return [
        Job("sweep", sweep_interval, sweep.run),
        Job("events", 300, events.run),
        Job("idempotency_keys", 300, idempotency_keys.run),
        Job("search_vocabulary", 300, search_vocabulary.run),
    ]
