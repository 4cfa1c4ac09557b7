#!/usr/bin/python3
"""A registry that misbehaves on demand, for the tests.

    mock-registry.py [--tls CERT KEY] [--token-tls] PORT-FILE

Listens on a free port of 127.0.0.1, writes the port to PORT-FILE and serves until its standard input
ends. Every repository holds one image of one layer, tag "latest". How a repository misbehaves is in its
name: components of the form WORD-ARGUMENT, for instance

    ok                       nothing wrong            basic            wants ann:secret by basic authorisation
    bearer                   wants a token (anonymous will do)
    private                  wants a token for ann:secret
    rate-N                   429 for the first N requests (N = 0: always), Retry-After: 1
    fail-N                   503 likewise
    truncate-N               the first N blob answers break after half of the bytes (0: always)
    short                    the blob is complete after half of its bytes
    long                     the blob has one byte more
    alter                    the blob has one byte changed
    altermanifest            the manifest has other bytes than its digest header says
    norange                  answers ranges with the whole
    wrongrange               answers ranges with another part
    redirect                 blobs come from another port, which must not see our credentials
    loop                     redirects to itself
    huge                     a manifest of 100 MB, with its length told;  hugechunked: without
    slow                     256 KiB of a blob each 20 ms
    nottoken                 the token server answers nonsense
    garbage                  the manifest is no JSON
    index                    latest is an index with one entry for this machine
    gone                     the manifest is there, the blob is not
    endless                  the list of tags has no end

GET /_log gives, as JSON lines, what was asked: method, path, range, authorization, status."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import random
import ssl
import sys
import tarfile
import threading
import time
import urllib.parse

BLOB_SIZE = int(os.environ.get("MOCK_BLOB_SIZE", 1 << 20))
counts = {}
log = []
lock = threading.Lock()
TOKENS = {"anonymous": "token-of-nobody", "ann": "token-of-ann"}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_layer():
    """A tar.gz of about BLOB_SIZE bytes of noise; the same at each start."""
    noise = io.BytesIO(random.Random(1).randbytes(BLOB_SIZE))
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        info = tarfile.TarInfo("noise")
        info.size = BLOB_SIZE
        tar.addfile(info, noise)
    return plain.getvalue(), gzip.compress(plain.getvalue(), 0, mtime=0)


PLAIN, LAYER = make_layer()
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
CONFIG = json.dumps({
    "architecture": ARCH, "os": "linux", "config": {"Cmd": ["/noise"]},
    "rootfs": {"type": "layers", "diff_ids": [digest(PLAIN)]},
}).encode()
MANIFEST = json.dumps({
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG), "size": len(CONFIG)},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(LAYER), "size": len(LAYER)}],
}).encode()
INDEX = json.dumps({
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(MANIFEST), "size": len(MANIFEST),
        "platform": {"os": "linux", "architecture": ARCH},
    }],
}).encode()
BLOBS = {digest(LAYER): LAYER, digest(CONFIG): CONFIG}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    elsewhere = False  # the server that redirects lead to

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=None, length=None):
        with lock:
            log.append({
                "method": self.command, "path": self.path, "range": self.headers.get("Range"),
                "authorization": self.headers.get("Authorization"), "status": status,
                "elsewhere": self.elsewhere, "agent": self.headers.get("User-Agent"),
            })
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code, message, headers=None):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, {"Content-Type": "application/json", **(headers or {})})

    def scheme(self):
        return "https" if isinstance(self.connection, ssl.SSLSocket) else "http"

    def credentials(self):
        text = self.headers.get("Authorization", "")
        if text.startswith("Basic "):
            return base64.b64decode(text[6:]).decode()
        return None

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if form.get("refresh_token") == ["refresh-ann"]:
            self.answer(200, json.dumps({"access_token": TOKENS["ann"], "expires_in": 300}).encode())
        else:
            self.error(401, "UNAUTHORIZED", "no")

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        try:
            if url.path == "/_log":
                with lock:
                    body = "".join(json.dumps(entry) + "\n" for entry in log).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            elif url.path == "/token":
                self.token(urllib.parse.parse_qs(url.query))
            elif url.path == "/v2/":
                self.ping()
            elif url.path.startswith("/v2/"):
                self.repository(url.path[4:])
            elif self.elsewhere and url.path.startswith("/data/"):
                self.blob(url.path[6:], [])
            else:
                self.error(404, "NOT_FOUND", "nothing here")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def ping(self):
        # MOCK_PING: what /v2/ itself wants; login tests use it.
        mode = os.environ.get("MOCK_PING", "open")
        if mode == "basic" and self.credentials() != "ann:secret":
            self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": 'Basic realm="mock"'})
        elif mode == "bearer" and self.headers.get("Authorization") != "Bearer " + TOKENS["ann"]:
            self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": self.bearer("")})
        elif mode == "missing":
            self.error(404, "NOT_FOUND", "a web server")
        else:
            self.answer(200, b"{}")

    def bearer(self, scope):
        text = 'Bearer realm="%s://%s/token",service="mock"' % (self.scheme(), self.headers["Host"])
        return text + (',scope="%s"' % scope if scope else "")

    def token(self, query):
        scope = query.get("scope", [""])[0]
        given = self.credentials()
        if "nottoken" in scope:
            self.answer(200, b"{}")
        elif given == "ann:secret":
            self.answer(200, json.dumps({"token": TOKENS["ann"], "expires_in": 300}).encode())
        elif given is None and "private" not in scope and scope:
            self.answer(200, json.dumps({"token": TOKENS["anonymous"]}).encode())
        else:
            self.error(401, "UNAUTHORIZED", "incorrect username or password")

    def take(self, repository, word, argument):
        """Whether this request is one of the first ARGUMENT of its kind (0: always)."""
        with lock:
            counts[repository, word] = counts.get((repository, word), 0) + 1
            return int(argument) == 0 or counts[repository, word] <= int(argument)

    def repository(self, path):
        if path.endswith("/tags/list"):
            self.tags(path[:-10])
            return
        for kind in ("manifests", "blobs"):
            if "/%s/" % kind in path:
                repository, what = path.split("/%s/" % kind)
                break
        else:
            self.error(404, "NOT_FOUND", "nothing here")
            return
        traits = [component.partition("-")[::2] for component in repository.split("/")]
        words = dict(traits)
        authorization = self.headers.get("Authorization")
        if "basic" in words and self.credentials() != "ann:secret":
            self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": 'Basic realm="mock"'})
        elif "private" in words and authorization != "Bearer " + TOKENS["ann"] or \
                "bearer" in words and authorization not in ["Bearer " + token for token in TOKENS.values()]:
            self.error(401, "UNAUTHORIZED", "authentication required",
                       {"WWW-Authenticate": self.bearer("repository:%s:pull" % repository)})
        elif "rate" in words and self.take(repository, "rate", words["rate"]):
            self.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "1"})
        elif "fail" in words and self.take(repository, "fail", words["fail"]):
            self.error(503, "UNAVAILABLE", "down for a moment")
        elif "missing" in words:
            self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        elif kind == "manifests":
            self.manifest(what, words)
        else:
            self.blob(what, words, repository)

    def tags(self, repository):
        """latest and t1 … t4, two on a page."""
        names = ["latest", "t1", "t2", "t3", "t4"]
        last = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query).get("last", [None])[0]
        start = names.index(last) + 1 if last and "endless" not in repository else 0
        body = json.dumps({"name": repository, "tags": names[start:start + 2]}).encode()
        more = {}
        if start + 2 < len(names):
            more["Link"] = '</v2/%s/tags/list?last=%s&n=2>; rel="next"' % (repository, names[start + 1])
        self.answer(200, body, more)

    def manifest(self, what, words):
        body = INDEX if "index" in words and what == "latest" else MANIFEST
        kind = json.loads(body)["mediaType"]
        if what not in ("latest", "t1", "t2", "t3", "t4", digest(body)):
            self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        elif "huge" in words:
            self.answer(200, b" " * 65536, {"Content-Type": kind}, length=100 << 20)
            for _ in range(1600):
                self.wfile.write(b" " * 65536)
        elif "hugechunked" in words:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(1600):
                self.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif "garbage" in words:
            self.answer(200, b"{", {"Content-Type": kind})
        else:
            told = digest(body)
            if "altermanifest" in words:
                body = body.replace(b"schemaVersion", b"schemaversion")
            self.answer(200, body, {"Content-Type": kind, "Docker-Content-Digest": told})

    def blob(self, what, words, repository=""):
        body = BLOBS.get(what)
        if body is None or "gone" in words:
            self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
            return
        if "loop" in words:
            self.answer(307, b"", {"Location": self.path})
            return
        if "redirect" in words:
            self.answer(307, b"", {"Location": "http://127.0.0.1:%d/data/%s" % (other_port, what)})
            return
        layer = what == digest(LAYER)  # the config stays as it is
        if layer and "short" in words:
            body = body[:len(body) // 2]
        elif layer and "long" in words:
            body = body + b"x"
        elif layer and "alter" in words:
            body = body[:1000] + bytes([body[1000] ^ 1]) + body[1001:]

        start, status, headers = 0, 200, {"Content-Type": "application/octet-stream"}
        wanted = self.headers.get("Range")
        if wanted and "norange" not in words:
            start = int(wanted.split("=")[1].split("-")[0])
            if start >= len(body):
                self.error(416, "RANGE", "beyond the end")
                return
            if "wrongrange" in words:
                start = max(0, start - 1)
            status = 206
            headers["Content-Range"] = "bytes %d-%d/%d" % (start, len(body) - 1, len(body))
        body = body[start:]
        if layer and "truncate" in words and self.take(repository, "truncate", words["truncate"]):
            self.answer(status, body[:len(body) // 2], headers, length=len(body))
            self.close_connection = True
        elif layer and "slow" in words:
            self.answer(status, b"", headers, length=len(body))
            for at in range(0, len(body), 262144):
                self.wfile.write(body[at:at + 262144])
                time.sleep(0.02)
        else:
            self.answer(status, body, headers)


class Elsewhere(Handler):
    elsewhere = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # broken TLS handshakes are part of the game


def main():
    global other_port
    arguments = sys.argv[1:]
    server = Server(("127.0.0.1", int(os.environ.get("MOCK_PORT", 0))), Handler)
    if arguments[0] == "--tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments[1], arguments[2])
        if os.environ.get("MOCK_CLIENT_CA"):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(os.environ["MOCK_CLIENT_CA"])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        arguments = arguments[3:]
    other = Server(("127.0.0.1", 0), Elsewhere)
    other_port = other.server_address[1]
    for each in (server, other):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    with open(arguments[0] + ".tmp", "w") as file:
        print(server.server_address[1], file=file)
    os.rename(arguments[0] + ".tmp", arguments[0])
    sys.stdin.read()


main()
