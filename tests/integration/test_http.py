"""The HTTP server, with good clients and bad ones."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time

from harness import HTTP_PORT, Metrics, TestCase, has_sanitizer, request, tcp_listener, wait_for

FAST = 'poll: { listeners = "50ms"; };\n'
FIRST_PORT = 20000
CROWD_SIZE = 1000
# Nobody who scrapes waits longer, whoever else is connected.
SCRAPE_P99_SECONDS = 0.1


def raw(data, port=HTTP_PORT, seconds=3):
    """Sends bytes as they are and returns all that comes back, also when the
    server did not want to read them all."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def status_of(answer):
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(match[1]) if match else None


# Opens so many connections and sends the same on each, without waiting for any
# of them, and holds them until standard input ends; what the server closes is
# opened again if that is wanted.
CROWD = """
import resource, select, socket, sys
count, data, again = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3] == "again"
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
poller, clients = select.poll(), {}
poller.register(0, select.POLLIN | select.POLLHUP)
def open_one():
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 10066))
    clients[client.fileno()] = [client, data]
    poller.register(client, select.POLLIN | select.POLLRDHUP | (select.POLLOUT if data else 0))
for _ in range(count):
    open_one()
print("open", flush=True)
while True:
    for fd, events in poller.poll():
        if fd == 0:
            sys.exit()
        client, left = clients[fd]
        try:
            if events != select.POLLOUT or not left:
                raise OSError
            clients[fd][1] = left = left[client.send(left):]
            if not left:
                poller.modify(fd, select.POLLRDHUP)
        except OSError:
            poller.unregister(fd)
            clients.pop(fd)[0].close()
            if again:
                open_one()
"""


