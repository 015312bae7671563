"""What the integration tests share: the daemon under test, real servers, and
the exposition as Python values. Nothing here sleeps for a fixed time to be on
the safe side; everything is waited for, with a limit."""

import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["SOCKWATCH_BUILD"]
SCRATCH = os.environ["SOCKWATCH_SCRATCH"]
SOCKWATCH = os.path.join(BUILD, "sockwatch")
HTTP_PORT = 10066

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

# A sanitizer's finding must be seen as a failure of the program, never as a
# plausible exit status.
os.environ["ASAN_OPTIONS"] = "exitcode=99:detect_leaks=1"
os.environ["TSAN_OPTIONS"] = "exitcode=99:second_deadlock_stack=1"
os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1"


def wait_for(what, condition, seconds=10.0):
    """Polls condition until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


def scratch_file(text, suffix=".conf"):
    descriptor, path = tempfile.mkstemp(suffix=suffix, dir=SCRATCH)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def sockwatch(*arguments, prefix=()):
    """Runs a subcommand that ends by itself."""
    return subprocess.run([*prefix, SOCKWATCH, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


SAMPLE = re.compile(r'([a-z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    """An exposition. Refuses one with a series in it twice."""

    def __init__(self, text):
        self.text = text
        self.series = {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = SAMPLE.fullmatch(line)
            if not match:
                raise AssertionError(f"not a sample: {line!r}")
            key = (match[1], tuple(sorted(LABEL.findall(match[2] or ""))))
            if key in self.series:
                raise AssertionError(f"duplicate series: {line!r}")
            self.series[key] = float(match[3])

    def find(self, metric, /, **labels):
        """All values of a metric whose labels include these."""
        wanted = {(k, str(v)) for k, v in labels.items()}
        return [value for (name, have), value in self.series.items()
                if name == "sockwatch_" + metric and wanted <= set(have)]

    def get(self, metric, /, **labels):
        """The one value, or None where there is no such series."""
        values = self.find(metric, **labels)
        if len(values) > 1:
            raise AssertionError(f"{metric} {labels} is ambiguous")
        return values[0] if values else None

    def firing(self):
        """(rule, name, port) of every alert that fires."""
        return {(labels["rule"], labels["name"], labels["port"])
                for labels in (dict(have) for (n, have), value in self.series.items()
                               if n == "sockwatch_alert_firing" and value == 1)}


def request(path, method="GET", port=HTTP_PORT, host="127.0.0.1", headers=None):
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


class Daemon:
    """sockwatch daemon with a configuration, ready when constructed."""

    def __init__(self, config="", arguments=(), environment=None, port=HTTP_PORT, prefix=()):
        self.port = port
        self.config = scratch_file(config)
        self.log_path = scratch_file("", ".log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen([*prefix, SOCKWATCH, "daemon", "--config", self.config, *arguments],
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(environment or {})})
        try:
            wait_for("the daemon is ready", self.is_ready)
        except AssertionError as error:
            self.process.kill()
            raise AssertionError(f"{error}\n{self.log()}") from None

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")
        try:
            return request("/-/ready", port=self.port)[0] == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def metrics(self):
        status, _, body = request("/metrics", port=self.port)
        assert status == 200, status
        return Metrics(body)

    def polls(self):
        """How many polls of listeners went well."""
        return self.metrics().get("polls_total", poll="listeners", result="success")

    def wait_polls(self, count=2):
        """Waits for so many polls; of two, one begins after this was called."""
        wanted = self.polls() + count
        wait_for(f"{count} more polls", lambda: self.polls() >= wanted)

    def wait_firing(self, expected, seconds=10.0):
        """Waits until exactly these alerts (rule, name, port) fire."""
        wanted = {(rule, name, str(port)) for rule, name, port in expected}
        try:
            wait_for(f"{wanted} fire", lambda: self.metrics().firing() == wanted, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; firing: {self.metrics().firing()}\n{self.log()}") from None

    def reload(self, config):
        with open(self.config, "w") as file:
            file.write(config)
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """Ends it and returns the exit status; 0 is the only good one."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class TestCase(unittest.TestCase):
    """A test that may start daemons; each of them must end well."""

    maxDiff = None

    def daemon(self, *arguments, **keywords):
        daemon = Daemon(*arguments, **keywords)
        self.addCleanup(lambda: self.assertEqual(daemon.stop(), 0, daemon.log()))
        return daemon


def listening(port, protocol="tcp"):
    """Whether anything listens on the port, by ss."""
    flags = "-Htln" if protocol == "tcp" else "-Huln"
    return subprocess.run(["ss", flags, "sport", "=", f":{port}"], capture_output=True, text=True).stdout != ""


def require(*programs):
    """Skips, with the reason, where a real server is not installed."""
    for program in programs:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise unittest.SkipTest(f"{program} is not installed")


