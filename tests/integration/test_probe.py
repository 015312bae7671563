"""Probes, from two sides of a firewall. This namespace is the host of a database;
another one, behind a veth pair, is that of its clients, where a proxy listens."""

import contextlib
import html
import json
import os
import re
import signal
import socket
import subprocess
import threading
import unittest

from harness import MariaDB, TestCase, has_one_user, listening, request, require, scratch_file, sockwatch, \
    tcp_listener, wait_for

HOST, CLIENT = "10.9.0.1", "10.9.0.2"
PORT = 3306
# Whatever is sent there goes to the clients' host, which forwards nothing and says nothing.
BLACKHOLE = "198.51.100.0/24"

FAST = 'poll: { listeners = "100ms"; };\n'
TARGET = f'probe = "{HOST}:{PORT}"; probe_timeout = "500ms"; probe_interval = "1s"; '
PUBLIC = f'expect = ( {{ name = "mysql"; port = {PORT}; scope = "public"; {TARGET} }} );\n'
UNSCOPED = f'expect = ( {{ name = "mysql"; port = {PORT}; {TARGET} }} );\n'

FIRING = re.compile(r"alert (\w+) firing, .*")


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


class Clients:
    """The network namespace of the clients, as long as a process of it lives."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        wait_for("a network namespace", lambda: os.readlink(f"/proc/{self.process.pid}/ns/net") != own)
        self.prefix = ("nsenter", f"--net=/proc/{self.process.pid}/ns/net")
        run("ip", "link", "add", "db0", "type", "veth", "peer", "name", "cl0", "netns", str(self.process.pid))
        run("ip", "addr", "add", f"{HOST}/24", "dev", "db0")
        run("ip", "link", "set", "db0", "up")
        self.run("ip", "addr", "add", f"{CLIENT}/24", "dev", "cl0")
        self.run("ip", "link", "set", "cl0", "up")
        self.run("ip", "link", "set", "lo", "up")
        run("ip", "route", "add", BLACKHOLE, "via", CLIENT)

    def run(self, *command):
        run(*self.prefix, *command)

    def end(self):
        self.process.kill()
        self.process.wait()


def setUpModule():
    global clients
    require("nft", "nsenter")
    clients = Clients()
    unittest.addModuleCleanup(clients.end)


@contextlib.contextmanager
def firewall(verdict):
    """Does something to all that comes to the port, from wherever."""
    run("nft", "add table inet probe; add chain inet probe in { type filter hook input priority 0; };"
               f"add rule inet probe in tcp dport {PORT} {verdict}")
    try:
        yield
    finally:
        run("nft", "delete table inet probe")


@contextlib.contextmanager
def stopped(server):
    """A server that accepts nothing any more."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def filled(address, port):
    """Connects until nobody answers any more."""
    with contextlib.ExitStack() as stack:
        while True:
            s = stack.enter_context(socket.socket())
            s.settimeout(0.3)
            try:
                s.connect((address, port))
            except TimeoutError:
                break
        yield


def page(daemon):
    """Where the summaries of alerts are."""
    return html.unescape(request("/", port=daemon.port)[2])


