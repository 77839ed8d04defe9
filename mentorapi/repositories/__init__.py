"""One function per operation: runs SQL, raises the errors of ``mentorapi.errors``.

``db`` is the pool, or the connection of a transaction. JSON comes from PostgreSQL as text, made by
the shape functions of the migrations, and goes to the client as it is.
"""
