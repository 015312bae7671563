"""The case sockwatch exists for: a real MariaDB, bound, moved, stopped, killed."""

import signal
import subprocess
import threading
import time

from harness import Daemon, MariaDB, TestCase, listening, wait_for

CONFIG = """
poll: { listeners = "1s"; };
expect = ( { name = "mysql"; port = 3306; scope = "public"; for = "0s"; } );
"""

PUBLIC_IPV4 = """
poll: { listeners = "100ms"; };
expect = ( { name = "mysql"; port = 3306; scope = "public"; families = [ "ipv4" ]; } );
"""

AT_ONE_ADDRESS = """
poll: { listeners = "50ms"; };
expect = ( { name = "mysql"; port = 3306; address = "192.0.2.10"; } );
"""

NOT_LISTENING = ("NotListening", "mysql", 3306)
LOOPBACK_ONLY = ("LoopbackOnly", "mysql", 3306)
WRONG_ADDRESS = ("WrongAddress", "mysql", 3306)
EXPOSED = ("Exposed", "mysql", 3306)


class MariaDBTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mariadb = MariaDB()

    def setUp(self):
        self.addCleanup(self.mariadb.stop)

    def restart(self, bind):
        self.mariadb.stop()
        self.mariadb.start(bind)

    def test_alert_within_two_seconds_of_a_restart(self):
        daemon = self.daemon(CONFIG.replace('"0s";', '"0s"; flapping: { max = 0; };'))
        daemon.wait_firing({NOT_LISTENING}, 2)
        self.mariadb.start("0.0.0.0")
        daemon.wait_firing(set(), 2)
        for _ in range(3):
            self.restart("127.0.0.1")
            daemon.wait_firing({LOOPBACK_ONLY}, 2)
            metrics = daemon.metrics()
            self.assertEqual(metrics.get("expected_listening", name="mysql", protocol="tcp", port=3306), 1)
            self.assertEqual(metrics.get("listener_info", port=3306, address="127.0.0.1", scope="loopback",
                                         port_class="registered", family="ipv4", protocol="tcp"), 1)
            self.mariadb.stop()
            daemon.wait_firing({NOT_LISTENING}, 2)
            self.assertEqual(daemon.metrics().get("expected_listening", name="mysql"), 0)
            self.assertEqual(daemon.metrics().get("connections", port=3306, state="established"), 0)
            self.mariadb.start("*")
            daemon.wait_firing(set(), 2)
            self.assertEqual(sorted(daemon.metrics().find("listener_sockets", port=3306)), [1, 1])
        # By each restart once, whether a poll saw it gone or only that it is bound elsewhere.
        self.assertEqual(daemon.metrics().get("expected_interruptions_total", name="mysql"), 6)

    def test_each_transition_is_one_log_line(self):
        daemon = self.daemon(CONFIG.replace('"1s"', '"50ms"'))
        self.mariadb.start("0.0.0.0")
        daemon.wait_firing(set())
        self.restart("127.0.0.1")
        daemon.wait_firing({LOOPBACK_ONLY})
        self.restart("0.0.0.0")
        daemon.wait_firing(set())
        log = daemon.log()
        # During the two restarts it is missing, which the polls see.
        for line in ("alert NotListening firing, critical: mysql: tcp port 3306 has no listener",
                     "alert LoopbackOnly firing, critical: mysql: NotListening became LoopbackOnly: tcp port 3306 is "
                     "bound only to loopback (127.0.0.1:3306)",
                     "alert NotListening firing, critical: mysql: LoopbackOnly became NotListening: tcp port 3306 has "
                     "no listener\n"):
            self.assertGreaterEqual(log.count(line), 1, log)
        self.assertEqual(log.count("NotListening firing"),
                         log.count("NotListening resolved") + log.count("NotListening became"), log)
        self.assertEqual(log.count("LoopbackOnly firing"), log.count("LoopbackOnly became"), log)

    def test_what_gets_worse_never_shows_a_moment_without_an_alert(self):
        """On loopback, which fires; then it is stopped, and "for" must not begin anew."""
        self.mariadb.start("127.0.0.1")
        daemon = self.daemon(CONFIG.replace('"1s"', '"100ms"').replace('"0s"', '"1s"'))
        daemon.wait_firing({LOOPBACK_ONLY})
        fired = daemon.metrics().find("alerts_fired_total", rule="NotListening", severity="critical")
        stopping = threading.Thread(target=self.mariadb.stop)
        stopping.start()
        self.addCleanup(stopping.join)
        seen = []
        while not seen or seen[-1] != {("NotListening", "mysql", "3306")}:
            seen.append(daemon.metrics().firing())
            self.assertEqual(len(seen[-1]), 1, daemon.log())
        stopping.join()
        self.assertEqual(daemon.metrics().get("alert_firing", rule="LoopbackOnly"), 0)
        self.assertEqual(daemon.metrics().find("alerts_fired_total", rule="NotListening", severity="critical"),
                         [fired[0] + 1])
        log = daemon.log()
        self.assertEqual(log.count("mysql: LoopbackOnly became NotListening"), 1, log)
        self.assertNotIn("resolved", log)
        self.mariadb.start("0.0.0.0")
        daemon.wait_firing(set())
        self.assertEqual(daemon.log().count("alert NotListening resolved"), 1, daemon.log())

    def test_killed_server_is_not_listening(self):
        daemon = self.daemon(CONFIG)
        self.mariadb.start("0.0.0.0")
        daemon.wait_firing(set(), 2)
        self.mariadb.stop(signal.SIGKILL)
        daemon.wait_firing({NOT_LISTENING}, 2)

    def test_v6only_wildcard_does_not_serve_ipv4(self):
        daemon = self.daemon(PUBLIC_IPV4)
        self.mariadb.start("::")
        daemon.wait_firing({WRONG_ADDRESS})
        self.assertEqual(daemon.metrics().get("listener_info", port=3306, address="::", family="ipv6",
                                              scope="any"), 1)
        self.restart("*")
        daemon.wait_firing(set())
        self.restart("127.0.0.1,::1")
        daemon.wait_firing({LOOPBACK_ONLY})

    def test_without_networking_it_is_not_listening(self):
        daemon = self.daemon(CONFIG)
        self.mariadb.start(None)
        daemon.wait_firing({NOT_LISTENING}, 2)

    def test_stopped_process_still_listens(self):
        daemon = self.daemon(CONFIG.replace('"1s"', '"50ms"'))
        self.mariadb.start("0.0.0.0")
        daemon.wait_firing(set())
        self.mariadb.server.process.send_signal(signal.SIGSTOP)
        try:
            polls = daemon.metrics().get("polls_total", poll="listeners", result="success")
            wait_for("three more polls", lambda: daemon.metrics().get(
                "polls_total", poll="listeners", result="success") >= polls + 3)
            self.assertEqual(daemon.metrics().firing(), set())
        finally:
            self.mariadb.server.process.send_signal(signal.SIGCONT)

    def test_for_delays_the_alert(self):
        daemon = self.daemon(CONFIG.replace('"1s"', '"50ms"').replace('"0s"', '"2s"'))
        started = time.monotonic()
        self.assertEqual(daemon.metrics().get("alerts", severity="critical", state="pending"), 1)
        self.assertEqual(daemon.metrics().get("alert_firing", rule="NotListening"), 0)
        daemon.wait_firing({NOT_LISTENING}, 5)
        self.assertGreater(time.monotonic() - started, 1.5)
        self.assertFalse(listening(3306))

    def test_an_address_means_there_and_nowhere_else(self):
        for address in ("192.0.2.10/32", "192.0.2.11/32"):
            subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)
        self.mariadb.start("192.0.2.10")
        daemon = self.daemon(AT_ONE_ADDRESS)
        daemon.wait_firing(set())
        self.restart("0.0.0.0")
        daemon.wait_firing({EXPOSED})
        self.assertIn("tcp port 3306 is bound beyond 192.0.2.10 (0.0.0.0:3306), expected there and nowhere else",
                      daemon.log())
        self.restart("192.0.2.11")
        daemon.wait_firing({WRONG_ADDRESS})
        self.assertIn("tcp port 3306 is not served on 192.0.2.10, bound to 192.0.2.11:3306", daemon.log())
