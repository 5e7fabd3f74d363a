"""The server of one run's review, for one person on this machine. It writes decisions, and nothing else.

Whoever can open its address can decide, so the address holds a random token, and only names of this machine are
answered: a page of a stranger that has its own name point here is not (DNS rebinding). Photos are asked for by number.
"""

import asyncio
import hmac
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from acr_lightning.artefacts.review_file import Decision, decision
from acr_lightning.errors import UserError
from acr_lightning.review.page import page
from acr_lightning.review.pictures import label_png, levels_png, photo_jpeg
from acr_lightning.review.reviewed_run import ReviewedRun

ADDRESS = "127.0.0.1"
HOSTS = (ADDRESS, "localhost")
# Pixels of a picture's long side, by its kind; others are LARGE.
LARGE, SIDES = 900, {"thumbnail": 120}
# Of a request.
MOST_BYTES = 2**16
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ReviewServer:
    """The server's answers.

    Args:
        run: what is reviewed.
        state: what the page is told (see `page_state`).
        token: the first part of every path.
    """

    def __init__(self, run: ReviewedRun, state: Mapping[str, Any], token: str) -> None:
        self.run, self.state, self.token = run, state, token
        self.photos = {one["id"]: one for one in state["photos"]}

    def application(self) -> web.Application:
        """What aiohttp serves."""
        app = web.Application(middlewares=[self.guarded], client_max_size=MOST_BYTES)
        app.router.add_get("/{token}/", self.page)
        app.router.add_get(r"/{token}/{kind:photo|thumbnail|label|prediction|cam}/{index:\d{1,9}}", self.picture)
        app.router.add_post("/{token}/decide", self.decide)
        return app

    @web.middleware
    async def guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer only who knows the token and asked for this machine; what a person can mend becomes a message."""
        response: web.StreamResponse
        try:
            if _host(request) not in HOSTS:
                raise web.HTTPForbidden(text=f"open the address that `acr review` printed: http://{ADDRESS}:…")
            if not hmac.compare_digest(request.path.split("/")[1].encode(), self.token.encode()):
                raise web.HTTPNotFound(text="nothing is here: the address has a token, as `acr review` printed it")
            response = await handler(request)
        except web.HTTPException as refused:
            response = web.Response(status=refused.status, text=refused.text)
        except UserError as error:
            response = web.Response(status=409, text=str(error))
        response.headers.update(HEADERS)
        return response

    async def page(self, request: web.Request) -> web.Response:
        """The page, with what was decided so far; it may load nothing but its own pictures, and run its own script."""
        nonce, decisions = secrets.token_urlsafe(16), self.run.decisions()
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' blob: data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        photos = [{**one, "decision": decisions.get(name, Decision()).content()} for name, one in self.photos.items()]
        text = page({**self.state, "photos": photos, "served": True}, nonce)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def picture(self, request: web.Request) -> web.Response:
        """A picture of a photo; the label as it is decided, or at the `threshold` that is asked for."""
        kind, index = request.match_info["kind"], int(request.match_info["index"])
        if index >= len(self.run.names):
            raise web.HTTPNotFound(text="no such photo")
        content = await asyncio.to_thread(_picture, self.run, kind, self.run.names[index], request.query)
        if content is None:
            raise web.HTTPNotFound(text="no such picture")
        return web.Response(body=content, content_type="image/jpeg" if kind in ("photo", "thumbnail") else "image/png")

    async def decide(self, request: web.Request) -> web.Response:
        """Write the decision on one photo."""
        if request.content_type != "application/json":  # which the form of another page cannot send
            raise web.HTTPUnsupportedMediaType(text="JSON is wanted")
        try:
            content = await request.json()
        except (ValueError, RecursionError):
            raise web.HTTPBadRequest(text="no JSON") from None
        if not isinstance(content, dict) or content.get("photo") not in [*self.photos]:
            raise web.HTTPBadRequest(text="no photo of this page")
        name = content["photo"]
        self.run.decide({name: decision(content.get("decision"), name, self.run.dataset.class_names)})
        return web.json_response(self.run.decisions().get(name, Decision()).content())


def serve(run: ReviewedRun, state: Mapping[str, Any], port: int) -> None:
    """Print an address of this machine and answer there until Ctrl-C.

    Args:
        run: what is reviewed.
        state: what the page is told (see `page_state`).
        port: of the address; 0 takes a free one.

    Raises:
        UserError: the port is taken, or is none.
    """
    try:
        listening = socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"--port: {port} cannot be listened at ({error}); leave it out for a free one") from None
    token = secrets.token_urlsafe(24)
    print(f"http://{ADDRESS}:{listening.getsockname()[1]}/{token}/  (Ctrl-C ends it)", flush=True)
    application = ReviewServer(run, state, token).application()
    web.run_app(application, sock=listening, print=None, access_log=None, shutdown_timeout=1)


def _host(request: web.Request) -> str | None:
    """The name by which this server was asked for, without a port: a tunnel may have another."""
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _picture(run: ReviewedRun, kind: str, name: str, query: Mapping[str, str]) -> bytes | None:
    """A picture of a photo; None where there is none of the kind, and a `UserError` where it cannot be made."""
    side = SIDES.get(kind, LARGE)
    if kind in ("photo", "thumbnail"):
        return photo_jpeg(run.dataset.image(name), side)
    if kind == "prediction":
        prediction = run.prediction(name)
        return None if prediction is None else label_png(prediction, side)
    if kind == "cam":
        cam = run.cam(name)
        levels = {run.dataset.class_names[at]: one for at, one in zip(cam.classes, cam.levels, strict=True)}
        wanted = query.get("class", "")
        return levels_png(levels[wanted], side) if wanted in levels else None
    return label_png(_label(run, name, query), side)


def _label(run: ReviewedRun, name: str, query: Mapping[str, str]) -> Any:
    """The label as it is decided, at the threshold that is asked for, or as it was made where nothing is to change."""
    own = run.decisions().get(name, Decision())
    if "threshold" in query:
        try:
            own = decision({**own.content(), "threshold": float(query["threshold"])}, "label")
        except ValueError:
            raise UserError(f"threshold: {query['threshold']} is no number") from None
    refined = query.get("refined") == "true"
    return run.label(name) if refined and run.is_made_with(name, own) else run.drawn(name, own, refined)
