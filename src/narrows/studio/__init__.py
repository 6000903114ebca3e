"""The studio: a page in the browser on which a person turns the dials of a model, looks at its map, and trains others.

The server is an ASGI application over one `Session`; the page is in `static` and is plain ES modules. Needs the extra
`studio`.
"""
