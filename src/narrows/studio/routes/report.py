"""Report panel: the report about the model as one page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from narrows.studio.routes.dependencies import ViewWithData
from narrows.studio.routes.responses import document_errors

router = APIRouter(prefix="/api")
# scripts of the report may run, but in their own origin, from which no request reaches the studio
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
            "description": "One page that loads nothing else.",
        },
        **document_errors(404, 422),
    },
)
def get_report(view: ViewWithData, download: Annotated[bool, Query()] = False) -> Response:
    """Return the report about the model and its data."""
    disposition = f'{"attachment" if download else "inline"}; filename="report.html"'
    headers = {"Content-Security-Policy": _POLICY, "Content-Disposition": disposition}
    return Response(view.get_report(), media_type="text/html", headers=headers)
