"""The report: one page about the model, to read or to pass on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from narrows.studio.routes import asking
from narrows.studio.routes.asking import Shown

router = APIRouter(prefix="/api")
# what the page has within itself may run, but as a page of no site: it can ask the studio for nothing
_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get(
    "/report",
    response_class=Response,
    responses={
        200: {
            "content": {"text/html": {"schema": {"type": "string"}}},
            "description": "One page that fetches nothing.",
        },
        **asking.refusals(404, 422),
    },
)
def report(view: Shown, download: Annotated[bool, Query()] = False) -> Response:
    """The report about the model and its data."""
    disposition = f'{"attachment" if download else "inline"}; filename="report.html"'
    headers = {"Content-Security-Policy": _POLICY, "Content-Disposition": disposition}
    return Response(view.report(), media_type="text/html", headers=headers)
