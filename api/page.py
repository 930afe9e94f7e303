"""The web page at `/` and its files."""

from flask import Blueprint, Response, send_from_directory

from warm.installation import shipped

WEB = shipped("web")

page = Blueprint("page", __name__)


@page.get("/", defaults={"name": "index.html"})
@page.get("/web/<path:name>")
def file(name: str) -> Response:
    """One file of the page; browsers revalidate it at every request."""
    script = "text/javascript" if name.endswith(".js") else None
    response = send_from_directory(WEB, name, mimetype=script)
    response.headers["Cache-Control"] = "no-cache"
    return response