class CausesTest(TestCase):
    """A real MariaDB goes through all states; each has one alert, which says why."""

    def fired(self, daemon):
        """The rules that fired, one after the other."""
        return [match.group(1) for match in FIRING.finditer(daemon.log())]

    def assert_is(self, daemon, rule, *says):
        daemon.wait_firing({(rule, "mysql", PORT)})
        wait_for(f"it says {says}", lambda: all(text in page(daemon) for text in says))

    def assert_client_says(self, *says):
        """What check says on the clients' host, whose proxy forwards to the database."""
        config = scratch_file(UNSCOPED)
        output = sockwatch("check", "--config", config, prefix=clients.prefix).stdout
        for text in says:
            self.assertIn(text, output)
        self.assertEqual(output.count("\n"), 1, output)

    def serve_proxy(self):
        proxy = subprocess.Popen([*clients.prefix, "python3", "-c",
                                  f"import socket, time; s = socket.create_server(('', {PORT})); time.sleep(600)"])
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)
        wait_for("the proxy listens", lambda: subprocess.run(
            [*clients.prefix, "ss", "-Htln", f"sport = :{PORT}"], capture_output=True, text=True).stdout)

    def test_each_state_has_its_cause(self):
        mariadb = MariaDB()
        self.addCleanup(mariadb.stop)
        self.serve_proxy()
        mariadb.start("127.0.0.1")
        daemon = self.daemon(FAST + PUBLIC)
        self.assert_is(daemon, "LoopbackOnly", "; the probe of 10.9.0.1:3306 was refused")
        self.assert_client_says("Unreachable: mysql: tcp port 3306 refused the probe of 10.9.0.1:3306",
                                "or that is another host, where nothing listens")
        mariadb.stop()
        self.assert_is(daemon, "NotListening", "has no listener; the probe of 10.9.0.1:3306 was refused")
        self.assert_client_says("Unreachable: mysql: tcp port 3306 refused")
        mariadb.start("0.0.0.0")
        daemon.wait_firing(set())
        wait_for("it connects", lambda: daemon.metrics().find("probe_success") == [1])
        self.assert_client_says("ok: 1 expected service")

        with firewall("drop"):
            self.assert_is(daemon, "Unreachable", "gave no answer to the probe of 10.9.0.1:3306 within 500ms, though "
                           "it listens (0.0.0.0:3306): probably a firewall drops the packets")
            self.assert_client_says("Unreachable: mysql: tcp port 3306 gave no answer")
            self.assertEqual(daemon.metrics().get("probe_result", name="mysql", result="timeout"), 1)
        daemon.wait_firing(set())
        with firewall("reject with tcp reset"):
            self.assert_is(daemon, "Unreachable", "refused the probe", "probably a firewall rejects it")
        daemon.wait_firing(set())
        with stopped(mariadb.server.process), filled(HOST, PORT):
            self.assert_is(daemon, "AcceptQueueSaturated", "100 % full",
                           "; the probe of 10.9.0.1:3306 got no answer within 500ms")
            self.assert_client_says("Unreachable: mysql: tcp port 3306 gave no answer")
        daemon.wait_firing(set())
        # No other alert fired for a moment on the way from one state to the next.
        self.assertEqual(self.fired(daemon), ["LoopbackOnly", "NotListening", "Unreachable", "Unreachable",
                                              "AcceptQueueSaturated"], daemon.log())


