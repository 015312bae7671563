"""What a listener is from one poll to the next: its queue, what it drops, and
whether its sockets are still those that they were."""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import (SCRATCH, Server, TestCase, list_json, require, scratch_file, sockwatch, tcp_listener,
                     udp_socket, wait_for)

FAST = 'poll: { listeners = "20ms"; connections = "100ms"; };\n'
QUEUE = FAST + 'expect = ( { name = "web"; port = 5601; accept_queue = 0.8; %s } );'
SATURATED = ("AcceptQueueSaturated", "web", 5601)


def listen_drops():
    """ListenDrops of this network namespace, as the kernel counts them."""
    with open("/proc/net/netstat") as file:
        names, values = [line.split()[1:] for line in file if line.startswith("TcpExt: ")]
    return int(dict(zip(names, values))["ListenDrops"])


def client(address, port, family=None):
    """Begins to connect, and does not wait for the end of that."""
    s = socket.socket(family or (socket.AF_INET6 if ":" in address else socket.AF_INET), socket.SOCK_STREAM)
    s.setblocking(False)
    s.connect_ex((address, port))
    return s


def close_all(sockets):
    while sockets:
        sockets.pop().close()


def entry_of(port, *arguments):
    """The one listener of a port in a look of its own, or None."""
    found = [entry for entry in list_json(*arguments)["listeners"] if entry["port"] == port]
    assert len(found) < 2, found
    return found[0] if found else None


@contextlib.contextmanager
def frozen(daemon):
    """What happens meanwhile falls between two polls."""
    pid = daemon.process.pid
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), "the daemon ended"
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


class GenerationsCase(TestCase):
    def setUp(self):
        self.sockets = []
        self.addCleanup(lambda: close_all(self.sockets))

    def hold(self, s):
        """Keeps a socket until the end of the test."""
        self.sockets.append(s)
        return s

    def listen(self, port, address="127.0.0.1", **options):
        return self.hold(tcp_listener(address, port, **options))


class ListenDropsTest(GenerationsCase):
    def agreeing(self, daemon, port, before):
        """What the daemon and a look of its own say, at a moment when the kernel
        said the same before and after."""
        def look():
            first = listen_drops()
            daemon.wait_polls()
            metrics, entry = daemon.metrics(), entry_of(port)
            return (metrics, entry, first - before) if listen_drops() == first else None
        return wait_for("a moment without drops", look, 30)

    def compare_overflow(self, address, port):
        before = listen_drops()
        self.listen(port, address, backlog=3)
        daemon = self.daemon(FAST)
        self.assertEqual(daemon.metrics().get("listener_drops_total", port=port), 0)
        for _ in range(10):
            self.hold(client(address, port))
        moments = []
        while len(moments) < 3:
            metrics, entry, dropped = self.agreeing(daemon, port, before)
            self.assertEqual(metrics.get("listener_drops_total", port=port), dropped)
            self.assertEqual(entry["drops"], dropped)
            if not moments or dropped > moments[-1]:
                moments.append(dropped)
            wait_for("the clients try again", lambda: listen_drops() - before > moments[-1])
        self.assertGreaterEqual(moments[0], 6, "of ten clients, all but four")
        self.assertEqual(metrics.get("listener_accept_queue_length", port=port), 4)
        self.assertEqual(metrics.get("listener_accept_queue_limit", port=port), 3)
        self.assertEqual(metrics.get("listener_accept_queue_saturation_ratio", port=port), 1)
        self.assertEqual(entry["accept_queue"], {"length": 4, "limit": 3, "saturation_ratio": 1.0})
        self.assertIsNone(metrics.get("listener_receive_queue_bytes", port=port))

    def test_what_the_kernel_counts_ipv4(self):
        self.compare_overflow("127.0.0.1", 5501)

    def test_what_the_kernel_counts_ipv6(self):
        self.compare_overflow("::1", 5502)

    def test_each_of_two_listeners_has_its_own(self):
        before = listen_drops()
        self.listen(5503, backlog=3)
        self.listen(5504, backlog=3)
        daemon = self.daemon(FAST)
        clients = [client("127.0.0.1", 5503) for _ in range(10)]
        metrics, _, dropped = self.agreeing(daemon, 5503, before)
        close_all(clients)
        self.assertEqual(metrics.get("listener_drops_total", port=5503), dropped)
        self.assertEqual(metrics.get("listener_drops_total", port=5504), 0)

    def test_a_replaced_listener_takes_the_total_on(self):
        before, port = listen_drops(), 5505
        daemon = self.daemon(FAST)
        totals = []
        for polls_away in (0, 0, 3):
            listener, clients = self.listen(port, backlog=3), []
            daemon.wait_polls()
            self.assertEqual(daemon.metrics().get("listener_drops_total", port=port), totals[-1] if totals else 0)
            for _ in range(10):
                clients.append(client("127.0.0.1", port))
            wait_for("drops", lambda: listen_drops() - before >= (totals[-1] if totals else 0) + 6)
            close_all(clients)
            metrics, entry, dropped = self.agreeing(daemon, port, before)
            self.assertEqual(metrics.get("listener_drops_total", port=port), dropped)
            # One look knows but this socket.
            self.assertEqual(entry["drops"], dropped - (totals[-1] if totals else 0))
            self.assertEqual(metrics.get("listener_restarts_total", port=port), len(totals))
            totals.append(dropped)
            listener.close()
            if polls_away:
                daemon.wait_polls(polls_away)
                self.assertIsNone(daemon.metrics().get("listener_drops_total", port=port))
        self.listen(port, backlog=3)
        daemon.wait_polls()
        self.assertEqual(daemon.metrics().get("listener_drops_total", port=port), totals[-1])


