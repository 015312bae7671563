"""The unit file, under a real systemd that boots in a container of its own."""

import os
import re
import signal
import subprocess
import unittest

from harness import BUILD, ROOT, SCRATCH, Metrics, TestCase, has_one_user, require, wait_for

UNIT = os.path.join(ROOT, "systemd/sockwatch.service")
CONFIG = "/etc/sockwatch/sockwatch.conf"
SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:10066/metrics').read().decode())"

# A program that serves the socket it is given, or one of its own.
SERVER = """
import os, socket, time
if "LISTEN_FDS" in os.environ:
    s = socket.socket(fileno=3)
else:
    s = socket.create_server(("127.0.0.1", 7001))
while True:
    s.accept()[0].close()
"""

SERVICES = {
    "own.service": "[Service]\nExecStart=/usr/bin/python3 /server.py\nUser=nobody\nPrivateTmp=yes\nProtectHome=yes\nProtectSystem=full\n",
    "given.service": "[Service]\nExecStart=/usr/bin/python3 /server.py\nUser=nobody\n",
    "given.socket": "[Socket]\nListenStream=127.0.0.1:7000\n",
}

EXPECTED = """
poll: { listeners = "100ms"; };
web: { listen = [ "127.0.0.1:10066" ]; };
expect = ( { name = "own"; port = 7001; %s unit = "own.service"; },
           { name = "given"; port = 7000; %s unit = "given.service"; } );
"""
SECURITY_THRESHOLD = 20  # tenths of systemd-analyze's exposure level


def cgroup_parents():
    """Where nspawn makes control groups: the unified hierarchy and systemd's own."""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, right = line.split(" - ")
            kind, _, options = right.split()[:3]
            if kind == "cgroup2" or "name=systemd" in options:
                yield os.path.join(left.split()[4], f"sockwatch-test-{os.getpid()}-{os.path.basename(SCRATCH)}")


def remove_cgroups(parents):
    for parent in parents:
        for directory, _, _ in os.walk(parent, topdown=False):
            os.rmdir(directory)


def boot(groups, at_end):
    """Boots systemd on an overlay of this system, with sockwatch installed.
    at_end registers what ends it. Returns the PID of the container's init."""
    base = os.path.join(SCRATCH, "container")
    os.mkdir(base)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # nspawn wants no disk there
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", base], check=True)
    for name in ("upper", "work", "root"):
        os.mkdir(os.path.join(base, name))
    root = os.path.join(base, "root")
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir=/,upperdir={base}/upper,workdir={base}/work", root], check=True)
    # A system that was never booted would be asked about its first boot.
    with open(f"{root}/etc/machine-id", "w") as file:
        file.write("0123456789abcdef0123456789abcdef\n")
    subprocess.run(["make", "-s", "-C", ROOT, f"O={BUILD}", "install", f"DESTDIR={root}", "PREFIX=/usr"],
                   check=True, capture_output=True)
    # The sandbox keeps a sanitized build from looking for leaks, which fails it.
    os.makedirs(f"{root}/etc/systemd/system/sockwatch.service.d")
    with open(f"{root}/etc/systemd/system/sockwatch.service.d/leaks.conf", "w") as file:
        file.write("[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n")

    def join_groups():
        for group in groups:
            with open(os.path.join(group, "cgroup.procs"), "w") as file:
                file.write("0")

    for group in groups:
        os.mkdir(group)
    with open(os.path.join(base, "log"), "w") as log:
        nspawn = subprocess.Popen(
            ["systemd-nspawn", "--boot", f"--directory={root}", "--register=no", "--keep-unit", "--private-network",
             "--link-journal=no", "--console=pipe", "--", "--unit=basic.target"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=join_groups,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})

    def init():
        if nspawn.poll() is not None:
            with open(log.name) as text:
                raise unittest.SkipTest(f"systemd-nspawn cannot boot here: {text.read().strip()[-300:]}")
        children = subprocess.run(["pgrep", "-P", str(nspawn.pid)], capture_output=True, text=True).stdout.split()
        return int(children[0]) if children else None

    def booted():
        # Looked up each time: nspawn's first child only prepares the second.
        pid = init()
        active = pid and enter(pid, "systemctl", "is-active", "basic.target").stdout == "active\n"
        return pid if active else None

    at_end(end, nspawn)
    try:
        return wait_for("systemd has booted", booted, 60)
    except AssertionError as error:
        with open(log.name) as text:
            raise AssertionError(f"{error}\n{text.read()}") from None


