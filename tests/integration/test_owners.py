"""Whose socket it is: real servers that fork, are replaced, are started on
demand, hide, share a port, vanish, or call themselves what no program should."""

import ctypes
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import (SCRATCH, MariaDB, Metrics, Nginx, Server, TestCase, as_user, has_sanitizer, list_json, listening,
                     request, require, scratch_file, sockwatch, wait_for)

FAST = 'poll: { listeners = "50ms"; };\n'
EXPECT = FAST + 'expect = ( { name = "service"; %s } );\n'
SECOND_PORT = 10071

# What every program below begins and ends with.
PREAMBLE = """
import ctypes, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
def rename(name):
    libc.prctl(PR_SET_NAME, name)
def tcp(address, port, option=socket.SO_REUSEADDR):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, option, 1)
    s.bind((address, port))
    s.listen()
    return s
def udp(address, port, option=socket.SO_REUSEADDR):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, option, 1)
    s.bind((address, port))
    return s
def ready():
    print("ready", flush=True)
def obey(**orders):
    "Does as told by signals, of which none is missed."
    signals = {getattr(signal, name): order for name, order in orders.items()}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    ready()
    while True:
        signals[signal.sigwait(signals)]()
"""
END = "\nready()\nsignal.pause()\n"

# Holds a socket of its own and shares it with a child.
FORKS = """
s = tcp("127.0.0.1", 7100)
child = os.fork()
rename(b"parent" if child else b"child")
if not child:
    signal.pause()
print(child, flush=True)
"""

# Replaces its worker by another one when told to.
REPLACES = """
s = tcp("127.0.0.1", 7602)
rename(b"master")
workers = []
def replace():
    if workers:
        os.kill(workers[-1], signal.SIGKILL)
        os.waitpid(workers[-1], 0)
    pid = os.fork()
    if pid == 0:
        rename(b"worker%d" % len(workers))
        while True:
            time.sleep(60)
    workers.append(pid)
obey(SIGUSR1=replace, SIGUSR2=lambda: rename(b"boss"))
"""

# Gives its socket to itself, in a message that nobody has received yet.
IN_FLIGHT = """
a, b = socket.socketpair()
s = tcp("127.0.0.1", 7101)
def send():
    socket.send_fds(a, [b"x"], [s.fileno()])
    s.close()
received = []
def receive():
    received.append(socket.recv_fds(b, 1, 1))
obey(SIGUSR1=send, SIGUSR2=receive)
"""

TAKES_OVER = """
while True:
    try:
        s = tcp("0.0.0.0", 3306)
        break
    except OSError:
        time.sleep(0.001)
"""

ACTIVATED = "import socket, signal; s = socket.socket(fileno=3); signal.pause()"

# Children that listen, some of them killed before they do; each has their
# parent's socket, too, while it lives.
CHURN = """
shared = tcp("127.0.0.1", 7399)
parent = os.getpid()
def child(port):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it had ended before it could be watched
    s = tcp("127.0.0.1", port)
    signal.pause()
ready()
while True:
    children = []
    for port in range(7400, 7416):
        pid = os.fork()
        if pid == 0:
            child(port)
        children.append(pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
"""

# Processes that share one memory start and end at once.
BRIEF = """
CLONE_VM, STACK, count = 0x100, 1024, 1000
stacks = ctypes.create_string_buffer(count * STACK)
tops = [ctypes.c_void_p((ctypes.addressof(stacks) + i * STACK) & ~15) for i in range(1, count + 1)]
leave = ctypes.cast(libc._exit, ctypes.c_void_p)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
ready()
while True:
    for top in tops:
        libc.clone(leave, top, CLONE_VM | signal.SIGCHLD, None)
"""

# Likewise in great number.
CROWD = """
CLONE_VM, STACK = 0x100, 1024
count = 10000
stacks = ctypes.create_string_buffer(count * STACK)
pause = ctypes.cast(libc.pause, ctypes.c_void_p)
for i in range(1, count + 1):
    top = (ctypes.addressof(stacks) + i * STACK) & ~15
    if libc.clone(pause, ctypes.c_void_p(top), CLONE_VM | signal.SIGCHLD, None) < 0:
        print(os.strerror(ctypes.get_errno()), flush=True)
        break
"""

# Has a listener and many descriptors, in a table that others share as soon as
# it is told; one of them ends when it is told again.
SHARES = """
import resource
CLONE_VM, CLONE_FILES, STACK = 0x100, 0x400, 4096
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
s = tcp("127.0.0.1", 7900)
other = socket.socket()
for i in range(%d):
    os.dup(other.fileno())
count = 300
stacks = ctypes.create_string_buffer((count + 1) * STACK)
pause = ctypes.cast(libc.pause, ctypes.c_void_p)
sharers = []
def share():
    for i in range(1, count + 1):
        top = (ctypes.addressof(stacks) + i * STACK) & ~15
        sharers.append(libc.clone(pause, ctypes.c_void_p(top), CLONE_VM | CLONE_FILES | signal.SIGCHLD, None))
    print(*sharers, flush=True)
    ready()
def end():
    for pid in sharers[:-3]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    ready()
obey(SIGUSR1=share, SIGUSR2=end)
"""

# A thread has a table of its own, and a listener in it; its process has not.
OWN_TABLE = """
import threading
CLONE_FILES = 0x400
def hold():
    if libc.unshare(CLONE_FILES) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    rename(b"thread")
    s = tcp("127.0.0.1", %d)
    listening.set()
    signal.pause()
listening = threading.Event()
threading.Thread(target=hold, daemon=True).start()
listening.wait()
"""

# What is left is a thread, and a main one that has ended.
NO_LEADER = """
import platform, threading
SYS_exit = {"x86_64": 60, "aarch64": 93}[platform.machine()]
def hold():
    rename(b"thread")
    s = tcp("127.0.0.1", %d)
    while open("/proc/self/status").read().split("State:")[1].split()[0] != "Z":
        time.sleep(0.01)
    ready()
    time.sleep(600)
threading.Thread(target=hold, daemon=True).start()
libc.syscall(SYS_exit, 0)
"""

# A listener that is another one each time somebody looks.
RESTLESS = """
ready()
while True:
    s = tcp("127.0.0.1", 7801)
    time.sleep(0.05)
    s.close()
"""


class Program:
    """A Python program, which holds what its code makes; ready when constructed."""

    def __init__(self, code, name=None, prefix=(), wait=True, python=sys.executable):
        code = PREAMBLE + (f"rename({name!r})\n" if name is not None else "") + code + END
        self.process = subprocess.Popen([*prefix, python, "-IBSc", code], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.said = []
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=20):
        limit = threading.Timer(seconds, self.process.kill)
        limit.start()
        try:
            for line in self.process.stdout:
                if line == "ready\n":
                    return
                self.said.append(line.strip())
        finally:
            limit.cancel()
        raise AssertionError(f"the program ended with {self.process.wait()}")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


