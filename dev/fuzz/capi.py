"""A stand-in for CrowdSec's Central API that says yes to everybody."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "/watchers/login": {"code": 200, "expire": "2099-01-01T00:00:00Z", "token": "a.b.c"},
    "/decisions/stream": {"new": [], "deleted": []},
}


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        found = [body for end, body in ANSWERS.items() if path.endswith(end)]
        body = json.dumps(found[0] if found else {"message": "OK"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(f"serving 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
