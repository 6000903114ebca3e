"""The studio: a page in the browser that shows the dials and the map of a model, and trains models.

The server is an ASGI application over one `Session`. The page is in `static`, plain ES modules. Needs the extra
`studio`.
"""