def end(nspawn):
    """Ends the container at once, and then its supervisor."""
    nspawn.send_signal(signal.SIGTERM)
    try:
        nspawn.wait(20)
    except subprocess.TimeoutExpired:
        nspawn.kill()
        nspawn.wait()


def enter(pid, *command):
    return subprocess.run(["nsenter", "-t", str(pid), "--all", "--root", "--wd", *command], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)


class UnitFileTest(TestCase):
    def test_systemd_has_nothing_to_say_about_it(self):
        text = open_text(UNIT).replace("/usr/bin/sockwatch", os.path.join(BUILD, "sockwatch"))
        path = os.path.join(SCRATCH, "sockwatch.service")
        with open(path, "w") as file:
            file.write(text)
        verify = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
        self.assertEqual((verify.returncode, verify.stderr), (0, ""))
        security = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                                   f"--threshold={SECURITY_THRESHOLD}", path], capture_output=True, text=True)
        self.assertEqual(security.returncode, 0, security.stdout[-200:])


def open_text(path):
    with open(path) as file:
        return file.read()


class ServiceTest(TestCase):
    @classmethod
    def setUpClass(cls):
        require("systemd-nspawn", "nsenter", "pgrep")
        if has_one_user():
            raise unittest.SkipTest("booting a container needs root")
        groups = list(cgroup_parents())
        cls.addClassCleanup(remove_cgroups, groups)
        cls.init = boot(groups, cls.addClassCleanup)

    def inside(self, *command, status=0):
        result = enter(self.init, *command)
        if status is not None:
            self.assertEqual(result.returncode, status, f"{command}: {result.stdout}{result.stderr}{self.journal()}")
        return result.stdout

    def journal(self):
        return enter(self.init, "journalctl", "-u", "sockwatch", "--no-pager").stdout

    def show(self, name):
        return self.inside("systemctl", "show", "sockwatch", "--value", "-p", name).strip()

    def test_life_of_the_service(self):
        self.inside("systemctl", "start", "sockwatch")
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertRegex(self.show("StatusText"), r"\d+ listeners, 0 expected services, 0 alerts firing")
        status = self.inside("cat", f"/proc/{self.show('MainPID')}/status")
        self.assertRegex(status, r"(?m)^CapEff:\s+0+$")
        self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")
        self.assertRegex(status, r"(?m)^Seccomp:\s+2$")
        self.assertNotRegex(status, r"(?m)^Uid:\s+0\b")

        self.inside("systemctl", "reload", "sockwatch")
        wait_for("the reload is logged", lambda: "configuration reloaded" in self.journal())
        good = self.inside("cat", CONFIG)
        self.inside("sh", "-c", f"echo 'nonsense = 1;' >> {CONFIG}")
        self.inside("systemctl", "reload", "sockwatch", status=1)
        self.assertIn("nonsense: is not a known key", self.journal())
        self.assertEqual(self.show("ActiveState"), "active")
        wait_for("the failure is in the metrics",
                 lambda: "sockwatch_config_last_reload_successful 0" in self.inside("python3", "-c", SCRAPE))
        self.inside("sh", "-c", f"cat > {CONFIG} <<'END'\n{good}\nEND")
        self.inside("systemctl", "reload", "sockwatch")

        before = self.show("MainPID")
        os.kill(int(self.pid_outside()), signal.SIGKILL)
        wait_for("systemd restarts it", lambda: self.show("ActiveState") == "active" and
                 self.show("MainPID") not in (before, "0"), 20)

        self.inside("systemctl", "stop", "sockwatch")
        self.assertEqual((self.show("Result"), self.show("ExecMainStatus")), ("success", "0"))

    def test_from_install_to_the_first_alert(self):
        """The commands and what they show, as README has them."""
        section = open_text(os.path.join(ROOT, "README.md")).split("## From install to the first alert\n")[1]
        install, configure, start, *rest = re.findall(r"^    (.*)$", section.split("\n## ")[0], re.M)
        self.assertIn("make install PREFIX=/usr", install)  # which was done before it booted
        self.addCleanup(self.inside, "sh", "-c", "systemctl disable --now sockwatch; rm /etc/sockwatch/conf.d/*",
                        status=None)
        for command in (configure, start):
            self.inside("sh", "-c", command.replace("sudo ", ""))
        self.assertEqual(rest[:1], ["$ sockwatch check"])
        self.assertEqual(self.inside("sockwatch", "check", status=2), rest[1] + "\n")
        self.assertEqual(rest[2:3], ["$ journalctl -u sockwatch"])
        alert = rest[3].partition("]: ")[2]
        wait_for("the alert is in the journal", lambda: f"]: {alert}\n" in self.journal())

    def test_a_wrong_file_at_start(self):
        """It is not started again and again, and starts once the file is right."""
        good = self.inside("cat", CONFIG)
        self.addCleanup(self.write, CONFIG, good)
        self.addCleanup(self.inside, "systemctl", "stop", "sockwatch", status=None)
        self.inside("systemctl", "stop", "sockwatch")
        self.write(CONFIG, good + "nonsense = 1;\n")
        for _ in range(7):  # more often than systemd lets by itself
            self.inside("systemctl", "start", "sockwatch", status=1)
        self.assertEqual([self.show(name) for name in ("SubState", "ExecMainStatus", "NRestarts")],
                         ["failed", "78", "0"])
        self.assertIn("nonsense: is not a known key", self.journal())
        self.write(CONFIG, good)
        self.inside("systemctl", "start", "sockwatch")
        self.assertEqual(self.show("ActiveState"), "active")

    def test_a_port_in_use_at_start(self):
        """Who has it is said as far as the sandbox lets it be seen; then it is tried again."""
        self.write("/server.py", SERVER.replace("7001", "10066"))
        self.inside("systemctl", "stop", "sockwatch")
        self.addCleanup(self.inside, "systemctl", "stop", "sockwatch", "thief", status=None)
        self.inside("systemd-run", "--unit=thief", "--uid=nobody", "/usr/bin/python3", "/server.py")
        wait_for("the thief listens", lambda: ":10066 " in self.inside("ss", "-Htln"))
        self.inside("systemctl", "start", "sockwatch", status=1)
        self.assertEqual([self.show(name) for name in ("SubState", "ExecMainStatus")], ["auto-restart", "1"])
        self.assertRegex(self.journal(), r"cannot listen on \S+:10066: Address already in use "
                                         r"\(held by user nobody, unit thief\.service\)")
        self.inside("systemctl", "stop", "thief")
        wait_for("it is started again", lambda: self.show("ActiveState") == "active")

    def write(self, path, text):
        result = subprocess.run(["nsenter", "-t", str(self.init), "--all", "--root", "--wd", "tee", path], input=text,
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def metrics(self):
        return Metrics(self.inside("python3", "-c", SCRAPE))

    def wait_owner(self, port, **labels):
        wait_for(f"port {port} has the owner {labels}",
                 lambda: self.metrics().get("listener_info", port=port, **labels) == 1, 20)

    def test_its_sockets_and_those_of_an_impostor(self):
        """A check tells the service's socket by its unit, whoever looks."""
        self.write("/strict.conf", 'web: { listen = [ "127.0.0.1:10066" ]; };\nunexpected: {};\n')
        good = self.inside("cat", CONFIG)
        self.addCleanup(self.write, CONFIG, good)
        self.write(CONFIG, 'web: { listen = [ "127.0.0.1:10066" ]; };\n')
        check = ("/usr/bin/sockwatch", "check", "--config", "/strict.conf")
        as_nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        self.inside("systemctl", "start", "sockwatch")
        self.addCleanup(self.inside, "systemctl", "stop", "sockwatch", "thief", status=None)
        # It need not answer.
        os.kill(int(self.pid_outside()), signal.SIGSTOP)
        found = [self.inside(*prefix, *check, status=None) for prefix in ((), as_nobody)]
        os.kill(int(self.pid_outside()), signal.SIGCONT)
        for text in found:
            self.assertNotIn(":10066 ", text)
        self.inside("systemctl", "stop", "sockwatch")
        self.write("/server.py", SERVER.replace("7001", "10066"))
        self.inside("systemd-run", "--unit=thief", "--uid=nobody", "/usr/bin/python3", "/server.py")
        for prefix in ((), as_nobody):
            wait_for("the impostor is found", lambda: ":10066 " in self.inside(*prefix, *check, status=None))

    def test_owners_of_services(self):
        """The unit is known without privilege, the process with two capabilities."""
        self.write("/server.py", SERVER)
        for name, text in SERVICES.items():
            self.write(f"/etc/systemd/system/{name}", text)
        self.inside("systemctl", "daemon-reload")
        self.inside("systemctl", "start", "own.service", "given.socket")
        good = self.inside("cat", CONFIG)
        self.addCleanup(self.write, CONFIG, good)
        self.write(CONFIG, EXPECTED % ("", ""))
        self.inside("systemctl", "restart", "sockwatch")
        self.addCleanup(self.inside, "systemctl", "stop", "sockwatch", "own", "given.socket", "given.service",
                        status=None)
        self.wait_owner(7001, user="nobody", unit="own.service")
        metrics = self.metrics()
        self.assertEqual(metrics.find("listener_info", process="python3"), [])
        self.assertGreater(metrics.get("listeners_owner_unseen", protocol="tcp"), 0)
        # Systemd made the other socket, for whom an unprivileged look cannot tell.
        self.assertEqual({rule for rule, _, _ in metrics.firing()} - {"Blind"}, set(), metrics.text)

        # The program is found although the service sees other mounts, and so does sockwatch.
        process = 'process = "python3"; exe = "/usr/bin/python3*"; user = "nobody";'
        self.write(CONFIG, EXPECTED % (process, process))
        self.inside("cp", "/usr/share/sockwatch/process-names.conf", "/etc/systemd/system/sockwatch.service.d/")
        self.addCleanup(self.inside, "sh", "-c",
                        "rm /etc/systemd/system/sockwatch.service.d/process-names.conf; systemctl daemon-reload")
        self.inside("systemctl", "daemon-reload")
        self.inside("systemctl", "restart", "sockwatch")
        self.wait_owner(7001, process="python3", user="nobody", unit="own.service")
        self.wait_owner(7000, process="systemd", user="root", unit="init.scope")
        status = self.inside("cat", f"/proc/{self.show('MainPID')}/status")
        self.assertRegex(status, r"(?m)^CapEff:\s+0000000000080004$")
        self.assertEqual(self.metrics().firing(), set())
        # The first connection starts the service; the socket is the same.
        self.inside("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 7000)).recv(1)")
        self.assertEqual(self.inside("systemctl", "is-active", "given.service"), "active\n")
        self.inside("systemctl", "reload", "sockwatch")
        self.wait_owner(7000, process="python3", user="nobody", unit="given.service")
        metrics = self.metrics()
        self.assertEqual(metrics.firing(), set())
        self.assertEqual(metrics.get("listener_restarts_total", port=7000), 0)
        self.inside("systemctl", "stop", "own")
        self.inside("systemd-run", "--unit=thief", "/usr/bin/python3", "/server.py")
        self.addCleanup(self.inside, "systemctl", "stop", "thief", status=None)
        wait_for("the thief is found", lambda: ("WrongOwner", "own", "7001") in self.metrics().firing(), 20)
        log = self.journal()
        # A poll between the two of them has seen neither.
        self.assertRegex(log, r"alert WrongOwner firing, critical: own: (NotListening became WrongOwner: )?"
                              r"tcp port 7001 is held at 127.0.0.1:7001 by python3\[\d+\], user root, unit thief.service, "
                              r"exe /usr/bin/python3[.\d]*; "
                              r"expected unit own.service, user nobody, exe /usr/bin/python3\*, process python3")

    def pid_outside(self):
        """The daemon's PID as this namespace numbers it."""
        return subprocess.run(["pgrep", "-f", "^/usr/bin/sockwatch daemon"], capture_output=True,
                              text=True, check=True).stdout.split()[0]
