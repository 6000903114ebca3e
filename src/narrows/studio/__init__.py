"""The studio: a page in the browser with the dials and the map of a model, on which models are trained, too.

The server is an ASGI application over one `Session`. The page is in `static`, plain ES modules. Needs the extra
`studio`.
"""
