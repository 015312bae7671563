"""The HTTP server, with good clients and bad ones."""

import contextlib
import re
import socket
import threading

from harness import HTTP_PORT, TestCase, request, wait_for

FAST = 'poll: { listeners = "50ms"; };\n'


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
        self.assertEqual(request("/-/healthy")[0], 200)
        self.assertEqual(request("/-/ready")[0], 200)
        self.assertEqual(request("/metrics?x=1")[0], 200)
        self.assertEqual(request("/metrics", host="::1")[0], 200)

    def test_head_has_the_length_and_no_body(self):
        answer = raw(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(status_of(answer), 200)
        length = int(re.search(rb"Content-Length: (\d+)", answer)[1])
        self.assertGreater(length, 1000)
        self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)

    def test_other_methods_are_not_allowed(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", "get"):
            status, headers, _ = request("/metrics", method=method)
            self.assertEqual((method, status), (method, 405))
            self.assertEqual(headers["Allow"], "GET, HEAD")

    def test_unknown_paths_are_not_found(self):
        for path in ("/nothing", "/metrics/", "//metrics", "/metrics%00", "/%6detrics", "/../etc/passwd", "/-/",
                     "/-/healthyy", "*", "http://127.0.0.1/metrics"):
            self.assertEqual((path, request(path)[0]), (path, 404))

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
