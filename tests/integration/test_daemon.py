"""The daemon's life: start, reload, notify, stop; and what it says when it cannot."""

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time

from harness import (BUILD, HTTP_PORT, ROOT, SCRATCH, SOCKWATCH, Daemon, Metrics, TestCase, as_user, list_json,
                     request, scratch_file, sockwatch, tcp_listener, wait_for)

FAST = 'poll: { listeners = "50ms"; connections = "100ms"; };\n'
DEFAULT_FILE = "/etc/sockwatch/sockwatch.conf"
DENY_NETLINK = os.path.join(BUILD, "tests/integration/deny_netlink")
FAIL_NETLINK = os.path.join(BUILD, "tests/integration/fail_netlink.so")


class StartTest(TestCase):
    def assert_refuses(self, *arguments, says, status=1, prefix=()):
        result = sockwatch("daemon", *arguments, prefix=prefix)
        self.assertEqual(result.returncode, status, result.stderr)
        for text in says:
            self.assertIn(text, result.stderr)

    def test_defaults_without_a_file(self):
        with subprocess.Popen([SOCKWATCH, "daemon"], stderr=subprocess.PIPE, text=True) as process:
            lines = []
            while sum("serving" in line for line in lines) < 2:
                lines.append(process.stderr.readline())
                self.assertNotEqual(lines[-1], "", "it ended early")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(10), 0)
        for address in ("127.0.0.1", "[::1]"):
            self.assertIn(f"sockwatch: serving http://{address}:10066/metrics\n", lines)

    def test_port_taken(self):
        with tcp_listener("127.0.0.1", HTTP_PORT):
            self.assert_refuses("--listen", f"127.0.0.1:{HTTP_PORT}",
                                says=[f"cannot listen on 127.0.0.1:{HTTP_PORT}", "Address already in use"])

    def test_who_has_the_port_is_said(self):
        for address, wanted in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "[::]"),
                                ("::1", "[::]")):
            with tcp_listener(address, HTTP_PORT):
                began = time.monotonic()
                self.assert_refuses("--listen", f"{wanted}:{HTTP_PORT}", says=[
                    f"cannot listen on {wanted}:{HTTP_PORT}: Address already in use "
                    f"(held by {open_text('/proc/self/comm').strip()}[{os.getpid()}], user root"])
                self.assertLess(time.monotonic() - began, 5)  # a second, and room for a slow machine
        with tcp_listener("127.0.0.1", HTTP_PORT):
            self.assert_refuses("--listen", f"127.0.0.1:{HTTP_PORT}", prefix=as_user("nobody", "nogroup"), says=[
                "Address already in use (held by user root"])

    def test_address_that_is_not_ours(self):
        self.assert_refuses("--listen", "192.0.2.77:80", says=["cannot listen on 192.0.2.77:80", "assign"])

    def test_wrong_configuration_names_every_error(self):
        path = scratch_file('poll: { listeners = "1ms"; };\nexpect = ( { name = "x"; port = 70000; } );\nfoo = 1;\n')
        self.assert_refuses("--config", path, status=78, says=[
            f"{path}:1: poll.listeners: ", f"{path}:2: expect[0].port: ", f"{path}:3: foo: "])

    def test_missing_configuration(self):
        self.assert_refuses("--config", "/nonexistent/x.conf", status=78, says=["/nonexistent/x.conf: "])

    def test_without_netlink(self):
        self.assert_refuses(says=["netlink", "Address family not supported"], prefix=(DENY_NETLINK,))
        for command, status in (("list", 1), ("metrics", 1), ("check", 3)):
            result = sockwatch(command, prefix=(DENY_NETLINK,))
            self.assertEqual((command, result.returncode), (command, status))
            self.assertIn("netlink", result.stderr)
            self.assertEqual(result.stdout, "")

    def test_usage_errors(self):
        for arguments, status in ((["daemon", "--bogus"], 2), (["daemon", "--listen"], 2), (["daemon", "x"], 2),
                                  (["daemon", "--listen", "localhost:1"], 2), (["daemon", "-xy"], 2),
                                  (["daemon", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"], 2),
                                  (["list", "--listen", "x"], 2),
                                  (["frobnicate"], 2), ([], 2), (["config"], 2), (["config", "check"], 2),
                                  (["metrics", "--json"], 2), (["check", "--bogus"], 3)):
            result = sockwatch(*arguments)
            self.assertEqual((arguments, result.returncode), (arguments, status))
            self.assertEqual(result.stdout, "")
            self.assertIn("usage: sockwatch", result.stderr)

    def test_help_everywhere(self):
        for arguments in ([], ["daemon"], ["list"], ["check"], ["metrics"], ["config"]):
            result = sockwatch(*arguments, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertTrue(result.stdout.startswith("Usage: sockwatch"), result.stdout)
        self.assertRegex(sockwatch("--version").stdout, r"^sockwatch \d+\.\d+\.\d+ \(.+\)\n$")


class MalformedTest(TestCase):
    """The kernel says of a message that it is longer than all memory."""

    def environment(self, length, of_a_thousand):
        return {"LD_PRELOAD": FAIL_NETLINK, "SOCKWATCH_FAIL_NETLINK": str(of_a_thousand),
                "SOCKWATCH_NETLINK_LENGTH": length}

    def malformed(self, daemon):
        return sum(daemon.metrics().find("collector_malformed_total"))

    def test_some_such_messages_are_counted_and_do_no_harm(self):
        for length in ("0x80000000", "0xfffffff0"):
            daemon = self.daemon(FAST + "unexpected: {};", environment=self.environment(length, 30))
            wait_for("such messages", lambda: self.malformed(daemon) > 1)
            daemon.wait_polls(3)
            self.assertEqual(daemon.metrics().firing(), set())
            self.assertEqual(daemon.stop(), 0, daemon.log())

    def test_where_all_are_nothing_is_seen(self):
        for length in ("0", "0x7fffffff", "0x80000000", "0x80000010", "0xffffffff"):
            prefix = ["env", *(f"{key}={value}" for key, value in self.environment(length, 1000).items())]
            result = sockwatch("check", prefix=prefix)
            self.assertEqual((length, result.returncode), (length, 3), result.stderr)
            self.assertIn("tcp: sockets cannot be read: Bad message", result.stderr)


class BlindTest(TestCase):
    def test_a_class_the_kernel_lacks_is_said(self):
        """This needs a kernel without SCTP, as most test machines have."""
        if "SCTP" in open_text("/proc/net/protocols"):
            self.skipTest("this kernel has SCTP")
        config = FAST + 'expect = ( { name = "sigtran"; port = 2905; protocol = "sctp"; } );'
        daemon = self.daemon(config)
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("socket_class_visible", **{"class": "sctp"}), 0)
        self.assertEqual(metrics.get("socket_class_visible", **{"class": "tcp"}), 1)
        self.assertEqual(metrics.get("alert_firing", rule="Blind", protocol="sctp", severity="critical"), 1)
        self.assertEqual(metrics.get("alert_firing", rule="NotListening", name="sigtran"), 0)
        self.assertIsNone(metrics.get("expected_listening", name="sigtran"))
        wait_for("more polls", lambda: daemon.metrics().get("polls_total", poll="listeners", result="success") > 5)
        self.assertEqual(daemon.log().count("sctp: not in this kernel"), 1, daemon.log())
        self.assertEqual(sockwatch("check", "--config", daemon.config).returncode, 3)

    def test_an_absent_protocol_hides_no_unexpected_listener(self):
        if "SCTP" in open_text("/proc/net/protocols"):
            self.skipTest("this kernel has SCTP")
        daemon = self.daemon(FAST + "unexpected: {};")
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().find("alert_firing", rule="Blind", protocol="sctp"), [])

    def test_nothing_fires_or_resolves_in_the_dark(self):
        """Takes /proc away, which only matters where netlink does not list raw sockets."""
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
        daemon = self.daemon(FAST + "unexpected: {};", prefix=("unshare", "--mount"))
        enter = ["nsenter", "--mount", "--root", "--target", str(daemon.process.pid)]
        daemon.wait_firing({("UnexpectedListener", "", 1)})
        subprocess.run([*enter, "mount", "-t", "tmpfs", "none", "/proc"], check=True)
        polls = daemon.metrics().get("polls_total", poll="listeners", result="success")
        wait_for("two more polls", lambda: daemon.metrics().get(
            "polls_total", poll="listeners", result="success") >= polls + 2)
        if daemon.metrics().get("socket_class_visible", **{"class": "raw"}) == 1:
            raw.close()
            self.skipTest("this kernel lists raw sockets over netlink")
        raw.close()
        other = socket.socket(socket.AF_INET, socket.SOCK_RAW, 2)
        daemon.wait_firing({("UnexpectedListener", "", 1), ("Blind", "", "")})
        metrics = daemon.metrics()
        self.assertEqual(metrics.find("listeners", protocol="raw"), [])
        self.assertEqual(metrics.get("collector_up", collector="tcp"), 1)
        subprocess.run([*enter, "umount", "/proc"], check=True)
        daemon.process.send_signal(signal.SIGHUP)  # ask again at once, not in five minutes
        daemon.wait_firing({("UnexpectedListener", "", 2)})
        other.close()
        daemon.wait_firing(set())
        self.assertEqual(daemon.log().count("raw: sockets cannot be read"), 1, daemon.log())
        self.assertEqual(daemon.log().count("raw: sockets can be read again"), 1, daemon.log())


def open_text(path):
    with open(path) as file:
        return file.read()


class DefaultFileTest(TestCase):
    """The file that is read without --config, on an /etc of this test's own."""

    @classmethod
    def setUpClass(cls):
        base = os.path.join(SCRATCH, "etc")
        os.mkdir(base)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", base], check=True)
        os.mkdir(f"{base}/upper")
        os.mkdir(f"{base}/work")
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/etc,upperdir={base}/upper,workdir={base}/work", "/etc"], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "/etc"], check=True)
        os.makedirs("/etc/sockwatch", exist_ok=True)

    def setUp(self):
        with open(DEFAULT_FILE, "w") as file:
            file.write(FAST + 'expect = ( { name = "x"; port = 4321; } );')
        os.chmod("/etc/sockwatch", 0o755)

    def test_it_is_used(self):
        self.assertEqual(sockwatch("check").returncode, 2)
        os.unlink(DEFAULT_FILE)
        self.assertEqual(sockwatch("check").returncode, 0)

    def test_one_that_cannot_be_read_is_not_none(self):
        os.chmod("/etc/sockwatch", 0o700)
        result = sockwatch("check", prefix=as_user("nobody", "nogroup"))
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn(f"{DEFAULT_FILE}: cannot be read: Permission denied", result.stderr)

    def test_a_reload_misses_one_that_was_there(self):
        log_path = scratch_file("", ".log")
        with open(log_path, "w") as log, \
                subprocess.Popen([SOCKWATCH, "daemon"], stderr=log, stdin=subprocess.DEVNULL) as process:
            wait_for("it serves", lambda: "serving" in open_text(log_path))
            os.unlink(DEFAULT_FILE)
            process.send_signal(signal.SIGHUP)
            wait_for("the reload failed", lambda: "reload failed" in open_text(log_path))
            self.assertEqual(Metrics(request("/metrics")[2]).firing(), {("NotListening", "x", "4321")})
            process.terminate()
            self.assertEqual(process.wait(10), 0)


class ReloadTest(TestCase):
    def reload_and_wait(self, daemon, config, successful):
        before = daemon.log().count("reload")
        daemon.reload(config)
        wait_for("the reload is logged", lambda: daemon.log().count("reload") > before)
        wait_for("the reload is in the metrics",
                 lambda: daemon.metrics().get("config_last_reload_successful") == successful)

    def test_good_reload_changes_what_is_expected(self):
        daemon = self.daemon(FAST)
        started = daemon.metrics().get("config_last_reload_success_timestamp_seconds")
        self.reload_and_wait(daemon, FAST + 'expect = ( { name = "x"; port = 4321; } );', 1)
        daemon.wait_firing({("NotListening", "x", 4321)})
        self.assertGreater(daemon.metrics().get("config_last_reload_success_timestamp_seconds"), started)
        self.reload_and_wait(daemon, FAST, 1)
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().find("expected_listening"), [])

    def test_a_reload_reads_the_files_of_include_dir_again(self):
        directory = tempfile.mkdtemp(dir=SCRATCH)
        config = FAST + f'include_dir = "{directory}";'
        daemon = self.daemon(config)
        drop_in = os.path.join(directory, "x.conf")
        with open(drop_in, "w") as file:
            file.write('expect = ( { name = "x"; port = 4321; } );')
        self.reload_and_wait(daemon, config, 1)
        daemon.wait_firing({("NotListening", "x", 4321)})
        with open(drop_in, "w") as file:
            file.write("poll: { };")
        self.reload_and_wait(daemon, config, 0)
        self.assertIn(f"{drop_in}:1: poll: may not stand in a file of include_dir", daemon.log())
        os.unlink(drop_in)
        self.reload_and_wait(daemon, config, 1)
        daemon.wait_firing(set())

    def test_bad_reload_keeps_the_old_configuration(self):
        config = FAST + 'expect = ( { name = "x"; port = 4321; } );'
        daemon = self.daemon(config)
        started = daemon.metrics().get("config_last_reload_success_timestamp_seconds")
        self.reload_and_wait(daemon, config.replace("4321", "0") + "nonsense = 1;", 0)
        self.assertIn("expect[0].port: ", daemon.log())
        self.assertIn("nonsense: ", daemon.log())
        self.assertEqual(daemon.metrics().firing(), {("NotListening", "x", "4321")})
        self.assertEqual(daemon.metrics().get("config_last_reload_success_timestamp_seconds"), started)
        self.reload_and_wait(daemon, config, 1)
        os.unlink(daemon.config)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the missing file is noticed", lambda: daemon.metrics().get("config_last_reload_successful") == 0)
        self.assertEqual(daemon.metrics().firing(), {("NotListening", "x", "4321")})

    def test_reload_moves_the_server(self):
        daemon = self.daemon(FAST + 'web: { listen = [ "127.0.0.1:10066" ]; };')
        self.reload_and_wait(daemon, FAST + 'web: { listen = [ "0.0.0.0:10066", "[::1]:10067" ]; };', 1)
        self.assertEqual(request("/-/ready", host="::1", port=10067)[0], 200)
        wait_for("the next poll sees it",
                 lambda: daemon.metrics().get("listener_info", port=10066, address="0.0.0.0") == 1)
        with tcp_listener("127.0.0.1", 10068):
            wait_for("the next poll sees whose it is",
                     lambda: daemon.metrics().get("listener_info", port=10068, user="root") == 1)
            self.reload_and_wait(daemon, FAST + 'web: { listen = [ "127.0.0.1:10068" ]; };', 0)
            self.assertRegex(daemon.log(), r"cannot listen on 127\.0\.0\.1:10068: Address already in use \(held by "
                                           rf"\S+\[{os.getpid()}\], user root")
            self.assertEqual(request("/-/ready", host="::1", port=10067)[0], 200)
            self.assertEqual(daemon.metrics().get("listener_info", port=10066, address="0.0.0.0"), 1)

    def test_reload_between_one_wildcard_and_both(self):
        one = FAST + 'web: { listen = [ "[::]:10066" ]; };'
        both = FAST + 'web: { listen = [ "[::]:10066", "0.0.0.0:10066" ]; };'
        daemon = self.daemon(one)
        for config, families in ((both, {"ipv4", "ipv6"}), (one, {"dual"}), (both, {"ipv4", "ipv6"})):
            self.reload_and_wait(daemon, config, 1)
            for host in ("127.0.0.1", "::1"):
                self.assertEqual(request("/-/ready", host=host)[0], 200)
            self.assertEqual({entry["family"] for entry in list_json()["listeners"]}, families)

    def test_alert_of_what_is_no_longer_expected_ends(self):
        """Also where its class cannot be seen: SCTP is not in most kernels."""
        sctp = FAST + 'expect = ( { name = "s"; port = 2905; protocol = "sctp"; } );'
        daemon = self.daemon(sctp)
        metrics = daemon.metrics()
        if metrics.get("socket_class_visible", **{"class": "sctp"}) == 1:
            self.skipTest("this kernel has SCTP")
        self.assertEqual(metrics.firing(), {("Blind", "", "")})
        self.reload_and_wait(daemon, FAST, 1)
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().find("alert_firing"), [0])  # and gone five minutes later

    def test_firing_alert_survives_a_reload(self):
        config = FAST + 'expect = ( { name = "x"; port = 4321; } );'
        daemon = self.daemon(config)
        daemon.wait_firing({("NotListening", "x", 4321)})
        self.reload_and_wait(daemon, config + "limits: { listeners = 100; };", 1)
        daemon.wait_firing({("NotListening", "x", 4321)})
        self.assertEqual(daemon.log().count("alert NotListening"), 1, daemon.log())


