"""The configuration that "sockwatch baseline" prints: by it nothing is wrong
with what listens, and whatever changes afterwards is found."""

import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile

from harness import (SCRATCH, SOCKWATCH, Daemon, MariaDB, Server, TestCase, as_user, has_one_user, list_json, require,
                     scratch_file, sockwatch, tcp_listener, wait_for)

SEEDS = 12
FAST = 'poll: { listeners = "50ms"; };\n'
SETTINGS = FAST + 'unexpected: { severity = "critical"; };\n'

# A program of any name that holds sockets, each as the test describes it.
PROGRAM = r"""
import json, signal, socket, sys
name, sockets, may_fail = json.loads(sys.argv[1])
with open("/proc/self/comm", "wb") as comm:
    comm.write(name.encode("latin-1"))
held = []
for kind, protocol, address, port, v6only, reuseport, device in sockets:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        s = socket.socket(family, kind, protocol)
    except PermissionError:
        if not may_fail:
            raise
        continue
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuseport:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if v6only is not None:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    try:
        if device:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        s.bind((address, port, 0, socket.if_nametoindex(device)) if address.startswith("fe80:") else (address, port))
        if kind == socket.SOCK_STREAM:
            s.listen()
    except OSError:
        if not may_fail:
            raise
        s.close()
    held.append(s)
print("ready", flush=True)
signal.pause()
"""


def tcp(address, port, v6only=None, reuseport=False, device=None):
    return [socket.SOCK_STREAM, 0, address, port, v6only, reuseport, device]


def udp(address, port, v6only=None, reuseport=False, device=None):
    return [socket.SOCK_DGRAM, 0, address, port, v6only, reuseport, device]


def raw(address, protocol):
    return [socket.SOCK_RAW, protocol, address, 0, None, False, None]


class Program:
    """A program of this name (of bytes, as Latin-1) that holds the sockets, or
    as many of them as it gets."""

    def __init__(self, name, *sockets, user=None, may_fail=False):
        self.arguments, self.user = (name, *sockets), user
        prefix = as_user(user, "nogroup") if user else []
        command = [*prefix, sys.executable, "-ISc", PROGRAM, json.dumps([name, sockets, may_fail])]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", f"{name} could not start"

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def again(self):
        self.__init__(*self.arguments, user=self.user)


def baseline(*arguments, prefix=()):
    """The path of a file with the configuration, which must be a valid one."""
    result = sockwatch("baseline", *arguments, prefix=prefix)
    assert result.returncode == 0, result.stderr
    path = scratch_file(result.stdout)
    valid = sockwatch("config", "check", path)
    assert valid.returncode == 0, valid.stderr + result.stdout
    return path


def read(path):
    with open(path) as file:
        return file.read()


def entry_text(path, port, protocol="tcp"):
    """The entries for a port, one a line."""
    return [line.strip().removesuffix(",") for line in read(path).splitlines()
            if f" port = {port}; " in line and re.search(f' protocol = [^;]*"{protocol}"', line)]


def findings(path, prefix=()):
    """{(rule, name, port)} that "check" finds."""
    result = sockwatch("check", "--json", "--config", path, prefix=prefix)
    assert result.returncode in range(4), result.stderr
    return {(alert["rule"], alert["name"] or "", alert["port"]) for alert in json.loads(result.stdout)["alerts"]}


class BaselineCase(TestCase):
    def program(self, *arguments, **keywords):
        program = Program(*arguments, **keywords)
        self.addCleanup(program.end)
        return program

    def assert_adds_nothing(self, path, prefix=()):
        """A baseline is kept as it is by the next."""
        again = baseline("--config", path, prefix=prefix)
        self.assertEqual(sockwatch("config", "show", again).stdout, sockwatch("config", "show", path).stdout)

    def assert_nothing_wrong(self, path, prefix=()):
        result = sockwatch("check", "--config", path, prefix=prefix)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout + read(path))
        self.assertTrue(result.stdout.startswith("ok: "), result.stdout)


