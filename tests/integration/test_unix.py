"""Unix sockets that wait for connections: real servers, and names that somebody chose."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile

from harness import SCRATCH, MariaDB, Server, TestCase, list_json, require, scratch_file, sockwatch, wait_for


def config(path, more=""):
    return f"""
poll: {{ listeners = "50ms"; }};
expect = ( {{ name = "db"; protocol = "unix"; path = "{path}"; flapping: {{ max = 0; }}; {more} }} );
unexpected: {{ }};
allow = ( {{ ports = "1-65535"; protocol = [ "tcp", "udp" ]; }} );
"""


@contextlib.contextmanager
def unix_listener(name, backlog=4, kind=socket.SOCK_STREAM):
    """At a path, which is removed afterwards, or at an abstract name, which begins with a NUL."""
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.bind(name)
        s.listen(backlog)
        yield s
    if not name.startswith(b"\0"):
        os.unlink(name)


def unix_rows(*arguments):
    return {row["path"]: row for row in list_json("--all", "--protocol", "unix", *arguments)["listeners"]}


class UnixTest(TestCase):
    def wait_rule(self, daemon, *rules):
        daemon.wait_firing({(rule, "db", "") for rule in rules})

    def path(self, name="s.sock"):
        directory = tempfile.mkdtemp(dir=SCRATCH)
        os.chmod(directory, 0o755)
        return os.path.join(directory, name)

    def test_mariadb_up_stopped_and_of_another_user(self):
        mariadb = MariaDB()
        self.addCleanup(mariadb.stop)
        path = f"{mariadb.directory}/s.sock"
        daemon = self.daemon(config(path, 'user = "mysql"; accept_queue = 0.8;'))
        self.wait_rule(daemon, "NotListening")
        self.assertEqual(daemon.metrics().get("expected_listening", name="db", protocol="unix", path=path), 0)
        mariadb.start(None)
        self.wait_rule(daemon)
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("expected_listening", name="db", path=path), 1)
        self.assertEqual(metrics.get("listener_info", protocol="unix", path=path, user="mysql"), 1)
        self.assertGreater(metrics.get("listener_accept_queue_limit", path=path), 0)
        mariadb.stop()
        self.wait_rule(daemon, "NotListening")
        self.assertIn(f"alert NotListening firing, critical: db: unix {path} has no listener", daemon.log())
        if os.path.exists(path):
            os.unlink(path)
        with unix_listener(path.encode()):
            self.wait_rule(daemon, "WrongOwner")
        self.wait_rule(daemon, "NotListening")

    def test_redis_whose_queue_is_full(self):
        require("redis-server")
        path = self.path()
        server = Server(["redis-server", "--port", "0", "--unixsocket", path, "--tcp-backlog", "2", "--save", ""], None)
        self.addCleanup(server.end)
        wait_for("redis listens", lambda: path in unix_rows(), 30)
        daemon = self.daemon(config(path))
        self.wait_rule(daemon)
        server.process.send_signal(signal.SIGSTOP)  # nobody accepts any more
        with contextlib.ExitStack() as clients:
            for _ in range(3):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(path)
            self.wait_rule(daemon, "AcceptQueueSaturated")
            self.assertEqual(daemon.metrics().get("listener_accept_queue_length", path=path), 3)
            self.assertEqual(daemon.metrics().get("listener_accept_queue_saturation_ratio", path=path), 1)
            server.process.send_signal(signal.SIGCONT)
            self.wait_rule(daemon)

    def test_only_what_is_expected_has_series(self):
        """Abstract names, packets in order, and names that were chosen to be mistaken for others."""
        path = self.path()
        strange = b"\0a\0b\n\"\\\xff"
        names = [b"\0bus", strange, os.path.dirname(path).encode() + b"/\x1b[2J", path.encode() + b"x"]
        with contextlib.ExitStack() as stack:
            for name in names:
                stack.enter_context(unix_listener(name))
            daemon = self.daemon(config("@bus"))
            self.wait_rule(daemon)
            metrics = daemon.metrics()
            self.assertEqual(metrics.get("listener_sockets", protocol="unix", path="@bus"), 1)
            self.assertEqual(len(metrics.find("listener_sockets", protocol="unix")), 1)
            self.assertEqual(metrics.get("listeners", protocol="unix"), len(names))
            rows = unix_rows("--config", daemon.config)
            self.assertLessEqual({"@bus", '@a\\x00b\\x0a"\\\\xff', os.path.dirname(path) + "/\\x1b[2J", path + "x"},
                                 set(rows))
            self.assertEqual(rows["@bus"]["accept_queue"], {"length": 0, "limit": 4, "saturation_ratio": 0.0})
            self.assertEqual(rows["@bus"]["owners"][0]["pid"], os.getpid())
            self.assertEqual([rows["@bus"][key] for key in ("family", "address", "port", "scope")], [None] * 4)
            shown = sockwatch("list", "--config", daemon.config).stdout
            self.assertNotIn("\\x1b", shown)
            self.assertNotIn("\x1b", sockwatch("list", "--all", "--config", daemon.config).stdout)
        self.wait_rule(daemon, "NotListening")
        with unix_listener(b"\0bus", kind=socket.SOCK_SEQPACKET):
            self.wait_rule(daemon)

    def test_a_relative_path_does_not_pass_for_an_abstract_name(self):
        directory = os.path.dirname(self.path())
        daemon = self.daemon(config("@bus"))
        self.wait_rule(daemon, "NotListening")
        before = os.getcwd()
        os.chdir(directory)
        self.addCleanup(os.chdir, before)
        with unix_listener(b"@bus"):
            daemon.wait_polls()
            self.assertIn("./@bus", unix_rows())
            self.assertEqual(daemon.metrics().get("expected_listening", name="db"), 0)

    def test_a_socket_whose_file_was_removed_or_replaced_serves_nobody(self):
        """On a file system that a service sees as all others do, unlike /tmp."""
        directory = "/run/sockwatch-test"
        os.makedirs(directory, exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory]).returncode != 0:
            self.skipTest("cannot mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", directory])
        path = f"{directory}/s.sock"
        daemon = self.daemon(config(path))
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.bind(path)
            first.listen()
            self.wait_rule(daemon)
            os.unlink(path)
            self.wait_rule(daemon, "NotListening")
            second.bind(path)
            daemon.wait_polls()
            self.assertEqual(daemon.metrics().get("expected_listening", name="db"), 0)
            second.listen()
            self.wait_rule(daemon)
            self.assertEqual(daemon.metrics().get("listener_sockets", path=path), 1)
            shown = sockwatch("list", "--all", "--config", daemon.config).stdout
            self.assertEqual(sum(path in line and " absent " in line for line in shown.splitlines()), 1, shown)

    def test_a_look_and_its_check(self):
        path = self.path()
        file = scratch_file(config(path, 'user = "root";'))
        missing = sockwatch("check", "--config", file, "--json")
        self.assertEqual(missing.returncode, 2)
        alert, = json.loads(missing.stdout)["alerts"]
        self.assertEqual((alert["rule"], alert["port"], alert["path"]), ("NotListening", None, path))
        with unix_listener(path.encode()):
            self.assertEqual(sockwatch("check", "--config", file).returncode, 0)
            expected, = list_json("--config", file)["expected"]
            self.assertEqual((expected["status"], expected["path"]), ("ok", path))
            nobody = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "true"])
            if nobody.returncode == 0:
                prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
                self.assertEqual(sockwatch("check", "--config", file, prefix=prefix).returncode, 0)
