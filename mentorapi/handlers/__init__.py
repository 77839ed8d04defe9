"""HTTP handlers: one module per resource, with its routes at the end.

A handler calls one repository function and writes what it returns. All other steps of a request,
from the token to the error format, are in ``mentorapi.http.base``.
"""