class AcceptQueueTest(GenerationsCase):
    def saturation(self, daemon):
        return daemon.metrics().get("alert_firing", rule="AcceptQueueSaturated", name="web", protocol="tcp",
                                    port=5601, severity="warning")

    def test_fires_when_full_and_ends_with_accept(self):
        daemon = self.daemon(QUEUE % 'severity = "warning";')
        self.assertEqual(self.saturation(daemon), 0, "before there is a listener")
        listener = self.listen(5601, backlog=3)
        daemon.wait_firing(set())
        self.assertEqual(self.saturation(daemon), 0)
        for _ in range(3):
            self.hold(client("127.0.0.1", 5601))
        daemon.wait_polls()
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("listener_accept_queue_saturation_ratio", port=5601), 0.75)
        self.assertEqual(metrics.firing(), set())
        self.hold(client("127.0.0.1", 5601))
        daemon.wait_firing({SATURATED})
        self.assertEqual(self.saturation(daemon), 1)
        self.assertEqual(daemon.metrics().get("alerts", severity="warning", state="firing"), 1)
        result = sockwatch("check", "--config", daemon.config)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("AcceptQueueSaturated", result.stdout)
        self.assertEqual(entry_of(5601, "--config", daemon.config)["rules"], ["AcceptQueueSaturated"])
        self.hold(listener.accept()[0])
        daemon.wait_firing(set())
        self.assertEqual(self.saturation(daemon), 0)
        log = daemon.log()
        self.assertEqual(log.count("alert AcceptQueueSaturated firing, warning: web: tcp port 5601 "), 1, log)
        self.assertEqual(log.count("alert AcceptQueueSaturated resolved, warning"), 1, log)

    def test_for_delays_it(self):
        listener = self.listen(5601, backlog=0)
        daemon = self.daemon(QUEUE % 'severity = "warning"; for = "1s";', ["--debug"])
        started = time.monotonic()
        self.hold(client("127.0.0.1", 5601))
        daemon.wait_firing({SATURATED})
        self.assertGreaterEqual(time.monotonic() - started, 1)
        self.hold(listener.accept()[0])
        daemon.wait_firing(set())
        log = daemon.log()
        self.assertEqual(log.count("AcceptQueueSaturated pending"), 1, log)
        self.assertEqual(log.count("AcceptQueueSaturated firing"), 1, log)

    def test_a_backlog_of_zero(self):
        listener = self.listen(5601, backlog=0)
        daemon = self.daemon(QUEUE % 'severity = "warning";')
        self.assertEqual(daemon.metrics().get("listener_accept_queue_saturation_ratio", port=5601), 0)
        self.assertEqual(daemon.metrics().firing(), set())
        self.hold(client("127.0.0.1", 5601))
        daemon.wait_firing({SATURATED})
        self.assertEqual(daemon.metrics().get("listener_accept_queue_saturation_ratio", port=5601), 1)
        self.hold(listener.accept()[0])
        daemon.wait_firing(set())

    def test_the_fullest_of_a_group_counts(self):
        full = self.listen(5601, backlog=3, reuseport=True)
        empty = self.listen(5601, backlog=3, reuseport=True)
        empty.setblocking(False)
        daemon = self.daemon(QUEUE % 'severity = "warning";')
        waiting = 0
        while waiting < 4:  # the kernel chooses a member for each
            self.hold(client("127.0.0.1", 5601))
            try:
                self.hold(empty.accept()[0])
            except BlockingIOError:
                waiting += 1
        daemon.wait_firing({SATURATED})
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("listener_sockets", port=5601), 2)
        self.assertEqual(metrics.get("listener_accept_queue_length", port=5601), 4)
        self.assertEqual(metrics.get("listener_accept_queue_limit", port=5601), 6)
        self.assertEqual(metrics.get("listener_accept_queue_saturation_ratio", port=5601), 1)
        self.assertIn("that is 100 % full (127.0.0.1:5601, the fullest of 2 sockets: 4 waiting, limit 3), expected",
                      daemon.log())
        self.hold(full.accept()[0])
        daemon.wait_firing(set())

    def test_the_queue_of_another_service_is_none_of_it(self):
        self.listen(5601, backlog=3)
        self.listen(5602, backlog=0)
        self.hold(client("127.0.0.1", 5602))
        daemon = self.daemon(QUEUE % "")
        self.assertEqual(daemon.metrics().get("listener_accept_queue_saturation_ratio", port=5602), 1)
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().find("alert_firing", rule="AcceptQueueSaturated", port=5602), [])

    def test_what_is_no_ratio_is_an_error(self):
        for text, protocol, says in (("-0.5", "tcp", "expected a ratio"), ("1.5", "tcp", "expected a ratio"),
                                     ("2", "tcp", "expected a ratio"), ('"x"', "tcp", "expected a ratio"),
                                     ("true", "tcp", "expected a ratio"), ("0.8", "udp", 'expected protocol "tcp"'),
                                     ("0.8", "raw", 'expected protocol "tcp"')):
            path = scratch_file(f'expect = (\n  {{ name = "web"; port = 5; protocol = "{protocol}";\n'
                                f'    accept_queue = {text}; }} );\n')
            result = sockwatch("config", "check", path)
            with self.subTest(text=text, protocol=protocol):
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertRegex(result.stderr, rf"\A{re.escape(path)}:3: expect\[0\]\.accept_queue: .*{says}")
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        path = scratch_file('expect = ( { name = "web"; port = 5; accept_queue = 0.8; },\n'
                            '           { name = "all"; port = 6; accept_queue = 1; },\n'
                            '           { name = "any"; port = 7; accept_queue = 0; } );')
        self.assertEqual(sockwatch("config", "check", path).returncode, 0)
        shown = sockwatch("config", "show", path).stdout
        self.assertIn("accept_queue = 0.8;", shown)
        self.assertIn("accept_queue = 1.0;", shown)
        self.assertRegex(shown, r"accept_queue = 0(\.0)?;")  # which switches the rule off


