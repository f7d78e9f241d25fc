"""A server of photos on this machine, for the tests of fetching."""

from __future__ import annotations

import http.server
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Server(http.server.ThreadingHTTPServer):
    """Serves photos; `trouble` may answer a request in its own way instead."""

    daemon_threads = True

    def __init__(self, photos: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.photos = dict(photos)
        self.requests: list[tuple[str, str | None]] = []
        self.trouble: Callable[[Handler, str, int], bool] = lambda *_: False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/pinned"

    def times(self) -> Counter[str]:
        return Counter(path for path, _ in self.requests)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.removeprefix("/pinned/")
        with self.server.lock:
            self.server.requests.append((path, self.headers["Range"]))
            nth = self.server.times()[path]
        if self.server.trouble(self, path, nth):
            return
        data = self.server.photos.get(path)
        if data is None:
            self.send_error(404)
            return
        start = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if start and int(start[1]) >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        data = data[int(start[1]) :] if start else data
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args) -> None:
        pass


@contextmanager
def serving(photos: Mapping[str, bytes]) -> Iterator[Server]:
    server = Server(photos)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
