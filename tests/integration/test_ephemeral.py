"""How near connect() is to running out of local ports, beside what connect() itself says of it."""

import errno
import http.client
import itertools
import os
import socket
import struct

from harness import HTTP_PORT, Metrics, TestCase, scratch_file, sockwatch, wait_for

SETTINGS = "/proc/sys/net/ipv4/"
SERVER = 5000
PORTS = 64
BLOCK = 'ephemeral: { for = "0s"; };\n'
FAST = 'poll: { listeners = "50ms"; connections = "100ms"; };\n'


def server(address, port=SERVER, family=socket.AF_INET):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(4096)
    return s


def drop(sockets):
    """Ends connections at once, without TIME_WAIT."""
    for s in sockets:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    sockets.clear()


class EphemeralTest(TestCase):
    numbers = itertools.count(1)
    asked_from = itertools.count(20000)

    def setUp(self):
        if not os.access(SETTINGS + "ip_local_port_range", os.W_OK):
            self.skipTest("the namespace's settings cannot be written here")
        number = next(self.numbers)
        self.sockets = []
        for name in ("ip_local_port_range", "ip_local_reserved_ports", "tcp_tw_reuse"):
            with open(SETTINGS + name, encoding="ascii") as file:
                self.addCleanup(self.set, name, file.read())
        self.addCleanup(drop, self.sockets)
        # What a test leaves in TIME_WAIT is nothing to the next one.
        self.address = f"127.0.{number}.1"
        self.first = 40000 + 100 * number
        self.set("ip_local_port_range", f"{self.first} {self.first + PORTS - 1}")

    def set(self, name, value):
        with open(SETTINGS + name, "w", encoding="ascii") as file:
            file.write(value)

    def serve(self, address, port=SERVER, family=socket.AF_INET):
        self.addCleanup(server(address, port, family).close)

    def connect(self, address, most=1000, family=socket.AF_INET):
        """Connects until there is no port. Returns how many there were."""
        for count in range(most):
            s = socket.socket(family)
            try:
                s.connect((address, SERVER))
            except OSError as error:
                s.close()
                self.assertEqual(error.errno, errno.EADDRNOTAVAIL)
                return count
            self.sockets.append(s)
        return most

    def ratio(self):
        return Metrics(sockwatch("metrics").stdout).get("ephemeral_ports_used_ratio")

    def ask(self, path):
        """Asks the daemon, from a port that is none of the range."""
        connection = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=5,
                                                source_address=("127.0.0.1", next(self.asked_from)))
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def metrics(self):
        return Metrics(self.ask("/metrics"))

    def wait_ratio(self, value):
        wait_for(f"{value}", lambda: self.metrics().get("ephemeral_ports_used_ratio") == value)

    def test_an_alert_fires_where_ports_run_out_and_nowhere_else(self):
        other = self.address[:-1] + "2"
        self.serve(self.address)
        self.serve(other)
        self.set("ip_local_port_range", f"{self.first} {self.first + 2 * PORTS - 1}")
        daemon = self.daemon(FAST + BLOCK)  # which is asked from some ports of the range
        self.set("ip_local_port_range", f"{self.first + PORTS} {self.first + 2 * PORTS - 1}")
        self.assertEqual((self.connect(other, 40), self.connect(self.address, 40)), (40, 40))
        self.wait_ratio(40 / PORTS)
        polls = self.metrics().get("polls_total", poll="listeners", result="success")
        wait_for("polls", lambda: self.metrics().get("polls_total", poll="listeners", result="success") > polls + 2)
        self.assertEqual(self.metrics().firing(), set())
        self.assertEqual(self.connect(self.address), 24)
        wait_for("the alert", lambda: self.metrics().firing() == {("EphemeralPortsExhausted", "", "")})
        self.wait_ratio(1)
        self.assertEqual(self.connect(other, 1), 1)
        drop(self.sockets)
        wait_for("no alert", lambda: self.metrics().firing() == set())
        self.assertEqual(self.metrics().get("dropped_total", what="tuples"), 0)
        self.assertEqual(daemon.log().count("alert EphemeralPortsExhausted firing"), 1, daemon.log())
        self.assertRegex(daemon.log(), rf"6\d of 64 local ports are in use from 127.0.0.1 to {self.address}:5000 \(")

    def test_what_is_reserved_or_bound_is_available_to_nobody(self):
        self.serve(self.address)
        self.serve("127.0.0.9", self.first + 20)
        self.serve("::", self.first + 21, socket.AF_INET6)
        self.set("ip_local_reserved_ports", f"80,{self.first}-{self.first + 9}")
        self.assertEqual(self.connect(self.address, 26), 26)
        self.assertEqual(self.ratio(), 0.5)
        self.assertEqual(self.connect(self.address), 26)
        self.assertEqual(self.ratio(), 1)
        self.assertIn(f"52 of 52 local ports are in use from 127.0.0.1 to {self.address}:5000 (100 %), expected less "
                      "than 80 %; new connections fail with EADDRNOTAVAIL",
                      sockwatch("check", "--config", scratch_file(BLOCK)).stdout)
        drop(self.sockets)
        self.assertEqual(self.ratio(), 0)
        self.set("ip_local_reserved_ports", "40000-50000")
        self.assertEqual(self.connect(self.address), 0)
        self.assertEqual(self.ratio(), 1)
        found = sockwatch("check", "--config", scratch_file(BLOCK))
        self.assertIn(f"none of the local ports {self.first}-{self.first + 63} is available", found.stdout)
        self.assertEqual(found.returncode, 1, found)

    def test_every_second_port_of_all_may_be_reserved(self):
        self.serve(self.address)
        self.set("ip_local_port_range", "1024 65535")
        self.set("ip_local_reserved_ports", ",".join(str(port) for port in range(1, 65536, 2)))
        self.assertEqual(self.connect(self.address, 3000), 3000)
        self.assertAlmostEqual(self.ratio(), 3000 / (64512 / 2 - 1), 9)  # on one of them somebody listens

    def test_time_wait_holds_its_port(self):
        self.set("tcp_tw_reuse", "0")
        listener = server(self.address)
        self.addCleanup(listener.close)
        self.assertEqual(self.connect(self.address), PORTS)
        accepted = [listener.accept()[0] for _ in self.sockets]
        for s in self.sockets:
            s.close()  # who closes first waits
        for s in accepted:
            self.assertEqual(s.recv(1), b"")
            s.close()
        self.sockets.clear()
        self.assertEqual(self.ratio(), 1)
        self.assertEqual(self.connect(self.address), 0)

    def test_mapped_addresses_are_the_same_destination(self):
        self.serve(self.address)
        self.assertEqual(self.connect("::ffff:" + self.address, 32, socket.AF_INET6), 32)
        self.assertEqual(self.ratio(), 0.5)
        self.assertEqual(self.connect(self.address), 32)
        self.assertEqual(self.ratio(), 1)

    def test_a_range_of_one_port(self):
        self.serve(self.address)
        self.set("ip_local_port_range", f"{self.first} {self.first}")
        self.assertEqual(self.ratio(), 0)
        self.assertEqual(self.connect(self.address), 1)
        self.assertEqual(self.ratio(), 1)

    def test_whom_a_server_serves_takes_no_port(self):
        self.serve(self.address, self.first)
        for i in range(20):
            s = socket.socket()
            self.sockets.append(s)
            s.bind(("127.0.0.1", 50000 + i))
            s.connect((self.address, self.first))
        self.assertEqual(self.ratio(), 0)