def disconnect(s):
    """connect() with AF_UNSPEC, which Python does not know."""
    address = (ctypes.c_char * 16)()
    if ctypes.CDLL(None, use_errno=True).connect(s.fileno(), address, len(address)) != 0:
        raise OSError(ctypes.get_errno(), "connect")


class DatagramTest(GenerationsCase):
    def by_proc(self, name, port):
        """(bytes that wait, drops) of the socket in /proc/net."""
        with open(f"/proc/net/{name}") as file:
            rows = [line.split() for line in list(file)[1:]]
        found = [(int(row[4].split(":")[1], 16), int(row[-1])) for row in rows
                 if int(row[1].split(":")[1], 16) == port]
        self.assertEqual(len(found), 1)
        return found[0]

    def compare(self, address, port, name):
        server = udp_socket(address, port)
        self.hold(server)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender = self.hold(udp_socket(address, 0))
        daemon = self.daemon(FAST)

        def agree():
            daemon.wait_polls()
            waiting, dropped = self.by_proc(name, port)
            metrics, entry = daemon.metrics(), entry_of(port)
            self.assertEqual(metrics.get("listener_receive_queue_bytes", protocol="udp", port=port), waiting)
            self.assertEqual(metrics.get("listener_drops_total", protocol="udp", port=port), dropped)
            self.assertEqual((entry["receive_queue_bytes"], entry["drops"]), (waiting, dropped))
            self.assertIsNone(metrics.get("listener_accept_queue_length", port=port))
            return waiting, dropped
        self.assertEqual(agree(), (0, 0))
        sender.sendto(b"x" * 500, (address, port))
        one = agree()
        self.assertGreater(one[0], 500)
        self.assertEqual(one[1], 0)
        for _ in range(100):
            sender.sendto(b"x" * 500, (address, port))
        full = agree()
        self.assertGreater(full[0], one[0])
        self.assertGreater(full[1], 50)
        for _ in range(7):
            sender.sendto(b"x" * 500, (address, port))
        self.assertEqual(agree(), (full[0], full[1] + 7))
        server.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while server.recv(1000):
                pass
        self.assertEqual(agree(), (0, full[1] + 7))
        server.close()
        self.hold(udp_socket(address, port))
        daemon.wait_polls()
        self.assertEqual(daemon.metrics().get("listener_drops_total", protocol="udp", port=port), full[1] + 7)
        self.assertEqual(daemon.metrics().get("listener_restarts_total", protocol="udp", port=port), 1)
        self.assertEqual(entry_of(port)["drops"], 0)

    def drops(self, port):
        """Of all sockets of a port, connected or not."""
        with open("/proc/net/udp") as file:
            rows = [line.split() for line in list(file)[1:]]
        return sum(int(row[-1]) for row in rows if int(row[1].split(":")[1], 16) == port)

    def compare_while_connected(self, port, count):
        """A socket that is connected has left; disconnected it is back."""
        servers = [self.hold(udp_socket("127.0.0.1", port, reuseport=True)) for _ in range(count)]
        sender, peer = (self.hold(udp_socket("127.0.0.1", 0)) for _ in range(2))
        for server in servers:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        daemon, server = self.daemon(FAST), servers[0]
        for _ in range(3):
            before = self.drops(port)
            server.connect(peer.getsockname())
            daemon.wait_polls()
            self.assertEqual(daemon.metrics().get("listener_sockets", protocol="udp", port=port),
                             count - 1 or None)
            for s in (sender, peer):  # to the others; to this one, too
                for _ in range(50):
                    s.sendto(b"x" * 500, ("127.0.0.1", port))
            disconnect(server)
            daemon.wait_polls()
            metrics = daemon.metrics()
            self.assertEqual(metrics.get("listener_sockets", protocol="udp", port=port), count)
            self.assertGreater(self.drops(port), before + 20)
            self.assertEqual(metrics.get("listener_drops_total", protocol="udp", port=port), self.drops(port))
            self.assertEqual(metrics.get("listener_restarts_total", protocol="udp", port=port), 0)

    def test_a_member_that_is_connected_for_a_while(self):
        self.compare_while_connected(5703, 2)

    def test_a_service_that_is_connected_for_a_while(self):
        self.compare_while_connected(5704, 1)

    def test_what_the_kernel_counts_ipv4(self):
        self.compare("127.0.0.1", 5701, "udp")

    def test_what_the_kernel_counts_ipv6(self):
        self.compare("::1", 5702, "udp6")