class HostTest(BaselineCase):
    """A host full of servers. Each test changes one thing, and back again."""

    @classmethod
    def setUpClass(cls):
        require("redis-server")
        cls.mariadb = MariaDB()
        cls.addClassCleanup(cls.mariadb.stop)
        cls.programs = {}
        cls.addClassCleanup(lambda: [program.end() for program in cls.programs.values()])
        for arguments in (("link", "add", "test0", "type", "veth", "peer", "name", "test1"),
                          ("link", "set", "test0", "up"), ("link", "set", "test1", "up"),
                          ("addr", "add", "192.0.2.1/24", "dev", "test0"),
                          ("addr", "add", "fe80::5/64", "dev", "test0", "nodad")):
            subprocess.run(["ip", *arguments], check=True)
        cls.addClassCleanup(subprocess.run, ["ip", "link", "del", "test0"], check=True)
        cls.start_servers()
        cls.baseline = baseline("--config", scratch_file(SETTINGS), "--with-process")
        # Each test interrupts something, and they are many in ten minutes.
        cls.watcher = Daemon(re.sub(r'(\{ name = "[^"]*";)', r"\1 flapping: { max = 0; };", read(cls.baseline)))
        cls.addClassCleanup(cls.stop_watcher)
        cls.watcher.wait_firing(set())
        cls.watcher.wait_polls(5)
        cls.first_log = cls.watcher.log()

    @classmethod
    def stop_watcher(cls):
        assert cls.watcher.stop() == 0, cls.watcher.log()

    @classmethod
    def start_servers(cls):
        cls.mariadb.start("0.0.0.0")
        cls.start_redis("127.0.0.1", "::1")
        cls.addClassCleanup(lambda: cls.redis.end(signal.SIGKILL))
        http = Server([sys.executable, "-m", "http.server", "--directory", SCRATCH, "8080"], 8080)
        cls.addClassCleanup(http.end, signal.SIGKILL)
        if shutil.which("dnsmasq"):
            dnsmasq = Server(["dnsmasq", "-k", "--no-resolv", "--no-hosts", "--port=5353", "--user=nobody",
                              "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=",
                              "--conf-file=/dev/null"], 5353, "udp")
            cls.addClassCleanup(dnsmasq.end, signal.SIGKILL)
        programs = cls.programs
        programs["pinger"] = Program("pinger", raw("0.0.0.0", 1), raw("::", 58))
        for i in range(3):
            programs[f"worker{i}"] = Program("worker", *[tcp("0.0.0.0", 4601, reuseport=True)] * 2)
        programs["dual"] = Program("dual", tcp("::", 4602, v6only=0), udp("::", 4602, v6only=0))
        programs["stub"] = Program("stub", tcp("127.0.0.53", 53), udp("127.0.0.53", 53))
        programs["resolver"] = Program("resolver", tcp("127.0.0.1", 53), udp("127.0.0.1", 53))
        programs["shared"] = Program("shared", udp("0.0.0.0", 4603))
        programs["shared too"] = Program("shared too", udp("0.0.0.0", 4603), user="nobody")
        programs["openvpn"] = Program("openvpn", udp("0.0.0.0", 1194))
        programs["bound"] = Program("bound", tcp("0.0.0.0", 4604, device="test0"), udp("::", 4604, device="test0"),
                                    tcp("0.0.0.0", 4605, device="lo"), tcp("fe80::5", 4605, device="test0"))
        programs["ipv4"] = Program("ipv4", tcp("0.0.0.0", 9100), tcp("0.0.0.0", 4606), tcp("192.0.2.1", 4607))
        programs["ipv6"] = Program("ipv6", tcp("::", 9100, v6only=1), tcp("::", 4606, v6only=1), tcp("::1", 4607))
        programs["allowed"] = Program("allowed", tcp("0.0.0.0", 4700), tcp("127.0.0.1", 4701))

    @classmethod
    def start_redis(cls, *bind):
        cls.redis = Server(["redis-server", "--port", "6379", "--bind", *bind, "--save", "", "--appendonly", "no",
                            "--protected-mode", "no", "--dir", SCRATCH], 6379)

    def setUp(self):
        self.addCleanup(self.watcher.wait_firing, set())

    def assert_found(self, *expected):
        """By the daemon, and by a look of its own."""
        self.watcher.wait_firing(set(expected))
        self.assertEqual(findings(self.baseline), set(expected))

    # What it looks like when nothing has changed

    def test_nothing_is_wrong(self):
        self.assert_nothing_wrong(self.baseline)
        self.assertNotIn("alert", self.first_log)

    def test_every_listener_has_its_entry(self):
        """Without the entries all of them are unexpected."""
        bare = findings(scratch_file("unexpected: {};"))
        text = read(self.baseline)
        for rule, _, port in bare:
            self.assertEqual(rule, "UnexpectedListener")
            self.assertIn(f" port = {port};", text)
        ports = {int(port) for port in re.findall(r"^  \{.* port = (\d+);", text, re.M)}
        self.assertEqual(ports, {port for _, _, port in bare})
        self.assertGreaterEqual(len(ports), 15)

    def test_it_says_what_there_is(self):
        self.assertEqual(entry_text(self.baseline, 3306), [
            '{ name = "mysql"; port = 3306; protocol = "tcp"; scope = "public"; process = "mariadbd"; '
            'user = "mysql"; }'])
        self.assertEqual(entry_text(self.baseline, 6379), [
            '{ name = "redis"; port = 6379; protocol = "tcp"; address = [ "127.0.0.1", "::1" ]; '
            'process = "redis-server"; user = "root"; }'])
        self.assertEqual(entry_text(self.baseline, 53, "udp"), [
            '{ name = "domain-127.0.0.1"; port = 53; protocol = [ "tcp", "udp" ]; address = "127.0.0.1"; '
            'process = "resolver"; user = "root"; }',
            '{ name = "domain-127.0.0.53"; port = 53; protocol = [ "tcp", "udp" ]; address = "127.0.0.53"; '
            'process = "stub"; user = "root"; }'])
        self.assertNotIn("process", entry_text(self.baseline, 4603, "udp")[0])
        self.assertNotIn("user", entry_text(self.baseline, 4603, "udp")[0])
        self.assertIn('process = "worker"', entry_text(self.baseline, 4601)[0])
        self.assertEqual(entry_text(self.baseline, 10066), [], "sockwatch's own")

    def test_it_can_be_shown_and_read_again(self):
        shown = sockwatch("config", "show", self.baseline)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        again = scratch_file(shown.stdout)
        self.assertEqual(sockwatch("config", "show", again).stdout, shown.stdout)
        self.assert_nothing_wrong(again)

    def test_made_again_it_is_the_same(self):
        arguments = ("--config", scratch_file(SETTINGS), "--with-process")
        self.assertEqual(read(baseline(*arguments)), read(self.baseline))
        self.assert_adds_nothing(self.baseline)

    def test_who_sees_no_process_sees_enough(self):
        """As the service does, which has no privilege."""
        nobody = as_user("nobody", "nogroup")
        made_by_root = baseline("--config", scratch_file(SETTINGS))
        made_by_nobody = baseline("--config", scratch_file(SETTINGS), prefix=nobody)
        for path in (made_by_root, made_by_nobody):
            self.assertEqual(entry_text(path, 3306), [
                '{ name = "mysql"; port = 3306; protocol = "tcp"; scope = "public"; user = "mysql"; }'])
            self.assert_nothing_wrong(path)
            self.assert_nothing_wrong(path, prefix=nobody)
        # Who may not see what root saw cannot say that nothing is wrong.
        result = sockwatch("check", "--config", self.baseline, prefix=nobody)
        self.assertEqual(result.returncode, 3, result.stdout)
        self.assertIn("leave out process and exe, since user and unit of a socket are told without, or give the "
                      "service CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", result.stdout)

    # One change at a time

    def without(self, name):
        """Ends a program until the end of the test."""
        self.addCleanup(self.programs[name].again)
        self.programs[name].end()

    def move_redis(self, *bind):
        self.redis.end()
        self.start_redis(*bind)

    def move_mariadb(self, bind):
        self.mariadb.stop()
        self.mariadb.start(bind)

    def test_redis_beyond_loopback(self):
        self.addCleanup(self.move_redis, "127.0.0.1", "::1")
        self.move_redis("0.0.0.0", "::")
        self.assert_found(("Exposed", "redis", 6379))

    def test_mariadb_on_loopback(self):
        self.addCleanup(self.move_mariadb, "0.0.0.0")
        self.move_mariadb("127.0.0.1")
        self.assert_found(("LoopbackOnly", "mysql", 3306))

    def test_mariadb_at_one_address_and_then_at_all(self):
        """A database that anybody reaches is the worst thing to miss."""
        self.addCleanup(self.move_mariadb, "0.0.0.0")
        self.move_mariadb("192.0.2.1")
        path = baseline("--config", scratch_file(SETTINGS))
        self.assertEqual(entry_text(path, 3306), [
            '{ name = "mysql"; port = 3306; protocol = "tcp"; address = "192.0.2.1"; user = "mysql"; }'])
        self.assert_nothing_wrong(path)
        self.move_mariadb("0.0.0.0")
        self.assertEqual(findings(path), {("Exposed", "mysql", 3306)})

    def test_another_program_in_place_of_mariadb(self):
        self.addCleanup(self.move_mariadb, "0.0.0.0")
        self.mariadb.stop()
        self.assert_found(("NotListening", "mysql", 3306))
        other = Server([sys.executable, "-m", "http.server", "--directory", SCRATCH, "3306"], 3306)
        self.addCleanup(other.end, signal.SIGKILL)
        self.assert_found(("WrongOwner", "mysql", 3306))

    def test_a_stopped_service(self):
        self.addCleanup(self.move_redis, "127.0.0.1", "::1")
        self.redis.end()
        self.assert_found(("NotListening", "redis", 6379))

    def test_a_listener_that_is_new(self):
        for address in ("0.0.0.0", "127.0.0.1"):
            with tcp_listener(address, 4444):
                self.assert_found(("UnexpectedListener", "", 4444))
            self.watcher.wait_firing(set())

    def test_an_allowed_listener_that_is_gone(self):
        self.without("allowed")
        self.watcher.wait_polls()
        self.assert_found()

    def test_another_program_in_place_of_an_allowed_one(self):
        self.without("allowed")
        self.program("other", tcp("0.0.0.0", 4700))
        self.assert_found(("UnexpectedListener", "", 4700))

    def test_an_allowed_listener_beyond_loopback(self):
        self.without("allowed")
        self.program("allowed", tcp("0.0.0.0", 4700), tcp("0.0.0.0", 4701))
        self.assert_found(("Exposed", "", 4701))

    def test_another_program_at_one_of_two_addresses(self):
        self.without("stub")
        self.assert_found(("NotListening", "domain-127.0.0.53", 53))
        self.program("resolver", tcp("127.0.0.53", 53), udp("127.0.0.53", 53))
        self.assert_found(("WrongOwner", "domain-127.0.0.53", 53))

    def test_another_program_in_a_group(self):
        self.program("thief", tcp("0.0.0.0", 4601, reuseport=True))
        self.assert_found(("UnexpectedListener", "", 4601))
        self.assertIn("(thief[", sockwatch("check", "--config", self.baseline).stdout)

    def test_another_user_on_a_udp_port(self):
        """Only SO_REUSEADDR stands between a server's datagrams and a thief."""
        self.program("openvpn", udp("0.0.0.0", 1194), user="nobody")
        self.assert_found(("WrongOwner", "openvpn", 1194))

    def test_another_program_at_a_raw_socket(self):
        self.program("sniffer", raw("0.0.0.0", 1))
        self.assert_found(("UnexpectedListener", "", 1))
        self.assertIn("(sniffer[", sockwatch("check", "--config", self.baseline).stdout)

    def test_another_raw_socket(self):
        self.program("pinger", raw("0.0.0.0", 89))
        self.assert_found(("UnexpectedListener", "", 89))


