"""Archives in memory, and a server on this machine that hands them out."""

import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """A server whose manners can be set; `requests` are the ranges that were asked for."""

    def __init__(self):
        self.files, self.requests = {}, []
        self.ranges, self.cut_after, self.status, self.length = True, [], None, None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, self.headers.get("Range")))
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # a client that leaves early is none
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request):
        content = self.files.get(request.path)
        if self.status or content is None:
            request.send_error(self.status or 404)
            return
        wanted, start = request.headers.get("Range"), 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", self.length or str(len(content) - start))
        request.end_headers()
        body = content[start:]
        request.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


def tar_of(contents, mode="w:gz", **changes):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in changes.items():
                setattr(member, key, value)
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(contents, link=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            if link:
                info.external_attr = 0o120777 << 16
            file.writestr(info, content)
    return buffer.getvalue()


def names(folder):
    return sorted(path.name for path in folder.iterdir())