class Crowd:
    """Clients of another process that are there as fast as possible, and only
    take up room."""

    def __init__(self, data="", again=""):
        self.process = subprocess.Popen([sys.executable, "-c", CROWD, str(CROWD_SIZE), data, again],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_open(self):
        assert self.process.stdout.readline() == b"open\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def scrape_times(count):
    """How long so many scrapes took, each with a connection of its own, in
    order of their length; each of them must succeed."""
    times = []
    for _ in range(count):
        since = time.monotonic()
        status, _, body = request("/metrics")
        times.append(time.monotonic() - since)
        assert status == 200 and body.endswith("\n"), (status, body[-100:])
    return sorted(times)


class SlowClient:
    """Asks for a path and reads as little of the answer as it can until told
    to. Small segments and a small window keep the rest in the daemon."""

    def __init__(self, path):
        self.socket = socket.socket()
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", HTTP_PORT))
        self.port = self.socket.getsockname()[1]
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.answer = self.socket.recv(100)

    def in_kernel(self):
        """At most so many bytes have left the daemon."""
        sent = subprocess.run(["ss", "-Htn", "sport", "=", f":{HTTP_PORT}", "and", "dport", "=", f":{self.port}"],
                              capture_output=True, text=True, check=True).stdout.split()
        received = subprocess.run(["ss", "-Htn", "sport", "=", f":{self.port}"],
                                  capture_output=True, text=True, check=True).stdout.split()
        return len(self.answer) + int(sent[2]) + int(received[1])

    def read_all(self):
        """The body, which must be as long as the head says."""
        with self.socket:
            while chunk := self.socket.recv(65536):
                self.answer += chunk
        head, _, body = self.answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        assert len(body) == length, (len(body), length)
        return body.decode()


def counted(metrics):
    """How many listeners an exposition counts, and how many it shows."""
    return sum(metrics.find("listeners")), len(metrics.find("listener_info"))


class HttpTest(TestCase):
    def setUp(self):
        self.server = self.daemon(FAST)

    def test_endpoints(self):
        status, headers, body = request("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertIn("sockwatch_build_info{", body)
        status, headers, body = request("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn('href="/metrics"', body)
        status, headers, body = request("/api/v1/listeners")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        self.assertIn(HTTP_PORT, [listener["port"] for listener in json.loads(body)["listeners"]])
        self.assertEqual(request("/-/healthy")[0], 200)
        self.assertEqual(request("/-/ready")[0], 200)
        self.assertEqual(request("/metrics?x=1")[0], 200)
        self.assertEqual(request("/metrics", host="::1")[0], 200)

    def test_head_has_the_length_and_no_body(self):
        for path in (b"/metrics", b"/api/v1/listeners"):
            answer = raw(b"HEAD " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertEqual(status_of(answer), 200)
            length = int(re.search(rb"Content-Length: (\d+)", answer)[1])
            self.assertGreater(length, 1000)
            self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)

    def test_other_methods_are_not_allowed(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", "get"):
            for path in ("/metrics", "/api/v1/listeners"):
                status, headers, _ = request(path, method=method)
                self.assertEqual((method, status), (method, 405))
                self.assertEqual(headers["Allow"], "GET, HEAD")

    def test_unknown_paths_are_not_found(self):
        for path in ("/nothing", "/metrics/", "//metrics", "/metrics%00", "/%6detrics", "/../etc/passwd", "/-/",
                     "/-/healthyy", "/api/v1/listeners/", "/api", "*", "ftp://127.0.0.1/metrics",
                     "http://127.0.0.1/nothing", "http://127.0.0.1//metrics", "http://127.0.0.1/metrics%00"):
            self.assertEqual((path, request(path)[0]), (path, 404))

    def test_a_target_may_name_us(self):
        """As clients do that take us for a proxy; a server must accept it."""
        for scheme in ("http", "https", "HTTP"):
            for authority in ("127.0.0.1:10066", "localhost", "example.com:", "[::1]:10066"):
                for path, kind in (("/metrics", "text/plain"), ("/metrics?x=http://y/", "text/plain"),
                                   ("/-/ready", "text/plain"), ("", "text/html"), ("?x=1", "text/html"),
                                   ("/", "text/html"), ("/api/v1/listeners", "application/json")):
                    target = f"{scheme}://{authority}{path}"
                    status, headers, _ = request(target)
                    self.assertEqual((target, status), (target, 200))
                    self.assertTrue(headers["Content-Type"].startswith(kind), (target, headers))
        answer = raw(b"HEAD http://x/metrics HTTP/1.0\r\n\r\n")
        self.assertEqual(status_of(answer), 200)
        self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)
        for authority in (b"", b":80", b"a:b", b"a:65536", b"user@a", b"[::1", b"[a]", b"a%zz", b"?x", b"\xc3\xa4"):
            target = b"http://" + authority + b"/metrics"
            answer = raw(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual((target, status_of(answer)), (target, 400))
        self.assertEqual(status_of(raw(b"GET http://x/metrics HTTP/1.1\r\n\r\n")), 400)  # which needs its Host, too

    def test_a_target_with_a_nul_is_malformed(self):
        for target in (b"/metrics\0", b"/\0metrics", b"/metrics\0x", b"\0/metrics", b"\0", b"/metrics?a\0b",
                       b"/metrics\0?a", b"/metrics?\0", b"/metrics?a=b&c\0=d", b"/-/ready\0\0", b"/nothing\0",
                       b"http://x/metrics\0", b"http://x\0/metrics", b"http://x\0@y/metrics"):
            for method in (b"GET", b"HEAD"):
                for end in (b" HTTP/1.0\r\n\r\n", b" HTTP/1.1\r\nHost: x\r\n\r\n"):
                    answer = raw(method + b" " + target + end)
                    self.assertEqual((target, status_of(answer)), (target, 400))
                    self.assertNotIn(b"sockwatch_", answer)

    def test_malformed_requests_get_a_4xx(self):
        head = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
        for data in (head + b"Content-Length: 5\r\n\r\nhello",
                     head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                     head + b"Content-Length: -1\r\n\r\n",
                     head + b"Content-Length: 99999999999999999999\r\n\r\n",
                     b"GET /metrics HTTP/1.1\r\n\r\n",
                     b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /metrics\r\n\r\n", b"GET /metrics FOO\r\nHost: x\r\n\r\n",
                     head + b"Host: y\r\n\r\n", head + b"Foo : x\r\n\r\n",
                     b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"):
            status = status_of(raw(data))
            self.assertTrue(status and 400 <= status < 500, (data, status))

    def test_oversized_requests_get_a_4xx(self):
        for size in (8200, 10000, 20000, 100000):
            for data in (b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"b" * size + b"\r\n\r\n"):
                self.assertIn(status_of(raw(data)), (414, 431), (data[:20], size))
        self.assertEqual(status_of(raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"b" * 7000 +
                                       b"\r\n\r\n")), 200)

    def test_garbage_does_no_harm(self):
        for data in (b"", b"\0" * 100, b"\r\n\r\n", b"GET", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
                     b"GET /metrics", b"GET /metrics HTTP/9.9\r\n\r\n", b"%s%n\r\n" * 10, bytes(range(256)) * 10):
            status = status_of(raw(data, seconds=1))
            self.assertTrue(status is None or status >= 400, (data[:30], status))
        self.assertEqual(request("/-/healthy")[0], 200)

    def test_many_clients_at_once_and_slow_ones_among_them(self):
        slow = [socket.create_connection(("127.0.0.1", HTTP_PORT)) for _ in range(50)]
        for s in slow:
            s.sendall(b"GET /metrics HTTP/1.1\r\n")
        failures = []

        def scrape():
            for _ in range(20):
                status, _, body = request("/metrics")
                if status != 200 or not body.endswith("\n") or "sockwatch_series_dropped_total" not in body:
                    failures.append(status)

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        polls = self.server.metrics().get("polls_total", poll="listeners", result="success")
        wait_for("polls go on", lambda: self.server.metrics().get(
            "polls_total", poll="listeners", result="success") > polls + 2)
        for s in slow:
            s.close()

    def check_crowd(self, data=""):
        """Crowds keep no scraper waiting that is there from their first
        connection on."""
        times = []
        for _ in range(4):
            with Crowd(data) as crowd:
                times += scrape_times(25)
                crowd.wait_open()
                times += scrape_times(25)
        times.sort()
        if not has_sanitizer():
            self.assertLess(times[int(len(times) * 0.99)], SCRAPE_P99_SECONDS)

    def test_a_thousand_idle_connections_keep_no_scraper_waiting(self):
        self.check_crowd()

    def test_nor_do_half_requests(self):
        self.check_crowd("GET /metrics HT")

    def test_nor_do_clients_that_ask_and_do_not_read(self):
        self.check_crowd("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_no_scrape_fails_beside_a_crowd_that_comes_again_and_again(self):
        for data in ("", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
            with Crowd(data, "again") as crowd:
                crowd.wait_open()
                scrape_times(100)

    def listeners(self, count):
        """So many listening sockets, closed at the end."""
        made = [tcp_listener("127.0.0.1", FIRST_PORT + i) for i in range(count)]
        for s in made:
            self.addCleanup(s.close)
        return made

    def wait_shown(self, wanted):
        """Waits until the exposition shows so many of them."""
        def shown():
            ports = [dict(labels)["port"] for name, labels in self.server.metrics().series
                     if name == "sockwatch_listener_info"]
            return sum(FIRST_PORT <= int(port) < FIRST_PORT + 1000 for port in ports)
        wait_for(f"{wanted} of the test's listeners", lambda: shown() == wanted)

    def test_a_snapshot_is_replaced_while_ten_download_the_one_before(self):
        made = self.listeners(500)
        self.wait_shown(500)
        slow = [SlowClient(path) for path in ("/metrics", "/api/v1/listeners") for _ in range(5)]
        for s in made[100:]:
            s.close()
        self.server.reload(FAST + "limits: { series = 10000; };\n")
        wait_for("the reload", lambda: "configuration reloaded" in self.server.log())
        self.wait_shown(100)
        self.server.wait_polls(3)
        left_the_daemon = [client.in_kernel() for client in slow]
        bodies = [client.read_all() for client in slow]
        for sent, body in zip(left_the_daemon, bodies):
            self.assertLess(sent, len(body))  # it was the daemon that kept the rest
        for body in bodies[:5]:
            metrics = Metrics(body)
            total, shown = counted(metrics)
            self.assertEqual(total, shown)
            self.assertGreaterEqual(shown, 500)
            self.assertIn("sockwatch_series_dropped_total", body)
        for body in bodies[5:]:
            self.assertGreaterEqual(len(json.loads(body)["listeners"]), 500)

    def test_bodies_are_of_one_snapshot_each_while_listeners_come_and_go(self):
        made = self.listeners(100)
        self.wait_shown(100)
        over = threading.Event()
        failures, answers = [], []

        def scrape(path):
            while not over.is_set():
                status, _, body = request(path)
                if status != 200:
                    failures.append((path, status))
                elif path == "/metrics":
                    total, shown = counted(Metrics(body))
                    if total != shown:
                        failures.append((path, total, shown))
                elif path == "/api/v1/listeners":
                    json.loads(body)
                elif not body.endswith("</html>\n"):
                    failures.append((path, body[-20:]))
                answers.append(path)

        def guarded(path):
            try:
                scrape(path)
            except Exception as error:  # what a thread raises nobody else sees
                failures.append((path, error))

        paths = ("/metrics", "/", "/api/v1/listeners")
        threads = [threading.Thread(target=guarded, args=(paths[i % len(paths)],)) for i in range(9)]
        for thread in threads:
            thread.start()
        try:
            for wanted in range(90, 0, -10):
                for s in made[wanted:]:
                    s.close()
                self.wait_shown(wanted)
                self.server.reload(FAST + f"limits: {{ series = {10000 + wanted}; }};\n")
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answers), set(paths))
