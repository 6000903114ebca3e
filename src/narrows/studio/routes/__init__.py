"""Routes under /api, one file a panel of the page."""