class NotifyTest(TestCase):
    def setUp(self):
        self.path = scratch_file("", ".sock")
        os.unlink(self.path)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(self.path)
        self.manager.settimeout(10)
        self.addCleanup(self.manager.close)

    def next_message(self, wanted):
        """The next message that begins so; everything before it is passed over."""
        while True:
            message = self.manager.recv(4096).decode()
            if message.startswith(wanted):
                return message

    def test_ready_status_watchdog_reload_stop(self):
        daemon = Daemon(FAST, environment={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "200000"})
        self.next_message("STATUS=")
        self.next_message("READY=1")
        for _ in range(3):
            self.assertEqual(self.next_message("WATCHDOG=1"), "WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        self.assertRegex(self.next_message("RELOADING=1"), r"MONOTONIC_USEC=\d+")
        self.next_message("READY=1")
        daemon.process.send_signal(signal.SIGTERM)
        self.next_message("STOPPING=1")
        self.assertEqual(daemon.process.wait(10), 0)

    def test_watchdog_waits_for_slow_polls(self):
        daemon = Daemon('poll: { listeners = "10s"; };',
                        environment={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "200000"})
        self.assertEqual(self.next_message("WATCHDOG_USEC="), "WATCHDOG_USEC=30000000")
        self.assertEqual(daemon.stop(), 0)


class OneShotTest(TestCase):
    def test_check_statuses(self):
        critical = 'expect = ( { name = "x"; port = 4321; for = "1h"; } );'
        warning = 'expect = ( { name = "y"; port = 4322; severity = "warning"; } );'
        both = 'expect = ( { name = "y"; port = 4322; severity = "warning"; }, { name = "x"; port = 4321; } );'
        for config, status, first in (("", 0, "ok: "), (critical, 2, "critical NotListening: x: "),
                                      (warning, 1, "warning NotListening: y: "),
                                      (both, 2, "critical NotListening: x: "), ("nonsense", 3, "")):
            result = sockwatch("check", "--config", scratch_file(config))
            self.assertEqual((config, result.returncode), (config, status))
            self.assertTrue(result.stdout.startswith(first), result.stdout)
        self.assertEqual(sockwatch("check", "--config", scratch_file(both)).stdout.count("\n"), 2)

    def test_metrics_are_an_exposition(self):
        result = sockwatch("metrics")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(Metrics(result.stdout).get("polls_total", poll="listeners", result="success"), 1)

    def test_config_check_and_show(self):
        shipped = os.path.join(ROOT, "config/sockwatch.conf")
        self.assertEqual(sockwatch("config", "check", shipped).returncode, 0)
        bad = scratch_file("expect = ( { port = 1; }, { name = 5; } );")
        result = sockwatch("config", "check", bad)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 3, result.stderr)
        shown = sockwatch("config", "show", shipped)
        self.assertEqual(shown.returncode, 0)
        again = sockwatch("config", "show", scratch_file(shown.stdout))
        self.assertEqual(again.stdout, shown.stdout)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            for command, status in (("list", 1), ("metrics", 1), ("check", 3)):
                result = subprocess.run([SOCKWATCH, command], stdout=full, stderr=subprocess.DEVNULL)
                self.assertEqual(result.returncode, status)


class StaleTest(TestCase):
    PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207

    def test_not_ready_but_healthy_while_polls_hang(self):
        """Stops the main thread alone: the server's threads must not care."""
        daemon = self.daemon(FAST)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        libc.ptrace.restype = ctypes.c_long
        pid = daemon.process.pid
        self.assertEqual(libc.ptrace(self.PTRACE_SEIZE, pid, None, None), 0, os.strerror(ctypes.get_errno()))
        self.assertEqual(libc.ptrace(self.PTRACE_INTERRUPT, pid, None, None), 0)
        os.waitpid(pid, 0x40000000)  # __WALL
        wait_for("it is not ready", lambda: request("/-/ready")[0] == 503, 15)
        self.assertEqual(request("/-/healthy")[0], 200)
        self.assertEqual(request("/metrics")[0], 200)
        self.assertEqual(libc.ptrace(self.PTRACE_DETACH, pid, None, None), 0)
        wait_for("it is ready again", lambda: request("/-/ready")[0] == 200)