class RestartTest(GenerationsCase):
    def restarts(self, daemon, port):
        return daemon.metrics().get("listener_restarts_total", port=port)

    def assert_restarts(self, daemon, port, wanted):
        daemon.wait_polls()
        self.assertEqual(self.restarts(daemon, port), wanted)

    def test_killed_server(self):
        require("redis-server")
        command = ["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", SCRATCH]
        server = Server(command, 6379)
        self.addCleanup(lambda: server.end(signal.SIGKILL))
        daemon = self.daemon(FAST + 'expect = ( { name = "redis"; port = 6379; scope = "loopback"; '
                                    'process = "redis-server"; accept_queue = 0.9; for = "60s"; } );')
        self.assert_restarts(daemon, 6379, 0)
        for count in range(1, 4):
            first = server.process.pid
            server.end(signal.SIGKILL)
            server = Server(command, 6379)
            self.assertNotEqual(server.process.pid, first)
            self.assert_restarts(daemon, 6379, count)
        metrics = daemon.metrics()
        self.assertEqual(metrics.firing(), set())
        for severity in ("warning", "critical"):
            self.assertEqual(metrics.get("alerts", severity=severity, state="pending"), 0)
        self.assertNotIn(" firing", daemon.log())
        self.assertEqual([owner["pid"] for owner in entry_of(6379)["owners"]], [server.process.pid])

    def test_a_restart_between_two_polls_is_no_alert_at_all(self):
        listener = self.listen(5801)
        daemon = self.daemon(FAST + 'expect = ( { name = "web"; port = 5801; process = "python*"; } );')
        for count in range(1, 4):
            with frozen(daemon):
                listener.close()
                listener = self.listen(5801)
            self.assert_restarts(daemon, 5801, count)
        self.assertNotIn("alert", daemon.log())

    def test_fifty_that_polls_see(self):
        listener = self.listen(5802)
        daemon = self.daemon(FAST)
        for _ in range(50):
            listener.close()
            listener = self.listen(5802)
            daemon.wait_polls()
        self.assertEqual(self.restarts(daemon, 5802), 50)
        self.assert_restarts(daemon, 5802, 50)

    def test_fifty_in_a_hurry(self):
        """How many fall between two polls is chance; that the last is the one
        that is shown is none."""
        listener = self.listen(5803, backlog=100)
        daemon = self.daemon(FAST)
        for i in range(1, 51):
            listener.close()
            listener = self.listen(5803, backlog=100 + i)
        daemon.wait_polls()
        metrics = daemon.metrics()
        self.assertIn(metrics.get("listener_restarts_total", port=5803), range(1, 51))
        self.assertEqual(metrics.get("listener_accept_queue_limit", port=5803), 150)
        self.assertEqual(metrics.get("listener_sockets", port=5803), 1)
        self.assertEqual(entry_of(5803)["accept_queue"]["limit"], 150)

    def test_after_several_polls_away(self):
        daemon = self.daemon(FAST)
        listener = self.listen(5804)
        self.assert_restarts(daemon, 5804, 0)
        for count in range(1, 4):
            listener.close()
            daemon.wait_polls(3 + count)
            self.assertIsNone(self.restarts(daemon, 5804), "a service that is gone has no series")
            listener = self.listen(5804)
            self.assert_restarts(daemon, 5804, count)

    def test_a_second_listen_is_none(self):
        listener = self.listen(5805, backlog=5)
        daemon = self.daemon(FAST)
        listener.listen(50)
        self.assert_restarts(daemon, 5805, 0)
        self.assertEqual(daemon.metrics().get("listener_accept_queue_limit", port=5805), 50)

    def test_another_address_is_another_service(self):
        listener = self.listen(5806)
        daemon = self.daemon(FAST)
        listener.close()
        self.listen(5806, "127.0.0.2")
        self.assert_restarts(daemon, 5806, 0)

    def test_members_that_join_or_leave_are_none(self):
        members = [self.listen(5807, reuseport=True) for _ in range(2)]
        daemon = self.daemon(FAST)
        members.append(self.listen(5807, reuseport=True))
        self.assert_restarts(daemon, 5807, 0)
        members.append(self.listen(5807, reuseport=True))
        self.assert_restarts(daemon, 5807, 0)
        self.assertEqual(daemon.metrics().get("listener_sockets", port=5807), 4)
        members.pop().close()
        self.assert_restarts(daemon, 5807, 0)
        members.pop().close()
        self.assert_restarts(daemon, 5807, 0)
        members.pop().close()
        self.assert_restarts(daemon, 5807, 0)
        self.assertEqual(daemon.metrics().get("listener_sockets", port=5807), 1)
        self.listen(5807, reuseport=True)  # in the place of one that left
        self.assert_restarts(daemon, 5807, 1)

    def test_all_members_replaced_are_one(self):
        members = [self.listen(5808, reuseport=True) for _ in range(3)]
        daemon = self.daemon(FAST)
        for count in range(1, 4):
            with frozen(daemon):
                close_all(members)
                members = [self.listen(5808, reuseport=True) for _ in range(3)]
            self.assert_restarts(daemon, 5808, count)
            self.assertEqual(daemon.metrics().get("listener_sockets", port=5808), 3)
        close_all(members)  # and seen to be away
        daemon.wait_polls()
        with frozen(daemon):
            members = [self.listen(5808, reuseport=True) for _ in range(3)]
        self.assert_restarts(daemon, 5808, 4)

    def test_handed_over_between_two_polls(self):
        old = self.listen(5809, reuseport=True)
        daemon = self.daemon(FAST)
        for count in range(1, 4):
            with frozen(daemon):
                new = self.listen(5809, reuseport=True)
                old.close()
            old = new
            self.assert_restarts(daemon, 5809, count)
            self.assertEqual(daemon.metrics().get("listener_sockets", port=5809), 1)

    def test_handed_over_while_a_poll_looks(self):
        """A poll that sees the new socket beside the old one sees a member join:
        that it was no member more is seen when the old one goes."""
        old = self.listen(5810, reuseport=True)
        daemon = self.daemon(FAST)
        for count in range(1, 4):
            new = self.listen(5810, reuseport=True)
            daemon.wait_polls()
            self.assertEqual(daemon.metrics().get("listener_sockets", port=5810), 2)
            old.close()
            old = new
            daemon.wait_polls()
            self.assertEqual(self.restarts(daemon, 5810), count)
            self.assertEqual(daemon.metrics().get("listener_sockets", port=5810), 1)

    def test_a_listener_that_listens_again_is_the_same(self):
        listener = self.listen(5811)
        daemon = self.daemon(FAST)
        for _ in range(2):
            listener.shutdown(socket.SHUT_RD)
            daemon.wait_polls()
            self.assertIsNone(self.restarts(daemon, 5811))
            listener.listen(16)
            self.assert_restarts(daemon, 5811, 0)