class TargetsTest(TestCase):
    def probe(self, keys, **places):
        """What list says of the probe of a service at port 4000."""
        config = scratch_file(f'expect = ( {{ name = "a"; port = 4000; probe_timeout = "300ms"; {keys} }} );')
        result = sockwatch("list", "--json", "--config", config, **places)
        return json.loads(result.stdout)["expected"][0]

    def test_no_way_there(self):
        for route in ("blackhole", "unreachable", "prohibit"):
            run("ip", "route", "add", route, "203.0.113.7/32")
            try:
                self.assertEqual(self.probe('probe = "203.0.113.7:80";')["probe"]["result"], "unreachable", route)
            finally:
                run("ip", "route", "del", "203.0.113.7/32")

    def test_what_a_firewall_says(self):
        keys = f'probe = "{HOST}:{PORT}";'
        for verdict, result in (("drop", "timeout"), ("reject with tcp reset", "refused"), ("reject", "refused"),
                                ("reject with icmpx admin-prohibited", "unreachable")):
            with tcp_listener(HOST, PORT), firewall(verdict):
                self.assertEqual(self.probe(keys, prefix=clients.prefix)["probe"]["result"], result, verdict)

    def test_a_port_that_must_be_closed(self):
        keys = 'probe = "127.0.0.1:4000"; probe_expect = "fail";'
        with tcp_listener("127.0.0.1", 4000):
            self.assertEqual(self.probe(keys)["rules"], ["Exposed"])
        with tcp_listener("127.0.0.1", 4000, backlog=0), filled("127.0.0.1", 4000):
            self.assertEqual(self.probe(keys)["probe"]["result"], "timeout")

    @unittest.skipIf(has_one_user(), "the range of ports is root's to change")
    def test_a_connect_to_itself_is_refused(self):
        path = "/proc/sys/net/ipv4/ip_local_port_range"
        with open(path) as file:
            before = file.read()
        try:
            with open(path, "w") as file:
                file.write("4000 4000")
            for _ in range(3):
                self.assertEqual(self.probe('probe = "127.0.0.1:4000";')["probe"]["result"], "refused")
        finally:
            with open(path, "w") as file:
                file.write(before)

    def test_garbage_is_not_read(self):
        def pour(server):
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as client, contextlib.suppress(OSError):
                        while True:
                            client.sendall(b"\x00\xff garbage \n" * 4096)

        with tcp_listener("127.0.0.1", 4000) as server:
            thread = threading.Thread(target=pour, args=(server,))
            thread.start()
            try:
                daemon = self.daemon(FAST + 'expect = ( { name = "a"; port = 4000; probe = "127.0.0.1:4000"; '
                                     'probe_interval = "1s"; } );')
                wait_for("it connects", lambda: daemon.metrics().find("probe_success") == [1])
                descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
                since = json.loads(request("/api/v1/listeners")[2])["expected"][0]["probe"]["since"]
                daemon.wait_polls(12)  # in which there is another probe
                self.assertEqual(daemon.metrics().find("probe_success"), [1])
                self.assertLessEqual(len(os.listdir(f"/proc/{daemon.process.pid}/fd")), descriptors + 2)
                self.assertEqual(json.loads(request("/api/v1/listeners")[2])["expected"][0]["probe"]["since"], since)
                self.assertEqual(daemon.metrics().firing(), set())
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()

    def test_many_that_nobody_answers_delay_no_poll(self):
        entries = ",".join(f'{{ name = "s{i}"; port = {5000 + i}; probe = "198.51.100.{i % 250 + 1}:80"; '
                           'probe_interval = "1s"; probe_timeout = "1s"; }' for i in range(200))
        daemon = self.daemon(f'poll: {{ listeners = "50ms"; }};\nexpect = ( {entries} );')
        under_way = 0
        before = daemon.polls()
        for _ in range(20):
            waiting = subprocess.run(["ss", "-Htn", "state", "syn-sent"], capture_output=True, text=True).stdout
            under_way = max(under_way, waiting.count("\n"))
            daemon.wait_polls(2)
        self.assertGreaterEqual(daemon.polls() - before, 40)
        self.assertLessEqual(under_way, 64 + 8)  # while ss lists them some end and others begin
        self.assertGreater(under_way, 30)
        wait_for("results", lambda: len(daemon.metrics().find("probe_success")) > 60)
        self.assertEqual(set(daemon.metrics().find("probe_success")), {0})
        wait_for("what is left out is counted", lambda: daemon.metrics().get("dropped_total", what="probes") > 0)

    def test_a_reload_keeps_goes_on_and_drops(self):
        entry = 'expect = ( {{ name = "{0}"; port = 4000; probe = "127.0.0.1:4000"; }} );'
        with tcp_listener("127.0.0.1", 4000):
            daemon = self.daemon(FAST + entry.format("a"))
            wait_for("it connects", lambda: daemon.metrics().get("probe_success", name="a") == 1)
            daemon.reload(FAST + entry.format("a") + '# the same')
            daemon.wait_polls(3)
            self.assertEqual(daemon.metrics().get("probe_success", name="a"), 1)
            daemon.reload(FAST + entry.format("b"))
            wait_for("the other one", lambda: daemon.metrics().get("probe_success", name="b") == 1)
            self.assertEqual(len(daemon.metrics().find("probe_success")), 1)
        self.assertFalse(listening(4000))
