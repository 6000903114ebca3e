"""Routes under /api, one file for each panel of the page."""