class WindowTest(GenerationsCase):
    REDIS = FAST + ('expect = ( { name = "redis"; port = 6379; process = "redis-server"; for = "60s"; '
                    'flapping: { max = 1; window = "%s"; }; } );')

    def interruptions(self, daemon):
        return daemon.metrics().get("expected_interruptions_total", name="redis", protocol="tcp", port=6379)

    def test_a_server_that_is_restarted_again_and_again(self):
        """Once so that polls see it gone, and once so that they do not."""
        require("redis-server")
        command = ["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", SCRATCH]
        daemon = self.daemon(self.REDIS % "1h")
        server = Server(command, 6379)
        self.addCleanup(lambda: server.end(signal.SIGKILL))
        daemon.wait_polls()
        self.assertEqual(self.interruptions(daemon), 0, "it came, which is none")
        self.assertEqual(daemon.metrics().get("alert_firing", rule="Flapping", name="redis"), 0)
        server.end(signal.SIGKILL)
        daemon.wait_polls()
        server = Server(command, 6379)
        daemon.wait_polls()
        self.assertEqual(self.interruptions(daemon), 1)
        self.assertEqual(daemon.metrics().firing(), set())
        with frozen(daemon):
            server.end(signal.SIGKILL)
            server = Server(command, 6379)
        daemon.wait_firing({("Flapping", "redis", 6379)})
        self.assertEqual(self.interruptions(daemon), 2)
        self.assertIn("alert Flapping firing, critical: redis: tcp port 6379 was interrupted 2 times in 1h, "
                      "expected 1 at most\n", daemon.log())
        daemon.reload(self.REDIS % "50h")
        daemon.wait_firing({("Flapping", "redis", 6379)})
        daemon.reload(self.REDIS % "1s")  # which holds none of them any more, by and by
        daemon.wait_firing(set())
        self.assertEqual(self.interruptions(daemon), 2)
        self.assertEqual(daemon.log().count("alert Flapping resolved"), 1, daemon.log())
        self.assertEqual(sockwatch("check", "--config", daemon.config).returncode, 0)

    def test_datagrams_that_are_dropped(self):
        server = self.hold(udp_socket("127.0.0.1", 5860))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender = self.hold(udp_socket("127.0.0.1", 0))

        def send(count):
            for _ in range(count):
                sender.sendto(b"x" * 500, ("127.0.0.1", 5860))
        send(100)  # which was before, and is no news
        daemon = self.daemon(FAST + 'expect = ( { name = "dns"; port = 5860; protocol = "udp"; '
                                    'drops: { max = 40; window = "1m"; }; for = "60s"; } );')
        before = daemon.metrics().get("listener_drops_total", protocol="udp", port=5860)
        self.assertGreater(before, 50)
        send(40)
        daemon.wait_polls()
        self.assertEqual(daemon.metrics().get("listener_drops_total", protocol="udp", port=5860), before + 40)
        self.assertEqual(daemon.metrics().get("alert_firing", rule="Dropping", name="dns"), 0)
        send(7)
        daemon.wait_firing({("Dropping", "dns", 5860)})
        daemon.wait_polls()
        self.assertRegex(daemon.log(), r"alert Dropping firing, critical: dns: udp port 5860 dropped 4[1-7] datagrams "
                                       r"in 1m, expected 40 at most\n")


