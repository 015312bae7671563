"""Memory: what others make sockwatch take is bounded, and returns."""

import contextlib
import re
import unittest

from harness import TestCase, has_sanitizer, request, tcp_listener, wait_for
from test_http import SlowClient

FAST = 'poll: { listeners = "50ms"; };\n'
FIRST_PORT = 20000
LISTENERS, SLOW_CLIENTS, ENTRIES = 800, 60, 12000
BODIES_MAX_KIB = 24 * 1024
# Beside bodies: one that is being rendered, and what connections take.
BESIDE_KIB = 8 * 1024
# Where it comes back to, measured from where it was.
RETURN_KIB = 8 * 1024
# What the zeros take that are told for five minutes of so many services that are gone:
# 3 MiB of names, and the body that has them.
ZEROS_KIB = 4 * 1024
# The daemon looks every ten seconds whether there is something to give back.
RETURN_SECONDS = 25


def polls():
    """How many polls the newest exposition tells of."""
    return re.search(r'sockwatch_polls_total{poll="listeners",result="success"} (\d+)', request("/metrics")[2])[1]


@unittest.skipIf(has_sanitizer(), "a sanitizer keeps what is freed")
class MemoryTest(TestCase):
    def setUp(self):
        self.server = self.daemon(FAST)

    def resident_kib(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s*(\d+) kB", status.read())[1])

    def wait_return(self, limit):
        wait_for("memory returns", lambda: self.resident_kib() <= limit, RETURN_SECONDS)

    def slow_clients(self):
        """So many of them, each with a body of its own; none of them reads on."""
        clients = []
        for i in range(SLOW_CLIENTS):
            clients.append(SlowClient(("/metrics", "/api/v1/listeners")[i % 2]))
            seen = polls()
            wait_for("a newer version", lambda: polls() != seen)
        return clients

    def test_slow_clients_keep_bodies_within_a_bound_and_leave_nothing(self):
        before = self.resident_kib()
        with contextlib.ExitStack() as made:
            for i in range(LISTENERS):
                made.enter_context(tcp_listener("127.0.0.1", FIRST_PORT + i))
            wait_for("the listeners", lambda: request("/metrics")[2].count("\nsockwatch_listener_info{") > LISTENERS)
            usual = self.resident_kib()
            clients = self.slow_clients()
            self.assertLess(self.resident_kib(), usual + BODIES_MAX_KIB + BESIDE_KIB)
            self.assertGreater(len(clients[-1].read_all()), 500000)
            clients[-2].read_all()
            with self.assertRaises((AssertionError, ConnectionResetError)):
                clients[0].read_all()
            for client in clients:
                client.socket.close()
        self.wait_return(before + RETURN_KIB)

    def test_a_large_configuration_leaves_nothing(self):
        before = self.resident_kib()
        entries = (f'{{ name = "service-{i}"; port = {i + 1}; process = "process-{i}"; }}' for i in range(ENTRIES))
        self.server.reload(FAST + "expect = (\n" + ",\n".join(entries) + "\n);\n")
        wait_for("the entries", lambda: f'name="service-{ENTRIES - 1}"' in request("/metrics")[2])
        self.assertGreater(self.resident_kib(), before + RETURN_KIB + ZEROS_KIB)
        self.server.reload(FAST)
        wait_for("the reload", lambda: 'expected_listening{name="service-' not in request("/metrics")[2])
        self.wait_return(before + RETURN_KIB + ZEROS_KIB)