# Names as a process may give them to itself: patterns, quotes, what is no text.
NAMES = ['a*[b]"c\\', "*", "*" * 15, "[", "[a-z]", "[!a]", "]", "?", "[[:alpha:]]", "\\", "x\\n", '"', "/usr/bin/x",
         "a b;{}()=", "# x", '@include "x"', "${HOME}", "-x", "\n\t\x01", "\x01" * 15, "\xff\xfe\x80",
         "\xc3\xa9" * 7 + "\xc3", "a" * 15]

# Other names, that such a name would match if it were a pattern.
LIKE = {'a*[b]"c\\': 'axxb"c\\', "*": "x", "*" * 15: "x" * 15, "[a-z]": "b", "[!a]": "b", "?": "x",
        "[[:alpha:]]": "x", "a" * 15: "a" * 14}

# Of services that have a name everywhere.
NAMED_PORTS = (21, 22, 23, 25, 53, 80, 110, 143, 389, 443, 445, 465, 587, 636, 873, 993, 995, 1433, 1521, 2049, 2379,
               3389, 5432)


class NamesTest(BaselineCase):
    def test_names_are_no_patterns(self):
        ports = list(zip(NAMED_PORTS, range(4801, 4824), NAMES, strict=True))
        programs = [Program(name, tcp("0.0.0.0", port), tcp("127.0.0.1", other)) for port, other, name in ports]
        self.addCleanup(lambda: [program.end() for program in programs])  # whichever they are then
        path = baseline("--config", scratch_file(SETTINGS), "--with-process")
        for port, other, name in ports:
            with self.subTest(name=name):
                self.assertIn(" process = ", entry_text(path, port)[0])
                self.assertIn(" process = ", entry_text(path, other)[0])
        self.assert_nothing_wrong(path)
        shown = sockwatch("config", "show", path).stdout
        self.assert_nothing_wrong(scratch_file(shown))
        services = {entry["port"]: entry["service_name"] for entry in list_json()["listeners"]}
        for program in programs:
            program.end()
        programs = [Program(LIKE.get(name, "other"), tcp("0.0.0.0", port), tcp("127.0.0.1", other))
                    for port, other, name in ports]
        self.assertEqual(findings(path), {("WrongOwner", services[port], port) for port, _, _ in ports} |
                         {("UnexpectedListener", "", other) for _, other, _ in ports})


