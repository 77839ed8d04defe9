"""One function per operation: it runs SQL and raises the errors of ``mentorapi.errors``.

``db`` is the pool, or the connection of a transaction. Functions in ``sql/functions/`` make JSON
texts, which go to the client unchanged.
"""
