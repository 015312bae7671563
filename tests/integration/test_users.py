"""What users are called, by a directory that is slow, late, or of another mind."""

import json
import os
import subprocess
import sys
import time
import unittest

from harness import BUILD, SOCKWATCH, TestCase, has_one_user, listening, scratch_file, wait_for

UID = 4242
PORT = 7900
LISTENS = "import signal, socket; s = socket.create_server(('127.0.0.1', %d)); signal.pause()" % PORT
CONFIG = """
poll: { listeners = "50ms"; };
expect = ( { name = "service"; port = %d; user = "mysql"; for = "0s"; } );
""" % PORT
MODULES = os.path.join(BUILD, "tests", "integration")


def setUpModule():
    if has_one_user():
        raise unittest.SkipTest("cannot become another user in a user namespace of one user")
    switch = scratch_file("passwd: files slow\n", ".nsswitch")
    subprocess.run(["mount", "--bind", switch, "/etc/nsswitch.conf"], check=True)


class Users(TestCase):
    def setUp(self):
        self.directory = scratch_file("0\n", ".users")
        self.environment = {"LD_LIBRARY_PATH": MODULES, "SOCKWATCH_NSS_FILE": self.directory}
        server = subprocess.Popen(["setpriv", "--reuid", str(UID), "--clear-groups", sys.executable, "-c", LISTENS])
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_for("it listens", lambda: listening(PORT))

    def tell(self, seconds, name=None):
        """What the directory says from now on, and how soon."""
        with open(self.directory + ".new", "w") as file:
            file.write(f"{seconds}\n" + (f"{UID} {name}\n" if name else ""))
        os.rename(self.directory + ".new", self.directory)

    def name(self, daemon):
        for sample, labels in daemon.metrics().series:
            if sample == "sockwatch_listener_info" and ("port", str(PORT)) in labels:
                return dict(labels).get("user")
        return None

    def wait_name(self, daemon, name, seconds=10):
        wait_for(f"the user is called {name}", lambda: self.name(daemon) == name, seconds)

    def test_a_slow_directory_delays_names_and_no_poll(self):
        self.tell(5, "mysql")
        look = subprocess.Popen([SOCKWATCH, "list", "--json"], stdout=subprocess.PIPE,
                                env={**os.environ, **self.environment})
        self.addCleanup(look.stdout.close)
        began = time.monotonic()
        daemon = self.daemon(CONFIG, environment=self.environment)
        self.assertLess(time.monotonic() - began, 4)
        while time.monotonic() - began < 4.5:
            daemon.wait_polls(5)
            metrics = daemon.metrics()
            self.assertLess(time.time() - metrics.get("last_poll_timestamp_seconds", poll="listeners"), 1.5)
            self.assertEqual(metrics.firing(), set())
            self.assertEqual(metrics.find("listener_info", port=PORT, user=UID), [])
        self.wait_name(daemon, "mysql")
        self.assertEqual(daemon.metrics().firing(), set())
        # One that looks once waits for as long as this takes.
        seen = json.loads(look.communicate(timeout=30)[0])["listeners"]
        self.assertEqual(look.returncode, 0)
        self.assertEqual([(l["uid"], [owner["user"] for owner in l["owners"]]) for l in seen if l["port"] == PORT],
                         [(UID, ["mysql"])])

    def test_a_name_that_comes_late_or_changes_is_believed(self):
        daemon = self.daemon(CONFIG, environment=self.environment)
        daemon.wait_firing([("WrongOwner", "service", PORT)])
        self.assertEqual(self.name(daemon), str(UID))
        self.tell(0, "mysql")
        daemon.wait_firing([])  # within some seconds
        self.assertEqual(self.name(daemon), "mysql")
        self.tell(0, "!")
        daemon.reload(CONFIG)  # which asks anew, though in vain
        daemon.wait_polls(10)
        self.assertEqual(self.name(daemon), "mysql")
        self.tell(0, "other")
        daemon.wait_firing([("WrongOwner", "service", PORT)])
        self.assertEqual(self.name(daemon), "other")

    def test_a_directory_that_hangs_keeps_nobody_from_stopping(self):
        self.tell(60)
        daemon = self.daemon(CONFIG, environment=self.environment)
        daemon.wait_polls(3)
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0, daemon.log())
        self.assertLess(time.monotonic() - began, 5)