class ScopeTest(BaselineCase):
    def test_an_address_on_the_loopback_device(self):
        """It is on loopback, whatever the address looks like."""
        subprocess.run(["ip", "addr", "add", "10.1.1.1/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "addr", "del", "10.1.1.1/32", "dev", "lo"], check=True)
        self.program("one", *(tcp("10.1.1.1", port, device="lo") for port in (443, 4710)))
        self.program("two", *(tcp("127.0.0.1", port) for port in (443, 4710)))
        self.program("one", *(udp("10.1.1.1", port, device="lo") for port in (443, 4710)))
        path = baseline("--config", scratch_file(SETTINGS))
        self.assert_nothing_wrong(path)

    def test_loopback_and_beyond(self):
        one = self.program("one", tcp("127.0.0.1", 4711), tcp("::1", 4711), tcp("127.0.0.1", 443))
        two = self.program("two", tcp("0.0.0.0", 4712), tcp("::", 443, v6only=1))
        path = baseline("--config", scratch_file(SETTINGS))
        self.assert_nothing_wrong(path)
        for program in (one, two):
            program.end()
        self.program("one", tcp("0.0.0.0", 4711), tcp("127.0.0.1", 443))
        self.program("two", tcp("127.0.0.1", 4712), tcp("::1", 443))
        self.assertEqual(findings(path), {("Exposed", "", 4711), ("LoopbackOnly", "https", 443),
                                          ("UnexpectedListener", "", 4712)})


class RandomTest(BaselineCase):
    """Whatever listens, by its own baseline nothing is wrong with it."""

    ADDRESSES = ("0.0.0.0", "0.0.0.0", "127.0.0.1", "127.0.0.2", "10.1.1.1", "192.0.2.1", "224.0.0.251", "::", "::",
                 "::1", "2001:db8::1", "fe80::5", "::ffff:127.0.0.1", "::ffff:10.1.1.1", "::ffff:0.0.0.0")
    PORTS = (53, 443, 3306, 4751, 4752)

    def random_socket(self, r):
        address = r.choice(self.ADDRESSES)
        device = "test0" if address.startswith("fe80") else r.choice((None, None, None, "lo", "test0"))
        if r.random() < 0.05:
            return raw("0.0.0.0", r.choice((1, 89, 200)))
        make = tcp if r.random() < 0.6 else udp
        v6only = r.choice((0, 1)) if address == "::" else 0 if address.startswith("::ffff") else None
        return make(address, r.choice(self.PORTS), v6only, r.random() < 0.5, device)

    def test_any_sockets(self):
        for arguments in (("link", "add", "test0", "type", "veth", "peer", "name", "test1"),
                          ("link", "set", "test0", "up"), ("link", "set", "test1", "up"),
                          ("addr", "add", "192.0.2.1/24", "dev", "test0"), ("addr", "add", "10.1.1.1/32", "dev", "lo"),
                          ("addr", "add", "2001:db8::1/64", "dev", "test0", "nodad"),
                          ("addr", "add", "fe80::5/64", "dev", "test0", "nodad")):
            subprocess.run(["ip", *arguments], check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "del", "test0"], check=True)
        self.addCleanup(subprocess.run, ["ip", "addr", "del", "10.1.1.1/32", "dev", "lo"], check=True)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as setting:
            setting.write("0")
        users = (None,) if has_one_user() else (None, None, "nobody")
        prefixes = [[]] if has_one_user() else [[], as_user("nobody", "nogroup")]
        config = scratch_file(SETTINGS)
        for seed in range(SEEDS):
            r = random.Random(seed)
            programs = [Program(r.choice(("one", "two", "th*ee")), *(self.random_socket(r) for _ in range(
                r.choice((1, 2, 5, 20)))), user=r.choice(users), may_fail=True) for _ in range(r.randint(1, 6))]
            try:
                for prefix in prefixes:
                    with self.subTest(seed=seed, prefix=prefix):
                        path = baseline("--config", config, prefix=prefix)
                        for other in prefixes:
                            self.assert_nothing_wrong(path, prefix=other)
                        self.assert_adds_nothing(path, prefix=prefix)
            finally:
                for program in programs:
                    program.end()


class ActivationTest(BaselineCase):
    def test_who_will_be_started_is_not_known_yet(self):
        require("systemd-socket-activate")
        server = Server(["systemd-socket-activate", "--listen=127.0.0.1:873", "--listen=127.0.0.1:4720",
                         sys.executable, "-ISc", "import signal; signal.pause()"], 4720)
        self.addCleanup(server.end, signal.SIGKILL)
        path = baseline("--config", scratch_file(SETTINGS), "--with-process")
        self.assertEqual(entry_text(path, 873), [
            '{ name = "rsync"; port = 873; protocol = "tcp"; address = "127.0.0.1"; user = "root"; }'])
        self.assertEqual(entry_text(path, 4720),
                         ['{ port = 4720; protocol = "tcp"; address = "127.0.0.1"; user = "root"; }'])
        self.assertIn("started by systemd when somebody connects", read(path))
        self.assert_nothing_wrong(path)
        with socket.create_connection(("127.0.0.1", 873)):
            wait_for("the server is started", lambda: {owner["process"] for entry in list_json()["listeners"]
                                                       for owner in entry["owners"]} == {"python3"})
            self.assert_nothing_wrong(path)
            self.assertIn(' process = "python3";', entry_text(baseline("--with-process"), 873)[0])


class SettingsTest(BaselineCase):
    GROUPS = re.compile(r"^(\w+): \{\n(.*?)^\};", re.M | re.S)

    def groups(self, path):
        shown = sockwatch("config", "show", path)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return dict(self.GROUPS.findall(shown.stdout))

    def test_all_that_is_configured_is_kept(self):
        path = scratch_file("""
poll: { listeners = "77ms"; connections = "7s"; };
connections: { outbound_ports = [ 5432 ]; outbound_top = 7; };
web: { listen = [ "127.0.0.1:10099", "[::1]:10099" ]; };
expect = ( { name = "was-expected"; port = 4731; accept_queue = 0.5; } );
allow = ( { ports = "1-4000"; process = "was-allowed"; } );
deny = ( { ports = "23,4444"; severity = "warning"; } );
unexpected: { severity = "critical"; for = "3s"; ignore_loopback = true; };
limits: { listeners = 77; series = 777; };
""")
        self.program("holder", tcp("127.0.0.1", 4730), tcp("127.0.0.1", 443), tcp("127.0.0.1", 10099))
        result = baseline("--config", path)
        self.assertEqual(self.groups(result), self.groups(path))
        self.assertEqual(set(self.groups(path)), {"poll", "connections", "web", "unexpected", "limits"})
        self.assertIn('{ name = "was-expected"; port = 4731; accept_queue = 0.5; },\n', read(result))
        self.assertIn('{ ports = "1-4000"; process = "was-allowed"; },\n', read(result))
        self.assertIn('deny = (\n  { ports = "23,4444"; severity = "warning"; }\n);\n', read(result))
        self.assertEqual(findings(result), {("NotListening", "was-expected", 4731)})
        # Where sockwatch is to serve, but does not.
        self.assertEqual(len(entry_text(result, 4730) + entry_text(result, 443) + entry_text(result, 10099)), 3)

    def test_without_a_file(self):
        path = baseline()
        defaults = self.groups(scratch_file("unexpected: {};"))
        self.assertEqual(self.groups(path), defaults)
        self.assertEqual(self.groups(baseline("--config", scratch_file(FAST)))["unexpected"], defaults["unexpected"])
        self.assert_nothing_wrong(path)

    def test_what_limits_cut_is_no_baseline(self):
        config = scratch_file("limits: { listeners = 2; };")
        sockets = [tcp_listener("127.0.0.1", port) for port in (4741, 4742)]
        self.assertEqual(sockwatch("baseline", "--config", config).returncode, 0)
        sockets.append(tcp_listener("127.0.0.1", 4743))
        result = sockwatch("baseline", "--config", config)
        for s in sockets:
            s.close()
        self.assertEqual(result.returncode, 1)
        self.assertIn("listeners beyond limits.listeners or limits.listeners_per_port are not shown: 1\n", result.stderr)

    def test_a_wrong_configuration_is_none(self):
        path = scratch_file("poll: { listeners = 1; };")
        result = sockwatch("baseline", "--config", path)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn(f"{path}:1: poll.listeners: ", result.stderr)
        for arguments in (["--json"], ["x"], ["--force"], ["--output"]):
            self.assertEqual(sockwatch("baseline", *arguments).returncode, 2)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([SOCKWATCH, "baseline"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)

    def test_clients_are_not_in_it(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            self.assertEqual(entry_text(baseline(), client.getsockname()[1], "udp"), [])

    def test_ports_that_the_kernel_chose(self):
        roamer = self.program("roamer", tcp("127.0.0.1", 0), tcp("127.0.0.1", 0), tcp("0.0.0.0", 0), tcp("::", 0))
        path = baseline("--config", scratch_file(SETTINGS), "--with-process")
        lines = [line.strip().removesuffix(",") for line in read(path).splitlines() if "kernel_chosen" in line]
        self.assertEqual(sorted(line for line in lines if "ignore" not in line), [
            '{ kernel_chosen = true; protocol = "tcp"; scope = "loopback"; process = "roamer"; user = "root"; }',
            '{ kernel_chosen = true; protocol = "tcp"; scope = "public"; process = "roamer"; user = "root"; }'])
        self.assert_nothing_wrong(path)
        roamer.end()
        roamer.again()
        self.assert_nothing_wrong(path)
        self.program("stranger", tcp("127.0.0.1", 0))
        self.assertEqual([rule for rule, _, _ in findings(path)], ["UnexpectedListener"])


class OutputTest(BaselineCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(dir=SCRATCH)
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "new.conf")
        self.program("one", tcp("127.0.0.1", 4731))

    def run_baseline(self, *arguments, status=0):
        result = sockwatch("baseline", *arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_it_is_the_same_as_on_standard_output(self):
        self.assertEqual(self.run_baseline("--output", self.path), "")
        self.assertEqual(read(self.path), read(baseline()))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o644)
        self.assertEqual(os.listdir(self.directory), ["new.conf"])

    def test_a_file_is_only_replaced_by_force(self):
        with open(self.path, "w") as file:
            file.write("mine")
        self.assertEqual(self.run_baseline("--output", self.path, status=1),
                         f"sockwatch baseline: {self.path} is there already; --force replaces it\n")
        self.assertEqual(read(self.path), "mine")
        self.run_baseline("--output", self.path, "--force")
        self.assertEqual(read(self.path), read(baseline()))

    def test_only_a_file_is_replaced(self):
        target = os.path.join(self.directory, "target")
        with open(target, "w") as file:
            file.write("mine")
        os.symlink(target, os.path.join(self.directory, "link"))
        os.mkfifo(os.path.join(self.directory, "fifo"))
        for name in ("link", "fifo", "."):
            self.assertIn("no regular file", self.run_baseline(
                "--output", os.path.join(self.directory, name), "--force", status=1))
        self.assertEqual(read(target), "mine")
        self.assertIn("No such file or directory", self.run_baseline(
            "--output", os.path.join(self.directory, "none", "new.conf"), status=1))
        self.assertEqual(sorted(os.listdir(self.directory)), ["fifo", "link", "target"])

    def test_what_is_not_whole_is_not_written(self):
        config = scratch_file("limits: { listeners = 1; };")
        self.program("two", tcp("127.0.0.1", 4732))
        self.assertIn("is not written", self.run_baseline("--config", config, "--output", self.path, status=1))
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_shell_has_emptied_the_configuration(self):
        with open(self.path, "w") as file:
            result = subprocess.run([SOCKWATCH, "baseline", "--config", self.path], stdout=file,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual((result.returncode, read(self.path)), (1, ""))
        self.assertIn(f"use --output {self.path} --force", result.stderr)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_a_file_of_include_dir_gets_what_the_others_do_not_have(self):
        main = self.write("main.conf", FAST + 'include_dir = "conf.d"; unexpected: {};\n'
                          'expect = ( { name = "kept"; port = 443; severity = "info"; } );')
        self.write("conf.d/10.conf", 'allow = ( { ports = "4740-4749"; } );')
        path = os.path.join(self.directory, "conf.d", "baseline.conf")
        self.program("two", tcp("127.0.0.1", 443), tcp("127.0.0.1", 4741), udp("127.0.0.1", 4732))
        arguments = ("--config", main, "--output", path)
        self.assertEqual(self.run_baseline(*arguments), "")
        first = read(path)
        self.assertEqual(re.findall(r"^\w+ = ", first, re.M), ["expect = ", "allow = "])
        self.assertEqual([len(entry_text(path, port, protocol)) for port, protocol in (
            (443, "tcp"), (4731, "tcp"), (4732, "udp"), (4741, "tcp"))], [0, 1, 1, 0])
        self.assert_nothing_wrong(main)
        self.assert_nothing_wrong(main, prefix=as_user("nobody", "nogroup"))
        self.run_baseline(*arguments, "--force")
        self.assertEqual(read(path), first)
        self.program("three", tcp("127.0.0.1", 4733))
        self.assertEqual(findings(main), {("UnexpectedListener", "", 4733)})
        self.run_baseline(*arguments, "--force")
        self.assert_nothing_wrong(main)
        # One file that says it all, wherever it will be.
        self.assert_nothing_wrong(baseline("--config", main))
        # The main file again: what the others have stays there.
        os.unlink(path)
        self.run_baseline("--config", main, "--output", main, "--force")
        self.assertIn('include_dir = "conf.d";\n', read(main))
        self.assertIn('{ name = "kept"; port = 443; severity = "info"; }\n', read(main))
        self.assertNotIn("4740", read(main))
        self.assert_nothing_wrong(main)

    def test_a_file_of_include_dir_that_is_of_no_use(self):
        main = self.write("main.conf", 'include_dir = "conf.d";')
        path = self.write("conf.d/wrong.conf", "expect = x;")
        hint = self.run_baseline("--config", main, "--output", path, "--force")
        self.assertIn("without unexpected: {}; nothing is said of a listener", hint)
        self.assertEqual(len(entry_text(path, 4731)), 1)
        self.assertIn("would not be read, expected a name *.conf", self.run_baseline(
            "--config", main, "--output", os.path.join(self.directory, "conf.d", "new"), status=1))
        with open(path, "w") as file:
            result = subprocess.run([SOCKWATCH, "baseline", "--config", main], stdout=file,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual((result.returncode, read(path)), (1, ""))
        self.assertIn(f"use --output {path} --force", result.stderr)

    def test_the_service_is_not_blind_by_what_root_made(self):
        self.run_baseline("--config", scratch_file(FAST), "--output", self.path)
        daemon = Daemon(read(self.path), prefix=as_user("nobody", "nogroup"))
        try:
            daemon.wait_polls(5)
            self.assertEqual(daemon.metrics().firing(), set())
            self.assertNotIn("Blind", daemon.log())
        finally:
            self.assertEqual(daemon.stop(), 0)