def has_one_user():
    """Whether this user namespace, made without root, knows one user only."""
    with open("/proc/self/uid_map") as uid_map:
        return uid_map.read().split()[2] == "1"


def as_user(name, group=None):
    """The arguments that run a program as a user, where we may choose."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise unittest.SkipTest(f"there is no user {name}") from None
    if has_one_user():
        raise unittest.SkipTest(f"cannot become {name} in a user namespace of one user")
    return ["setpriv", "--reuid", name, "--regid", group or name, "--clear-groups"]


class Server:
    """A real server: started in the foreground, ready when its port is open."""

    def __init__(self, command, port, protocol="tcp"):
        self.port, self.protocol = port, protocol
        self.log_path = scratch_file("", ".log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if port:
            wait_for(f"{command[0]} listens", self.is_up, 30)

    def is_up(self):
        if self.process.poll() is not None:
            with open(self.log_path) as log:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{log.read()}")
        return listening(self.port, self.protocol)

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        self.process.wait(timeout=30)


class MariaDB:
    """A MariaDB data directory and the server on it."""

    def __init__(self):
        require("mariadbd", "mariadb-install-db")
        self.prefix = as_user("mysql")
        self.directory = tempfile.mkdtemp(dir=SCRATCH)
        shutil.chown(self.directory, "mysql", "mysql")
        self.server = None
        install = subprocess.run([*self.prefix, "mariadb-install-db", "--no-defaults",
                                  f"--datadir={self.directory}/data", f"--tmpdir={self.directory}",
                                  "--auth-root-authentication-method=normal", "--skip-test-db",
                                  "--skip-name-resolve", "--force"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert install.returncode == 0, install.stdout

    def start(self, bind, port=3306):
        network = [f"--port={port}", f"--bind-address={bind}"] if bind else ["--skip-networking"]
        path = self.directory
        if os.path.exists(f"{path}/s.sock"):
            os.unlink(f"{path}/s.sock")  # left behind by a killed server
        self.server = Server(
            [*self.prefix, "mariadbd", "--no-defaults", f"--datadir={path}/data", f"--socket={path}/s.sock",
             f"--pid-file={path}/pid", f"--tmpdir={path}", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
             "--key-buffer-size=1M", "--performance-schema=0", "--skip-log-bin",
             "--skip-name-resolve", *network], port if bind else None)
        # A server that is told to end before it serves may not hear it.
        wait_for("MariaDB greets", self.greets, 30)

    def greets(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(f"{self.directory}/s.sock")
                return client.recv(1)
            except OSError:
                return b""

    def stop(self, signal_number=signal.SIGTERM):
        if self.server:
            self.server.end(signal_number)
        self.server = None


class Nginx:
    """nginx in the foreground: a master, which is root, and its workers."""

    CONFIG = """
daemon off;
user www-data;
worker_processes %d;
pid %s/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi;
  scgi_temp_path %s/scgi;
  server { listen 127.0.0.1:%d; }
}
"""

    def __init__(self, port, workers=2, prefix=()):
        require("nginx", "pgrep")
        as_user("www-data")  # which its workers become by themselves
        directory = tempfile.mkdtemp(dir=SCRATCH)
        config = scratch_file(self.CONFIG % (workers, *[directory] * 6, port))
        self.server = Server([*prefix, "nginx", "-p", directory, "-c", config], port)
        self.master = self.server.process.pid
        wait_for("nginx has its workers", lambda: len(self.workers()) == workers)

    def workers(self):
        """The PIDs of those that run; a killed one is replaced."""
        found = subprocess.run(["pgrep", "-P", str(self.master), "-r", "R,S,D"], capture_output=True, text=True)
        return {int(pid) for pid in found.stdout.split()}

    def stop(self):
        self.server.end()


def tcp_listener(address, port, *, backlog=16, v6only=None, reuseport=False, device=None, family=None):
    """A listening socket made in this process."""
    family = family or (socket.AF_INET6 if ":" in address else socket.AF_INET)
    s = socket.socket(family, socket.SOCK_STREAM)
    bind_socket(s, address, port, v6only, reuseport, device)
    s.listen(backlog)
    return s


def udp_socket(address, port, *, v6only=None, reuseport=False, device=None, family=None):
    family = family or (socket.AF_INET6 if ":" in address else socket.AF_INET)
    s = socket.socket(family, socket.SOCK_DGRAM)
    bind_socket(s, address, port, v6only, reuseport, device)
    return s


def bind_socket(s, address, port, v6only, reuseport, device):
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6only is not None:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        if reuseport:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if device:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        s.bind((address, port))
    except OSError:
        s.close()
        raise


def has_sanitizer():
    """Whether the build is an instrumented one, whose memory and time tell little."""
    with open(SOCKWATCH, "rb") as file:
        program = file.read()
    return any(name in program for name in (b"__asan_init", b"__tsan_init"))


def list_json(*arguments, prefix=()):
    result = sockwatch("list", "--json", *arguments, prefix=prefix)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
