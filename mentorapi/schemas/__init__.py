"""What goes in and what comes out, as JSON Schema (draft 2020-12).

One module per resource holds its operations; requests are validated by the schemas that the
description of the API is made of. Nothing of the project is imported here.
"""
