"""The web page at `/` and its files."""

from urllib.parse import quote

from flask import Blueprint, Response, request, send_from_directory

from api.caller import caller
from api.operation import operation
from warm.installation import shipped

WEB = shipped("web")

page = Blueprint("page", __name__)


@page.get("/")
@operation(
    answers={200: "text/html", 206: "text/html", 303: "", 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(416,),
    tag="page",
    scope="public",
)
def index() -> Response:
    """The page, or a redirect to `/login`. Below a path prefix it has a `<base>`, to which all its
    URLs are relative."""
    if not caller().scopes:
        query = quote(request.query_string, safe="=&%+")
        target = f"login?{query}" if query else "login"  # relative, below any path
        return Response(status=303, headers={"Location": target})
    if not request.script_root:
        return file("index.html")
    text = (WEB / "index.html").read_text(encoding="utf-8")
    base = f'<head>\n  <base href="{request.script_root}/">'
    response = Response(text.replace("<head>", base, 1), headers={"Cache-Control": "no-cache"})
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


@page.get("/web/<path:name>")
@operation(
    answers={200: "*/*", 206: "*/*", 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(416,),
    tag="page",
    scope="public",
)
def file(name: str) -> Response:
    """One file of the page; browsers revalidate it at every request."""
    script = "text/javascript" if name.endswith(".js") else None
    response = send_from_directory(WEB, name, mimetype=script)
    response.headers["Cache-Control"] = "no-cache"
    return response