class BetweenScrapesTest(GenerationsCase):
    """What nobody scraped while it was there is still counted."""

    def full_seconds(self, daemon):
        return daemon.metrics().get("listener_accept_queue_saturated_seconds_total", port=5850)

    def test_how_long_a_queue_was_full(self):
        listener = self.listen(5850, backlog=1)
        daemon = self.daemon(FAST)
        self.assertEqual(self.full_seconds(daemon), 0)
        started = time.monotonic()
        for _ in range(2):
            self.hold(client("127.0.0.1", 5850))
        daemon.wait_polls()
        before = self.full_seconds(daemon)
        daemon.wait_polls(10)  # which find nothing new
        after = self.full_seconds(daemon)
        self.assertGreaterEqual(after - before, 0.15)
        self.assertLessEqual(after, time.monotonic() - started)
        self.hold(listener.accept()[0])
        daemon.wait_polls()
        after = self.full_seconds(daemon)
        daemon.wait_polls()
        self.assertEqual(self.full_seconds(daemon), after)

    def test_listeners_that_came_and_went(self):
        self.listen(5851)
        daemon = self.daemon(FAST)
        for protocol in ("tcp", "udp", "udplite", "sctp", "raw"):
            for what in ("appeared", "disappeared"):
                self.assertEqual(daemon.metrics().get(f"listeners_{what}_total", protocol=protocol), 0)
        for port in (5852, 5853, 5852):
            s = tcp_listener("127.0.0.1", port)
            daemon.wait_polls()
            s.close()
            daemon.wait_polls()
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("listeners_appeared_total", protocol="tcp"), 3)
        self.assertEqual(metrics.get("listeners_disappeared_total", protocol="tcp"), 3)
        self.assertEqual(metrics.get("listeners_appeared_total", protocol="udp"), 0)


