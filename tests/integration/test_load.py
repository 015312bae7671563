"""Nothing waits: polls, reloads and the end come on time beside what takes long."""

import os
import re
import signal
import subprocess
import time
import unittest

from harness import BUILD, Daemon, TestCase, request, tcp_listener, wait_for

# With 100 ms between counts and many sockets a count is under way nearly always.
BUSY = 'poll: { listeners = "50ms"; connections = "100ms"; };\n'
SOCKETS, PROCESSES = 60000, 6
HOLD_SOCKETS = os.path.join(BUILD, "tests/bench/hold_sockets")
FIRST_PORT = 65100  # beyond those that connections use


def cannot_hold():
    """Why so many sockets cannot be held here, or None."""
    with subprocess.Popen([HOLD_SOCKETS, "2", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as probe:
        if probe.stdout.readline() != b"ready\n":
            return "sockets cannot be held"
    limit = int(subprocess.run(["sh", "-c", "ulimit -Hn"], capture_output=True, text=True).stdout.replace(
        "unlimited", "1000000"))
    return None if limit > SOCKETS // PROCESSES + 100 else f"only {limit} descriptors allowed"


class LoadTest(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reason = cannot_hold()
        if reason:
            raise unittest.SkipTest(reason)
        cls.holder = subprocess.Popen([HOLD_SOCKETS, str(SOCKETS), str(PROCESSES)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.release)
        assert cls.holder.stdout.readline() == b"ready\n"

    @classmethod
    def release(cls):
        cls.holder.stdin.close()
        cls.holder.wait()
        cls.holder.stdout.close()

    def busy_daemon(self):
        """A daemon that has counted all sockets and goes on counting."""
        daemon = self.daemon(BUSY)
        wait_for("all sockets are counted",
                 lambda: (daemon.metrics().get("sockets", protocol="tcp", state="established") or 0) >= SOCKETS)
        return daemon

    def polls(self, daemon, poll):
        return daemon.metrics().get("polls_total", poll=poll, result="success")

    def test_listeners_are_polled_while_connections_are_counted(self):
        daemon = self.busy_daemon()
        counted, polled, since = self.polls(daemon, "connections"), self.polls(daemon, "listeners"), time.monotonic()
        for port in range(FIRST_PORT, FIRST_PORT + 10):
            with tcp_listener("127.0.0.1", port):
                wait_for(f"port {port}", lambda: daemon.metrics().get("listener_sockets", port=port))
        # Had polls waited for counts, there were about as many of them.
        wait_for("some more counts", lambda: self.polls(daemon, "connections") >= counted + 5)
        seconds = time.monotonic() - since
        self.assertGreater(self.polls(daemon, "listeners") - polled, seconds / 0.05 * 0.5)
        # What was counted in pieces is whole.
        established = daemon.metrics().get("sockets", protocol="tcp", state="established")
        self.assertGreaterEqual(established, SOCKETS)
        self.assertLess(established, SOCKETS + 100)

    def test_the_holder_of_a_new_listener_is_found_beside_many_descriptors(self):
        daemon = self.busy_daemon()
        with tcp_listener("127.0.0.1", FIRST_PORT):
            wait_for("its process", lambda: re.search(
                rf'sockwatch_listener_info{{[^\n]*port="{FIRST_PORT}"[^\n]*process="python3"', daemon.metrics().text))

    def test_a_reload_in_the_middle(self):
        daemon = self.busy_daemon()
        for i in range(5):
            daemon.reload(BUSY + f'expect = ( {{ name = "s{i}"; port = {FIRST_PORT + i}; }} );\n')
            wait_for("the new expectation", lambda: daemon.metrics().get(
                "expected_listening", name=f"s{i}", port=FIRST_PORT + i) == 0)
        counted = self.polls(daemon, "connections")
        wait_for("counts go on", lambda: self.polls(daemon, "connections") > counted + 1)
        self.assertGreaterEqual(daemon.metrics().get("sockets", protocol="tcp", state="established"), SOCKETS)

    def test_the_end_in_the_middle(self):
        for wanted in (signal.SIGTERM, signal.SIGINT):
            daemon = self.busy_daemon()
            daemon.process.send_signal(wanted)
            self.assertEqual(daemon.process.wait(5), 0)

    def test_ready_and_healthy_in_the_middle(self):
        self.busy_daemon()
        for _ in range(20):
            self.assertEqual(request("/-/ready")[0], 200)
            self.assertEqual(request("/-/healthy")[0], 200)