PYTHON = os.path.basename(sys.executable)[:15]  # as its processes are called
NOBODY = ("nobody", "nogroup")


def with_capabilities(*names):
    """Runs a program as nobody, but with these capabilities."""
    them = ",".join("+" + name for name in names)
    return [*as_user(*NOBODY), f"--inh-caps={them}", f"--ambient-caps={them}"]


def holders(port):
    """The PIDs that have the TCP listener of an IPv4 port open, by /proc."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in list(file)[1:]]
    inodes = {row[9] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    assert len(inodes) == 1, inodes
    link, found = f"socket:[{inodes.pop()}]", set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for fd in descriptors:
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") == link:
                    found.add(int(pid))
            except OSError:
                continue
    return found


def entry_of(port, protocol="tcp", prefix=()):
    """The one listener of a port in a look of its own."""
    found = [entry for entry in list_json(prefix=prefix)["listeners"]
             if (entry["port"], entry["protocol"]) == (port, protocol)]
    assert len(found) == 1, found
    return found[0]


def seen(port, protocol="tcp", prefix=()):
    """{(pid, process, user)} of those that hold the port, or None."""
    owners = entry_of(port, protocol, prefix)["owners"]
    if owners is None:
        return None
    found = [(owner["pid"], owner["process"], owner["user"]) for owner in owners]
    assert len(found) == len(set(found)), found
    return set(found)


def pids(port, protocol="tcp", prefix=()):
    owners = seen(port, protocol, prefix)
    return owners and {pid for pid, _, _ in owners}


def check(config, prefix=()):
    """What "check" exits with, the rules that it names, and its summaries."""
    result = sockwatch("check", "--json", "--config", scratch_file(config), prefix=prefix)
    assert result.returncode in range(4) and result.stderr == "", result
    alerts = json.loads(result.stdout)["alerts"]
    return result.returncode, [alert["rule"] for alert in alerts], "\n".join(alert["summary"] for alert in alerts)


def names(metrics, port, protocol="tcp"):
    """The owner's labels of the one listener on a port, or None."""
    found = [dict(labels) for (name, labels), _ in metrics.series.items() if name == "sockwatch_listener_info"]
    found = [labels for labels in found if (labels["port"], labels["protocol"]) == (str(port), protocol)]
    assert len(found) < 2, found
    return {name: found[0][name] for name in ("process", "user", "unit") if name in found[0]} if found else None


class OwnersCase(TestCase):
    def program(self, *arguments, **keywords):
        program = Program(*arguments, **keywords)
        self.addCleanup(program.end)
        return program

    def second_daemon(self, config, **keywords):
        return self.daemon(config, arguments=("--listen", f"127.0.0.1:{SECOND_PORT}"), port=SECOND_PORT, **keywords)

    def wait_names(self, daemon, port, seconds=10, **expected):
        """Waits until the owner has these labels, and no others of those."""
        def match():
            have = names(daemon.metrics(), port) or {}
            return expected.items() <= have.items()
        try:
            wait_for(f"port {port} has the owner {expected}", match, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {names(daemon.metrics(), port)}") from None

    def grow_old(self, daemon):
        """Lets three seconds pass, after which a socket that was known from the
        beginning is looked for again only when seven have; what is found out
        sooner was found by a look at its holder."""
        daemon.wait_polls(3250 // 50)

    def assert_check(self, config, status, *rules, prefix=()):
        result = check(config, prefix)
        self.assertEqual(result[:2], (status, list(rules)), result[2])
        return result[2]


class MariaDBTest(OwnersCase):
    CONFIG = FAST + 'expect = ( { name = "mysql"; port = 3306; process = "mariadbd"; user = "mysql"; for = "1s"; } );\n'
    WRONG_OWNER = ("WrongOwner", "mysql", 3306)

    def test_another_program_takes_its_place(self):
        mariadb = MariaDB()
        self.addCleanup(mariadb.stop)
        mariadb.start("0.0.0.0")
        daemon = self.daemon(self.CONFIG)
        self.assertEqual(names(daemon.metrics(), 3306)["process"], "mariadbd")
        self.assertEqual(names(daemon.metrics(), 3306)["user"], "mysql")
        daemon.wait_polls()
        self.assertEqual(daemon.metrics().get("alert_firing", rule="WrongOwner", name="mysql", port=3306), 0)
        self.assertNotIn("alert", daemon.log())

        thief = self.program(TAKES_OVER, wait=False)
        mariadb.stop()
        thief.wait_ready()
        daemon.wait_firing({self.WRONG_OWNER}, 2)
        # A poll may have found the port free, but never for a second.
        self.assertNotIn("NotListening firing", daemon.log())
        self.assertRegex(daemon.log(), r"alert WrongOwner firing, critical: mysql: tcp port 3306 is held at "
                         rf"0\.0\.0\.0:3306 by {re.escape(PYTHON)}\[{thief.pid}\], user root\b.*; "
                         r"expected user mysql, process mariadbd\n")
        self.assertEqual(daemon.metrics().get("expected_listening", name="mysql"), 1)
        self.assertEqual(daemon.metrics().get("listener_restarts_total", port=3306), 1)
        result = json.loads(sockwatch("list", "--json", "--config", daemon.config).stdout)["listeners"]
        self.assertEqual([entry["rules"] for entry in result if entry["port"] == 3306], [["WrongOwner"]])
        self.assertEqual([entry["restarts"] for entry in result if entry["port"] == 3306], [1])

        thief.end()
        mariadb.start("0.0.0.0")
        self.wait_names(daemon, 3306, process="mariadbd", user="mysql")
        daemon.wait_firing(set())
        # A poll may have found nobody there meanwhile.
        log = daemon.log()
        self.assertEqual(log.count("alert WrongOwner resolved") + log.count("WrongOwner became NotListening"), 1, log)
        self.assertEqual(log.count("alert WrongOwner firing"), 1, log)
        self.assertEqual(daemon.metrics().get("listener_restarts_total", port=3306), 2)

    def test_without_a_gap_nothing_is_missing(self):
        """Another program took over between two polls."""
        mariadb = MariaDB()
        self.addCleanup(mariadb.stop)
        mariadb.start("0.0.0.0")
        daemon = self.daemon(self.CONFIG.replace('"1s"', '"0s"'))
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            os.waitpid(daemon.process.pid, os.WUNTRACED)
            mariadb.stop(signal.SIGKILL)
            self.program(TAKES_OVER)
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_firing({self.WRONG_OWNER}, 2)
        self.assertNotIn("NotListening", daemon.log())


class NginxTest(OwnersCase):
    def test_master_and_workers(self):
        nginx = Nginx(8080)
        self.addCleanup(nginx.stop)
        config = EXPECT % 'port = 8080; process = "nginx"; user = "www-data";'
        daemon = self.daemon(config)

        def expected():
            return {(nginx.master, "nginx", "root")} | {(pid, "nginx", "www-data") for pid in nginx.workers()}
        self.assertEqual(len(expected()), 3)
        self.assertEqual(seen(8080), expected())
        self.assertEqual(pids(8080), holders(8080))
        self.wait_names(daemon, 8080, process="nginx", user="root,www-data")
        self.assertEqual(daemon.metrics().firing(), set())
        self.assert_check(config, 0)
        self.assert_check(EXPECT % 'port = 8080; process = "nginx"; user = "root";', 0)
        self.assert_check(EXPECT % 'port = 8080; process = "nginx*"; user = "mysql";', 2, "WrongOwner")

        killed = min(nginx.workers())
        before = nginx.workers()
        os.kill(killed, signal.SIGKILL)
        wait_for("another worker", lambda: len(nginx.workers()) == 2 and nginx.workers() != before)
        wait_for("it holds the socket", lambda: seen(8080) == expected())
        self.assertNotIn(killed, pids(8080))
        self.assertEqual(pids(8080), holders(8080))

        # The workers alone go on serving; the daemon notices.
        workers = nginx.workers()
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers if os.path.exists(f"/proc/{pid}")])
        nginx.server.end(signal.SIGKILL)
        self.wait_names(daemon, 8080, process="nginx", user="www-data")
        self.assertEqual(pids(8080), workers)
        self.assertEqual(daemon.metrics().firing(), set())
        self.assertEqual(daemon.metrics().get("listener_restarts_total", port=8080), 0)