class ListTest(GenerationsCase):
    """The number of restarts in a look of its own comes from the daemon."""

    def restarts_by_list(self, *arguments):
        return {(entry["address"], entry["port"]): entry["restarts"]
                for entry in list_json(*arguments)["listeners"] if entry["port"] in (5901, 5902)}

    def restart(self, daemon, times):
        listener = self.listen(5901)
        daemon.wait_polls()
        for _ in range(times):
            listener.close()
            listener = self.listen(5901)
            daemon.wait_polls()

    def test_beside_the_daemon(self):
        self.listen(5902, "::1")
        self.assertEqual(self.restarts_by_list(), {("::1", 5902): None})
        daemon = self.daemon(FAST)
        self.restart(daemon, 2)
        metrics = daemon.metrics()
        wanted = {("127.0.0.1", 5901): metrics.get("listener_restarts_total", port=5901),
                  ("::1", 5902): metrics.get("listener_restarts_total", port=5902)}
        self.assertEqual(set(wanted.values()), {2, 0})
        self.assertEqual(self.restarts_by_list(), wanted)
        self.assertEqual(self.restarts_by_list("--config", daemon.config), wanted)
        header, *rows = sockwatch("list").stdout.splitlines()
        self.assertIn("RESTARTS", header)
        row = next(row for row in rows if "127.0.0.1:5901" in row)
        column = header.index("RESTARTS")
        self.assertEqual(row[:column + len("RESTARTS")].split()[-1], "2")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.restarts_by_list(), {key: None for key in wanted})

    def test_where_the_configuration_says_it_is(self):
        config = FAST + 'web: { listen = [ "[::]:10090" ]; };'
        daemon = self.daemon(config, port=10090)
        self.restart(daemon, 1)
        self.assertEqual(self.restarts_by_list("--config", daemon.config), {("127.0.0.1", 5901): 1})
        self.assertEqual(self.restarts_by_list(), {("127.0.0.1", 5901): None})

    def test_one_that_is_new_is_not_known_to_it(self):
        self.listen(5901)
        self.daemon('poll: { listeners = "1h"; };')
        self.listen(5902)
        self.assertEqual(self.restarts_by_list(), {("127.0.0.1", 5901): 0, ("127.0.0.1", 5902): None})

    def test_what_is_no_daemon_tells_nothing(self):
        self.listen(5901)
        self.listen(10066)  # accepts, and never says anything
        self.assertEqual(self.restarts_by_list(), {("127.0.0.1", 5901): None})
        close_all(self.sockets)
        self.listen(5901)
        with subprocess.Popen(["python3", "-m", "http.server", "--bind", "127.0.0.1", "10066"], cwd=SCRATCH,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
            wait_for("the other server listens", lambda: entry_of(10066))
            self.assertEqual(self.restarts_by_list(), {("127.0.0.1", 5901): None})
            other.kill()

    def test_a_daemon_that_hangs_hides_nothing_else(self):
        daemon = self.daemon(FAST + 'web: { listen = [ "127.0.0.1:10066" ]; };')
        self.listen(5901)
        with frozen(daemon):
            self.assertEqual(self.restarts_by_list("--config", daemon.config), {("127.0.0.1", 5901): None})


class KernelChosenPortTest(GenerationsCase):
    """Unless asked for, a UDP socket on such a port is a client, and no listener."""

    def sockets_of_clients(self):
        bound = self.hold(udp_socket("0.0.0.0", 0))
        sender = self.hold(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sender.sendto(b"x", ("127.0.0.1", 9))
        bound6 = self.hold(udp_socket("::1", 0))
        return [s.getsockname()[1] for s in (bound, sender, bound6)]

    def test_only_in_list_all(self):
        ports = self.sockets_of_clients()
        server = self.hold(udp_socket("127.0.0.1", 5999))
        def udp(*arguments):
            return {entry["port"]: entry["kernel_chosen_port"] for entry in list_json(*arguments)["listeners"]
                    if entry["protocol"] == "udp"}
        self.assertEqual(udp(), {5999: False})
        self.assertEqual(udp("--all"), {5999: False, **{port: True for port in ports}})
        text = sockwatch("list").stdout
        everything = sockwatch("list", "--all").stdout
        for port in ports:
            self.assertNotIn(f":{port} ", text)
            self.assertRegex(everything, rf"(?m):{port} .*kernel")
        self.assertNotRegex(everything, r"(?m):5999 .*kernel")
        server.close()
        self.assertEqual(udp(), {})

    def test_neither_metrics_nor_alerts(self):
        ports = self.sockets_of_clients()
        expect = ", ".join(f'{{ name = "chosen"; port = {port}; protocol = "udp"; }}' for port in ports)
        for config, firing in (("unexpected: {};", set()),
                               (f'expect = ( {expect} ); unexpected: {{}};',
                                {("NotListening", "chosen", port) for port in ports})):
            with self.subTest(config=config):
                daemon = self.daemon(FAST + config)
                daemon.wait_firing(firing)
                daemon.wait_polls()
                metrics = daemon.metrics()
                self.assertEqual(metrics.firing(), {(rule, name, str(port)) for rule, name, port in firing})
                for port in ports:
                    self.assertEqual([key for key in metrics.series if key[0].startswith("sockwatch_listener_")
                                      and ("port", str(port)) in key[1]], [])
                    self.assertEqual(metrics.get("expected_listening", port=port), 0 if firing else None)
                self.assertEqual(metrics.find("listeners", protocol="udp"), [0] * len(
                    metrics.find("listeners", protocol="udp")))
                self.assertEqual(daemon.stop(), 0)
                result = sockwatch("check", "--json", "--config", daemon.config)
                self.assertEqual({(a["rule"], a["name"], a["port"]) for a in json.loads(result.stdout)["alerts"]},
                                 firing)

    def test_a_server_on_the_same_number_is_a_listener(self):
        chosen = self.hold(udp_socket("127.0.0.1", 0))
        port = chosen.getsockname()[1]
        daemon = self.daemon(FAST + f'expect = ( {{ name = "dns"; port = {port}; protocol = "udp"; }} ); '
                                    'unexpected: {};')
        daemon.wait_firing({("NotListening", "dns", port)})
        self.hold(udp_socket("127.0.0.1", port))  # both with SO_REUSEADDR
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().get("listener_sockets", protocol="udp", port=port), 1)
        rows = [entry for entry in list_json("--all")["listeners"] if entry["port"] == port]
        self.assertEqual(sorted(entry["kernel_chosen_port"] for entry in rows), [False, True])
