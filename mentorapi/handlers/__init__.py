"""HTTP: one module per resource, each ending in its routes.

A handler calls one repository function and writes what it returns. Everything else that a request
goes through, from the token to the error format, is in ``base``.
"""
