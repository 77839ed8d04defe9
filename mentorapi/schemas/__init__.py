"""Bodies, queries and responses as JSON Schema (draft 2020-12).

One module per resource holds its operations. The same schemas validate requests and make the
OpenAPI document.
"""