class RedisTest(OwnersCase):
    def command(self, connection, text, answer):
        connection.sendall(text.encode() + b"\r\n")
        got = connection.recv(1000)
        self.assertTrue(got.startswith(answer), got)

    def test_the_child_that_saves(self):
        require("redis-server", "pgrep")
        server = Server(["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                         "--dir", SCRATCH], 6379)
        self.addCleanup(server.end, signal.SIGKILL)
        pid = server.process.pid
        self.assertEqual({(number, name) for number, name, _ in seen(6379)}, {(pid, "redis-server")})

        def children():
            return subprocess.run(["pgrep", "-P", str(pid), "-r", "R,S,D"], capture_output=True, text=True).stdout
        with socket.create_connection(("127.0.0.1", 6379), timeout=10) as connection:
            self.command(connection, "CONFIG SET rdb-key-save-delay 500000", b"+OK")  # microseconds
            for i in range(20):
                self.command(connection, f"SET key{i} value", b"+OK")
            self.command(connection, "BGSAVE", b"+Background saving started")
        child = int(wait_for("it has a child", children))
        self.addCleanup(lambda: os.kill(child, signal.SIGKILL) if children() else None)
        # It closes the sockets that it inherited, sooner or later.
        wait_for("both agree", lambda: pids(6379) == holders(6379))
        self.assertEqual(children().split(), [str(child)])
        self.assertEqual(pids(6379), holders(6379))
        self.assert_check(EXPECT % 'port = 6379; process = "redis-server";', 0)


class ForkTest(OwnersCase):
    def test_the_child_survives_its_parent(self):
        parent = self.program(FORKS)
        child = int(parent.said[0])
        self.addCleanup(lambda: os.kill(child, signal.SIGKILL))
        daemon = self.daemon(EXPECT % 'port = 7100; process = "parent";')
        self.assertEqual(holders(7100), {parent.pid, child})
        self.assertEqual(pids(7100), {parent.pid, child})
        self.assertEqual({name for _, name, _ in seen(7100)}, {"parent", "child"})
        self.wait_names(daemon, 7100, process="child,parent")
        self.assertEqual(daemon.metrics().firing(), set())
        parent.end()
        self.wait_names(daemon, 7100, process="child")
        daemon.wait_firing({("WrongOwner", "service", 7100)})
        self.assertEqual(pids(7100), {child})
        self.assertEqual(daemon.metrics().get("listener_restarts_total", port=7100), 0)

    def test_a_number_that_is_used_again(self):
        """The next process of that number is another one, though it has another
        socket as the same descriptor."""
        parent = self.program(FORKS)
        child = int(parent.said[0])
        self.addCleanup(lambda: os.kill(child, signal.SIGKILL))
        daemon = self.daemon(FAST)
        self.wait_names(daemon, 7100, process="child,parent")
        self.grow_old(daemon)
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            os.waitpid(daemon.process.pid, os.WUNTRACED)
            parent.end()
            for _ in range(20):
                try:
                    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                        file.write(str(parent.pid - 1))
                except OSError as error:
                    self.skipTest(f"the next PID cannot be chosen: {error.strerror}")
                other = self.program("s = tcp('127.0.0.1', 7102)", b"parent")
                if other.pid == parent.pid:
                    break
                other.end()
            self.assertEqual(other.pid, parent.pid)
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        self.wait_names(daemon, 7100, 2.5, process="child")
        self.wait_names(daemon, 7102, process="parent")
        self.assertEqual((pids(7100), pids(7102)), ({child}, {other.pid}))

    def test_a_socket_on_its_way(self):
        """Nobody holds it, so nobody is named, and nothing else is wrong with it."""
        config = EXPECT % f'port = 7101; process = "{PYTHON}";'
        program = self.program(IN_FLIGHT)
        daemon = self.daemon(config)
        self.assertEqual(pids(7101), {program.pid})
        program.process.send_signal(signal.SIGUSR1)
        wait_for("it is on its way", lambda: not holders(7101))
        self.assertIsNone(seen(7101), "in a PID namespace nobody knows who else there is")
        self.assert_check(config, 3, "Blind")
        daemon.wait_firing({("Blind", "", "")})
        self.assertNotIn("process", names(daemon.metrics(), 7101))
        program.process.send_signal(signal.SIGUSR2)
        wait_for("it has arrived", lambda: holders(7101))
        self.assert_check(config, 0)
        self.wait_names(daemon, 7101, process=PYTHON)
        daemon.wait_firing(set())


class ActivationTest(OwnersCase):
    def test_the_service_comes_with_the_first_connection(self):
        require("systemd-socket-activate")
        server = Server(["systemd-socket-activate", "-l", "127.0.0.1:7000", sys.executable, "-IBSc", ACTIVATED], 7000)
        self.addCleanup(server.end, signal.SIGKILL)
        right = EXPECT % 'port = 7000; process = "python3*";'
        wrong = EXPECT % 'port = 7000; process = "nginx";'
        daemon, second = self.daemon(right), self.second_daemon(wrong)
        for one in (daemon, second):
            self.wait_names(one, 7000, process="systemd-socket-")
            one.wait_polls()
            self.assertEqual(one.metrics().firing(), set())
        self.assert_check(right, 0)
        self.assert_check(wrong, 0)
        self.grow_old(second)

        with socket.create_connection(("127.0.0.1", 7000)):
            self.wait_names(daemon, 7000, 2.5, process=PYTHON)
            self.assertEqual({(pid, name) for pid, name, _ in seen(7000)}, {(server.process.pid, PYTHON)})
            second.wait_firing({("WrongOwner", "service", 7000)})
        daemon.wait_polls()
        self.assertNotIn("alert", daemon.log())
        self.assert_check(right, 0)
        self.assert_check(wrong, 2, "WrongOwner")
        self.assertEqual(daemon.metrics().get("listener_restarts_total", port=7000), 0)


def hierarchies():
    """Where units have their directories: the cgroup2 tree first, then that of
    systemd on hosts with cgroup v1."""
    unified, named = [], []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, right = line.split(" - ")
            kind, _, options = right.split()[:3]
            if kind == "cgroup2" and left.split()[3] == "/":
                unified.append(left.split()[4])
            elif "name=systemd" in options:
                named.append(left.split()[4])
    return unified[:1] + named[:1] if unified else []


class UnitTest(OwnersCase):
    """A unit is a directory; systemd itself is not needed for it."""

    # Joins a group in each hierarchy, and then is the program.
    JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit; shift; done; shift; exec "$@"'

    def setUp(self):
        mounts = hierarchies()
        if not mounts:
            self.skipTest("there is no cgroup2 mount")
        self.slices = [os.path.join(mount, os.path.basename(SCRATCH) + ".slice") for mount in mounts]
        self.make(self.slices)

    def make(self, directories):
        for directory in directories:
            self.addCleanup(self.remove, directory)
            try:
                os.mkdir(directory)
            except OSError as error:
                self.skipTest(f"cannot make {directory}: {error.strerror}")

    def remove(self, directory):
        def gone():
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                return True
            except OSError:
                self.kill(directory)
                return False
            return True
        wait_for(f"{directory} is empty", gone)

    def kill(self, directory):
        with open(os.path.join(directory, "cgroup.procs")) as file:
            for pid in map(int, file):
                if pid > 1:
                    os.kill(pid, signal.SIGKILL)

    def unit(self, name):
        """The directories of a new unit."""
        directories = [os.path.join(parent, name) for parent in self.slices]
        self.make(directories)
        return directories

    def joining(self, unit):
        return ["sh", "-c", self.JOIN, "sh", *unit, "--"]

    def move(self, pid, unit):
        for directory in unit:
            with open(os.path.join(directory, "cgroup.procs"), "w") as file:
                file.write(str(pid))

    def test_a_process_that_moves(self):
        program = self.program("s = tcp('127.0.0.1', 7600)", prefix=self.joining(self.unit("demo.service")))
        daemon = self.daemon(FAST)
        self.wait_names(daemon, 7600, unit="demo.service")
        self.move(program.pid, self.unit("other.service"))
        self.wait_names(daemon, 7600, 5, unit="other.service")
        self.assertEqual(entry_of(7600)["socket_unit"], "demo.service")
        # The unit that made its socket will do.
        self.assert_check(EXPECT % 'port = 7600; unit = "demo.service";', 0)
        self.assert_check(EXPECT % 'port = 7600; unit = "other.service";', 0)

    def test_connections_by_unit(self):
        self.program("s = tcp('127.0.0.1', 7600)", prefix=self.joining(self.unit("demo.service")))
        self.program("kept = [socket.create_connection(('127.0.0.1', 7600)) for _ in range(5)]\n"
                     "kept[0].close(), kept[1].close()", prefix=self.joining(self.unit("app.service")))
        config = scratch_file("connections: { by_unit = true; };\n")
        for prefix in (), as_user(*NOBODY):
            metrics = Metrics(sockwatch("metrics", "--config", config, prefix=prefix).stdout)
            for labels, count in (
                    ({"unit": "demo.service", "direction": "inbound", "state": "established"}, 3),
                    ({"unit": "demo.service", "direction": "inbound", "state": "close-wait"}, 2),
                    ({"unit": "demo.service", "direction": "outbound"}, None),
                    ({"unit": "app.service", "direction": "outbound", "state": "established"}, 3),
                    ({"unit": "app.service", "direction": "inbound"}, None)):
                self.assertEqual(metrics.get("unit_connections", **labels), count, labels)
            self.assertEqual(sum(metrics.find("unit_connections")),
                             sum(metrics.find("sockets", protocol="tcp"))
                             - sum(metrics.find("sockets", protocol="tcp", state="listen"))
                             - sum(metrics.find("sockets", protocol="tcp", state="time-wait")))
        self.assertEqual(Metrics(sockwatch("metrics").stdout).find("unit_connections"), [])

    def test_without_privilege(self):
        demo = self.unit("demo.service")
        program = self.program("s = tcp('127.0.0.1', 7600)", prefix=self.joining(demo))
        entry = entry_of(7600, prefix=as_user(*NOBODY))
        self.assertEqual((entry["owners"], entry["unit"], entry["socket_unit"], entry["uid"]),
                         (None, "demo.service", "demo.service", 0))
        self.assertEqual(entry_of(7600)["owners"], [
            {"pid": program.pid, "process": PYTHON, "exe": os.path.realpath(sys.executable), "exe_deleted": False,
             "exe_verified": True, "user": "root", "unit": "demo.service"}])
        for prefix in ([], as_user(*NOBODY)):
            metrics = Metrics(sockwatch("metrics", prefix=prefix).stdout)
            self.assertEqual(names(metrics, 7600)["unit"], "demo.service")
            self.assert_check(EXPECT % 'port = 7600; unit = "demo.service";', 0, prefix=prefix)
            self.assert_check(EXPECT % 'port = 7600; unit = "d*.service"; user = "root";', 0, prefix=prefix)
            summary = self.assert_check(EXPECT % 'port = 7600; unit = "nginx.service";', 2, "WrongOwner", prefix=prefix)
            self.assertIn("expected unit nginx.service", summary)

    def test_a_unit_that_was_removed(self):
        """Its socket lives on elsewhere. Who knew the unit keeps it."""
        demo = self.unit("demo.service")
        program = self.program("s = tcp('127.0.0.1', 7600)", prefix=self.joining(demo))
        config = EXPECT % 'port = 7600; unit = "demo.service";'
        daemon, unprivileged = self.daemon(config), self.second_daemon(config, prefix=as_user(*NOBODY))
        for one in (daemon, unprivileged):
            self.wait_names(one, 7600, unit="demo.service")

        self.move(program.pid, self.unit("other.service"))
        for directory in demo:
            os.rmdir(directory)
        # Both read the tree again to find this one's unit.
        self.program("s = tcp('127.0.0.1', 7601)", prefix=self.joining(self.unit("third.service")))
        for one in (daemon, unprivileged):
            self.wait_names(one, 7601, unit="third.service")
            one.reload(config)
            wait_for("it looks anew", lambda: "configuration reloaded" in one.log())
            one.wait_polls()
        self.wait_names(daemon, 7600, process=PYTHON, unit="other.service")
        self.assertEqual(names(unprivileged.metrics(), 7600)["unit"], "demo.service")
        for one in (daemon, unprivileged):
            self.assertEqual(one.metrics().firing(), set(), one.log())

        entry = entry_of(7600, prefix=as_user(*NOBODY))
        self.assertEqual((entry["owners"], entry["unit"], entry["socket_unit"]), (None, None, None))
        self.assert_check(config, 3, "Blind", prefix=as_user(*NOBODY))
        entry = entry_of(7600)
        self.assertEqual((entry["unit"], entry["socket_unit"]), ("other.service", None))
        self.assertEqual([owner["pid"] for owner in entry["owners"]], [program.pid])
        self.assert_check(EXPECT % 'port = 7600; unit = "other.service";', 0)

    def test_workers_that_join_later(self):
        """Where one of a unit has gone or changed, the others are looked at at once;
        otherwise that would take longer each time."""
        unit = self.unit("web.service")
        program = self.program(REPLACES, prefix=self.joining(unit))
        daemon = self.daemon(FAST)
        for worker in range(4):
            program.process.send_signal(signal.SIGUSR1)
            self.wait_names(daemon, 7602, 3, process=f"master,worker{worker}", unit="web.service")
        program.process.send_signal(signal.SIGUSR2)
        self.wait_names(daemon, 7602, 2, process="boss,worker3")
        self.assertEqual(pids(7602), holders(7602))


class PrivilegeTest(OwnersCase):
    BOTH = ("sys_ptrace", "dac_read_search")

    def setUp(self):
        self.nobody = as_user(*NOBODY)
        self.root = self.program("s = tcp('127.0.0.1', 7200)", b"roots")
        self.web = self.program("s = tcp('127.0.0.1', 7201)", b"webs", as_user("www-data"))
        self.own = self.program("s = tcp('127.0.0.1', 7202)", b"nobodys", self.nobody)

    def assert_hidden(self, prefix):
        for port, uid in ((7200, 0), (7201, 33)):
            entry = entry_of(port, prefix=prefix)
            self.assertIsNone(entry["owners"])
            self.assertEqual(entry["uid"], uid)
        # A user may look into its own processes.
        self.assertEqual(seen(7202, prefix=prefix), {(self.own.pid, "nobodys", "nobody")})

    def assert_seen(self, prefix):
        self.assertEqual(seen(7200, prefix=prefix), {(self.root.pid, "roots", "root")})
        self.assertEqual(seen(7201, prefix=prefix), {(self.web.pid, "webs", "www-data")})
        self.assertEqual(seen(7202, prefix=prefix), {(self.own.pid, "nobodys", "nobody")})

    def test_two_capabilities_and_not_one_less(self):
        self.assert_seen([])
        self.assert_seen(with_capabilities(*self.BOTH))
        self.assert_hidden(self.nobody)
        for one in self.BOTH:
            self.assert_hidden(with_capabilities(one))

    def test_what_is_not_seen_is_counted(self):
        def metrics(prefix):
            result = sockwatch("metrics", prefix=prefix)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            return Metrics(result.stdout)
        unprivileged, privileged = metrics(self.nobody), metrics(with_capabilities(*self.BOTH))
        self.assertEqual(unprivileged.get("listeners_owner_unseen", protocol="tcp"), 2)
        self.assertEqual(privileged.get("listeners_owner_unseen", protocol="tcp"), 0)
        self.assertEqual(unprivileged.get("listeners_owner_unseen", protocol="udp"), 0)
        self.assertEqual(privileged.find("listener_info", port=7201, process="webs", user="www-data"), [1])
        have = names(unprivileged, 7201)
        self.assertEqual((have.get("process"), have["user"]), (None, "www-data"))

    def test_rules_that_need_more_than_is_seen(self):
        process = EXPECT % 'port = 7200; process = "roots";'
        self.assert_check(process, 0)
        self.assert_check(process, 0, prefix=with_capabilities(*self.BOTH))
        for prefix in (self.nobody, *(with_capabilities(one) for one in self.BOTH)):
            summary = self.assert_check(process, 3, "Blind", prefix=prefix)
            self.assertIn("CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", summary)
            self.assertIn("127.0.0.1:7200", summary)
        self.assert_check(EXPECT % 'port = 7200; process = "wrong";', 3, "Blind", prefix=self.nobody)
        self.assert_check(EXPECT % 'port = 7201; process = "webs"; user = "www-data";', 3, "Blind", prefix=self.nobody)
        self.assert_check(EXPECT % 'port = 7202; process = "nobodys";', 0, prefix=self.nobody)
        self.assert_check(EXPECT % 'port = 7202; process = "wrong";', 2, "WrongOwner", prefix=self.nobody)

    def test_users_that_a_socket_tells(self):
        self.assert_check(EXPECT % 'port = 7201; user = "www-*";', 0, prefix=self.nobody)
        summary = self.assert_check(EXPECT % 'port = 7201; user = "mysql";', 2, "WrongOwner", prefix=self.nobody)
        self.assertIn("held at 127.0.0.1:7201 by user www-data; expected user mysql", summary)
        # Also where the process cannot be seen: no program of that user is right.
        self.assert_check(EXPECT % 'port = 7201; process = "webs"; user = "mysql";', 2, "WrongOwner",
                          prefix=self.nobody)
        self.assert_check(EXPECT % 'port = 7200; user = "root";', 0, prefix=self.nobody)
        # Root may have made it for another user.
        self.assert_check(EXPECT % 'port = 7200; user = "mysql";', 3, "Blind", prefix=self.nobody)
        self.assert_check(EXPECT % 'port = 7200; user = "mysql";', 2, "WrongOwner")

    def test_a_blind_daemon_says_so(self):
        config = EXPECT % 'port = 7200; process = "roots";'
        daemon = self.daemon(config, ["--debug"], prefix=self.nobody)
        daemon.wait_firing({("Blind", "", "")})
        daemon.wait_polls()
        alerts = re.findall(r"alert (\w+ \w+)", daemon.log())
        self.assertEqual(alerts, ["Blind pending", "Blind firing"], daemon.log())
        self.assertEqual(daemon.metrics().get("alert_firing", rule="WrongOwner", name="service"), 0)
        self.assertEqual(daemon.metrics().get("expected_listening", name="service"), 1)
        # Its own sockets it sees.
        self.assertEqual(daemon.metrics().get("listeners_owner_unseen", protocol="tcp"), 2)
        self.assertEqual(daemon.stop(), 0)
        daemon = self.daemon(config, prefix=with_capabilities(*self.BOTH))
        daemon.wait_polls()
        self.assertNotIn("alert", daemon.log())

    def test_where_processes_are_hidden(self):
        mount = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"'
        hiding = ["unshare", "--mount", "sh", "-c", mount, "sh"]
        probe = subprocess.run([*hiding, "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"cannot mount /proc with hidepid: {probe.stderr.strip()}")
        result = subprocess.run([*hiding, *self.nobody, "test", "-e", f"/proc/{self.root.pid}"])
        self.assertEqual(result.returncode, 1, "it is hidden")
        self.assert_hidden([*hiding, *self.nobody])
        self.assert_seen([*hiding, *with_capabilities(*self.BOTH)])
        self.assert_check(EXPECT % 'port = 7200; process = "roots";', 3, "Blind", prefix=[*hiding, *self.nobody])


class ThreadTest(OwnersCase):
    """What no /proc/PID/fd shows, since that is the main thread's."""

    def assert_told(self, code, port, name, user, prefix):
        program = self.program(code % port, name, prefix)
        self.assertEqual(holders(port), set(), "no process has it by itself")
        self.assertEqual(seen(port, prefix=prefix), {(program.pid, name.decode(), user)})
        self.assertEqual(seen(port), {(program.pid, name.decode(), user)})
        self.assert_check(EXPECT % f'port = {port}; process = "{name.decode()}";', 0, prefix=prefix)
        self.assert_check(EXPECT % f'port = {port}; process = "thread";', 2, "WrongOwner", prefix=prefix)
        return program

    def test_a_thread_with_a_table_of_its_own(self):
        self.assert_told(OWN_TABLE, 7110, b"owntable", "root", [])
        self.assert_told(OWN_TABLE, 7111, b"owntable", "nobody", as_user(*NOBODY))

    def test_a_process_whose_main_thread_has_ended(self):
        self.assert_told(NO_LEADER, 7112, b"noleader", "root", [])
        self.assert_told(NO_LEADER, 7113, b"noleader", "nobody", as_user(*NOBODY))

    def test_a_daemon_keeps_it(self):
        daemon = self.daemon(EXPECT % 'port = 7114; process = "noleader";')
        program = self.program(NO_LEADER % 7114, b"noleader")
        self.wait_names(daemon, 7114, process="noleader", user="root")
        self.grow_old(daemon)
        self.wait_names(daemon, 7114, process="noleader", user="root")
        self.assertNotIn("Blind firing", daemon.log())
        self.assertEqual(daemon.metrics().firing(), set())
        program.end()
        daemon.wait_firing({("NotListening", "service", 7114)})


class WithoutProcTest(OwnersCase):
    """Nobody can be looked for, which is not that nothing is wrong."""

    def hiding(self, mount):
        hiding = ["unshare", "--mount", "sh", "-c", mount + ' && exec "$@"', "sh"]
        probe = subprocess.run([*hiding, "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"cannot hide /proc: {probe.stderr.strip()}")
        return hiding

    def test_a_look_is_blind(self):
        if has_sanitizer():
            self.skipTest("what a sanitizer adds to a program needs /proc itself")
        self.program("s = tcp('127.0.0.1', 7115)", b"program")
        prefix = self.hiding("mount -t tmpfs tmpfs /proc")
        config = EXPECT % 'port = 7115; process = "program";'
        self.assert_check(config, 0)
        summary = self.assert_check(config, 3, "Blind", prefix=prefix)
        self.assertIn("(127.0.0.1:7115): /proc could not be looked through in time", summary)
        allowed = FAST + 'unexpected: {};\nallow = ( { ports = "7115"; process = "program"; } );'
        status, rules, summaries = check(allowed, prefix)
        self.assertEqual((status, "UnexpectedListener" in rules), (3, False), summaries)
        self.assert_check(EXPECT % 'port = 7115; user = "root";', 0, prefix=prefix)  # the socket's own
        found = list_json(prefix=prefix)
        self.assertEqual([entry["owners"] for entry in found["listeners"] if entry["port"] == 7115], [None])
        self.assertFalse(found["collectors"]["owners"]["up"])


class AllowTest(OwnersCase):
    CONFIG = FAST + 'allow = ( { ports = "8000"; process = "python*"; } );\nunexpected: {};\n'
    UNEXPECTED = ("UnexpectedListener", "", 8000)

    def test_of_a_program(self):
        require("redis-server")
        daemon = self.daemon(self.CONFIG)
        python = self.program("s = tcp('127.0.0.1', 8000)")
        self.wait_names(daemon, 8000, process=PYTHON)
        daemon.wait_polls()
        self.assertNotIn("alert", daemon.log())
        python.end()
        redis = Server(["redis-server", "--port", "8000", "--bind", "127.0.0.1", "--save", "", "--dir", SCRATCH], 8000)
        self.addCleanup(redis.end, signal.SIGKILL)
        daemon.wait_firing({self.UNEXPECTED})
        self.assertIn(f"neither expected nor allowed (redis-server[{redis.process.pid}], user ", daemon.log())
        redis.end()
        daemon.wait_firing(set())
        self.program("s = tcp('127.0.0.1', 8000)")
        self.wait_names(daemon, 8000, process=PYTHON)
        daemon.wait_polls()
        self.assertEqual(daemon.log().count("UnexpectedListener firing"), 1, daemon.log())

    def test_of_a_user(self):
        config = self.CONFIG.replace('process = "python*"', 'user = "www-*"')
        self.program("s = tcp('127.0.0.1', 8000)", prefix=as_user("www-data"))
        self.assert_check(config, 0)
        self.assert_check(config, 0, prefix=as_user(*NOBODY))
        self.assert_check(config.replace("www-", "mysql"), 1, "UnexpectedListener", prefix=as_user(*NOBODY))

    def test_what_is_not_seen_is_not_unexpected(self):
        self.program("s = tcp('127.0.0.1', 8000)")
        self.assert_check(self.CONFIG, 0)
        self.assert_check(self.CONFIG, 3, "Blind", prefix=as_user(*NOBODY))


class SharingTest(OwnersCase):
    """Two programs on one port, of which one may be the wrong one."""

    ONE = 'expect = ( { name = "service"; port = 7700; protocol = "%s"; process = "%s"; } );'
    UNEXPECTED = 'unexpected: { severity = "critical"; };'

    def test_udp_of_several_users(self):
        first = self.program("s = udp('0.0.0.0', 7700)", b"first")
        self.assertIsNone(entry_of(7700, "udp")["shared_by"])
        config = FAST + 'expect = ( { name = "service"; port = 7700; protocol = "udp"; user = "root"; } );'
        daemon = self.daemon(config)
        daemon.wait_polls()
        self.assertNotIn("alert", daemon.log())
        second = self.program("s = udp('0.0.0.0', 7700)", b"second", as_user(*NOBODY))
        daemon.wait_firing({("WrongOwner", "service", 7700)})
        # The socket's own user is enough to fire; who it is may be found a moment later.
        self.assertRegex(daemon.log(), r"held at 0\.0\.0\.0:7700 by .*user nobody")
        self.assertIn("with one of 2 sockets of several users; expected user root", daemon.log())
        named = f"held at 0.0.0.0:7700 by second[{second.pid}], user nobody"
        self.assertIn(named, self.assert_check(config, 2, "WrongOwner"))
        entry = entry_of(7700, "udp")
        self.assertEqual((entry["sockets"], entry["shared_by"], entry["uid"]), (2, "several-users", None))
        self.assertEqual(seen(7700, "udp"), {(first.pid, "first", "root"), (second.pid, "second", "nobody")})
        self.assertEqual(names(daemon.metrics(), 7700, "udp")["user"], "nobody,root")
        second.end()
        daemon.wait_firing(set())
        self.assertIsNone(entry_of(7700, "udp")["shared_by"])

    def assert_shared_by_one_user(self, protocol):
        code = f"s = {protocol}('0.0.0.0', 7700, socket.SO_REUSEPORT)"
        first, second = self.program(code, b"first"), self.program(code, b"second")
        entry = entry_of(7700, protocol)
        self.assertEqual((entry["sockets"], entry["shared_by"], entry["uid"]), (2, "one-user", 0))
        self.assertEqual(seen(7700, protocol), {(first.pid, "first", "root"), (second.pid, "second", "root")})
        for right, wrong in (("first", f"second[{second.pid}]"), ("second", f"first[{first.pid}]")):
            summary = self.assert_check(self.ONE % (protocol, right), 2, "WrongOwner")
            self.assertIn(f"by {wrong}, user root", summary)
            self.assertIn(f"with one of 2 sockets of one user; expected process {right}", summary)
        entries = [f'{{ port = 7700; protocol = "{protocol}"; process = "{name}"; }}' for name in ("first", "second")]
        self.assert_check(f"allow = ( {', '.join(entries)} ); {self.UNEXPECTED}", 0)
        for one in entries:
            self.assert_check(f"allow = ( {one} ); {self.UNEXPECTED}", 2, "UnexpectedListener")

    def test_udp_of_one_user(self):
        self.assert_shared_by_one_user("udp")

    def test_tcp_of_one_user(self):
        self.assert_shared_by_one_user("tcp")


class NamesTest(OwnersCase):
    """A process may call itself anything; the kernel keeps 15 bytes of it."""

    CUT = "ä" * 8
    NAMES = (
        (b"with a space", "with a space"),
        (b"""qu"o't`e""", """qu"o't`e"""),
        (b"back\\slash\\n\\", "back\\slash\\n\\"),
        (b"new\nline", "new\\x0aline"),
        (b"\n\n", "\\x0a\\x0a"),
        (b"sockwatch: \r\n", "sockwatch: \\x0d\\x0a"),
        (b"\x01\x1b[31m\x7f\t", "\\x01\\x1b[31m\\x7f\\x09"),
        (b"\xff\xfe\x80\xc3", "\\xff\\xfe\\x80\\xc3"),
        (b"\xff" * 15, "\\xff" * 15),
        (CUT.encode(), "ä" * 7 + "\\xc3"),
        ("\u202eexe.gpj".encode(), "\\xe2\\x80\\xaeexe.gpj"),
        (b"", "(unnamed)"),
        (b"<b>&amp;</b>", "<b>&amp;</b>"),
        (b"a,b=\"c\"} 1 #", "a,b=\"c\"} 1 #"),
        (b"%s%n%d{}$(id)", "%s%n%d{}$(id)"),
        (b"[a-z]*?", "[a-z]*?"),
        (b" ", " "),
    )

    def expects(self, name_of):
        """A configuration with an expected service for each program."""
        def quote(text):
            return text.replace("\\", "\\\\").replace('"', '\\"')
        return FAST + "expect = ( " + ", ".join(
            f'{{ name = "p{port}"; port = {port}; process = "{quote(name_of(name))}"; }}'
            for port, (_, name) in self.by_port.items()) + " );"

    def setUp(self):
        self.by_port = dict(enumerate(self.NAMES, 7300))
        for port, (given, _) in self.by_port.items():
            program = self.program(f"s = tcp('127.0.0.1', {port})", given)
            with open(f"/proc/{program.pid}/comm", "rb") as comm:
                self.assertEqual(comm.read(), given[:15] + b"\n")

    def assert_one_line_each(self, text, lines):
        self.assertEqual(len(text.splitlines()), lines, text)
        self.assertTrue(text.replace("\n", "").isprintable(), repr(text))

    def test_in_a_list(self):
        result = sockwatch("list")
        self.assertEqual(result.returncode, 0)
        self.assert_one_line_each(result.stdout, 1 + len(self.NAMES))
        self.assertTrue(result.stdout.isascii())
        for port, (_, name) in self.by_port.items():
            self.assertEqual(entry_of(port)["owners"][0]["process"], name)
            line = next(line for line in result.stdout.splitlines() if f":{port} " in line)
            self.assertIn(f" {name.replace('ä', '?')}[", line)

    def test_in_metrics(self):
        text = sockwatch("metrics").stdout
        metrics = Metrics(text)
        for port, (_, name) in self.by_port.items():
            value = names(metrics, port)["process"]
            self.assertEqual(re.sub(r'\\(["\\])', r"\1", value), name)
        if shutil.which("promtool"):
            result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_in_rules(self):
        self.assert_check(self.expects(lambda name: name), 0)
        self.assert_check(self.expects(lambda name: self.CUT if name.endswith("\\xc3") and "ä" in name else name), 0)

    def test_in_alerts(self):
        config = self.expects(lambda name: "none")
        result = sockwatch("check", "--config", scratch_file(config))
        self.assertEqual((result.returncode, result.stderr), (2, ""))
        self.assert_one_line_each(result.stdout, len(self.NAMES))
        daemon = self.daemon(config)
        daemon.wait_firing({("WrongOwner", f"p{port}", port) for port in self.by_port})
        page = request("/")[2]
        for port, (_, name) in self.by_port.items():
            lines = [line for line in daemon.log().splitlines() if "alert WrongOwner firing" in line and
                     f"127.0.0.1:{port} by {name}[" in line]
            self.assertEqual(len(lines), 1, daemon.log())
        self.assertEqual(daemon.log().count("alert "), len(self.NAMES))
        for line in daemon.log().splitlines():
            self.assertRegex(line, r"\Asockwatch: (alert WrongOwner firing|serving|sctp:|raw:)")
        self.assertNotIn("<b>", page)
        self.assertIn("&lt;b&gt;&amp;amp;&lt;/b&gt;[", page)


def compares_tables():
    """Whether kcmp(2) is there; it is what tells that processes share a table."""
    number = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
    return number is not None and ctypes.CDLL(None).syscall(number, os.getpid(), os.getpid(), 2, 0, 0) == 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class SharedTableTest(OwnersCase):
    DESCRIPTORS = 15000

    def look_seconds(self):
        started = time.monotonic()
        found = pids(7900)
        return time.monotonic() - started, found

    def test_three_hundred_processes_with_one_table(self):
        """They cost as much as one, and hold up nobody."""
        if not compares_tables():
            self.skipTest("kcmp(2) is not to be used here")
        program = self.program(SHARES % self.DESCRIPTORS, b"shares")
        alone, found = self.look_seconds()
        self.assertEqual(found, {program.pid})
        os.kill(program.pid, signal.SIGUSR1)
        program.wait_ready()
        sharers = {int(pid) for pid in program.said[-1].split()}
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in sharers if os.path.exists(f"/proc/{pid}")])
        self.assertEqual(len(sharers), 300)
        shared, found = self.look_seconds()
        self.assertLess(shared, 10 * alone + 0.5)
        self.assertEqual(len(found), 16)
        self.assertLessEqual(found, sharers | {program.pid})
        self.assertEqual(entry_of(7900)["owners_left_out"], 301 - 16)
        all_of_them = scratch_file("limits: { holders = 1024; };")
        entry, = [entry for entry in list_json("--config", all_of_them)["listeners"] if entry["port"] == 7900]
        self.assertEqual({owner["pid"] for owner in entry["owners"]}, sharers | {program.pid})
        self.assertEqual((len(entry["owners"]), entry["owners_left_out"]), (301, 0))

        daemon = self.daemon('poll: { listeners = "50ms"; };')
        newcomer = self.program("s = tcp('127.0.0.1', 7901)", b"newcomer")
        self.wait_names(daemon, 7901, 2, process="newcomer")
        self.wait_names(daemon, 7900, 10, process="shares")
        daemon.wait_polls(40)
        self.assertLess(cpu_seconds(daemon.process.pid), 20 * alone + 1)

        # Of those that were named all end, and the others hold it still.
        os.kill(program.pid, signal.SIGUSR2)
        program.wait_ready()
        program.end()
        left = set(map(int, program.said[-1].split()[-3:]))
        self.assertEqual(pids(7900), left)
        second = self.program("s = tcp('127.0.0.1', 7902)", b"second")
        self.wait_names(daemon, 7902, 2, process="second")
        self.wait_names(daemon, 7900, 10, process="shares")
        self.assertEqual({newcomer.pid, second.pid}, pids(7901) | pids(7902))


class VanishingTest(OwnersCase):
    def test_processes_that_come_and_go(self):
        stable = self.program("s = tcp('127.0.0.1', 7398)", b"stable")
        daemon = self.daemon('poll: { listeners = "20ms"; connections = "100ms"; };\nunexpected: {};\n'
                             'allow = ( { ports = "1-65535"; process = "none*"; } );')
        daemon.wait_firing({("UnexpectedListener", "", 7398)})
        self.program(CHURN, b"churn")
        self.program(BRIEF, b"brief")
        wanted, ports = daemon.polls() + 100, set()
        while daemon.polls() < wanted:
            self.assertEqual(request("/-/ready")[0], 200)
            metrics = daemon.metrics()
            self.assertEqual(names(metrics, 7398), names(metrics, 7398) | {"process": "stable"})
            ports |= {port for port in range(7400, 7416) if names(metrics, port)}
            self.assertEqual(metrics.get("collector_up", collector="owners"), 1)
            self.assertEqual(pids(7398), {stable.pid})
        self.assertTrue(ports, "some of them were seen")
        self.assertEqual(sum(daemon.metrics().find("collector_malformed_total")), 0)
        # Of some that vanished between two looks nobody can tell any more who they were.
        for line in daemon.log().splitlines():
            self.assertRegex(line, r"\Asockwatch: (alert UnexpectedListener|alert Blind|limits\.holders|serving|sctp:|"
                                   r"raw:)")

    def test_ten_thousand_processes(self):
        """Looking into all of them takes a while, which nobody has to wait for."""
        daemon = self.daemon('poll: { listeners = "20ms"; };')
        self.addCleanup(wait_for, "most of them are gone", lambda: len(os.listdir("/proc")) < 5000)
        crowd = self.program(CROWD, prefix=["unshare", "--pid", "--fork", "--kill-child"])
        if crowd.said:
            self.skipTest(f"cannot start so many processes: {crowd.said[0]}")
        self.assertGreater(sum(map(str.isdigit, os.listdir("/proc"))), 10000)
        newcomer = self.program("s = tcp('127.0.0.1', 7800)", b"newcomer")

        def found():
            self.assertEqual(request("/-/healthy")[0], 200)
            return (names(daemon.metrics(), 7800) or {}).get("process") == "newcomer"
        wait_for("its owner is found", found, 20)
        self.assertEqual(seen(7800), {(newcomer.pid, "newcomer", "root")})

        # Of one that is new at each poll not all can be looked for at once.
        self.program(RESTLESS, b"restless")
        wait_for("it is seen", lambda: listening(7801))
        wanted = daemon.polls() + 50
        wait_for("polls go on", lambda: daemon.polls() > wanted, 20)
        self.assertEqual(request("/-/ready")[0], 200)
