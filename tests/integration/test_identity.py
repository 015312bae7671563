"""Who an unprivileged local user can pass for, and who not: what docs/identity.md
says, line by line. The intruder is uid 4242, and wants to be MariaDB."""

import glob
import os
import re
import signal
import subprocess

import test_owners as owners
from harness import ROOT, TestCase, has_one_user, scratch_file, sockwatch, wait_for

PORT = 3306
INTRUDER = ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups"]
EXPECT = owners.FAST + 'expect = ( { name = "mysql"; port = 3306; %s } );\n'
ALL = 'unit = "mariadb.service"; user = "mysql"; process = "mariadbd";'
PYTHON = os.path.realpath("/usr/bin/python3")  # which everybody may run
LISTEN = 's = tcp("127.0.0.1", 3306)'

# Becomes another program, made in memory, which waits.
IN_MEMORY = LISTEN + """
fd = os.memfd_create("mariadbd")
os.write(fd, open("/bin/sleep", "rb").read())
os.set_inheritable(s.fileno(), True)
ready()
os.execve(fd, ["/usr/sbin/mariadbd", "60"], {})
"""

# Likewise, from a file, when told to.
BECOMES_SLEEP = LISTEN + """
os.set_inheritable(s.fileno(), True)
obey(SIGUSR1=lambda: os.execv("/bin/sleep", ["sleep", "60"]))
"""

# Is seen as /bin/true in a mount namespace of its own, which is really this.
COVERS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
          'mount --bind "$0" /bin/true && shift && exec /bin/true "$@"', PYTHON]

DROPS = LISTEN + """
obey(SIGUSR1=lambda: (os.setgid(4242), os.setuid(4242)))
"""

# As hostile as a name can be.
NAMES = [b"mariadb.service", b"x (deleted)", b"a\nb", b"\xe2\x80\xaea\xd8\x9cb", b"/usr/sbin/maria", b"\xff\xfe\"\\{}"]


class IdentityCase(owners.OwnersCase):
    def setUp(self):
        if has_one_user():
            self.skipTest("there is no other user in a user namespace of one user")

    def intruder(self, code=LISTEN, name=b"mariadbd", prefix=INTRUDER):
        return self.program(code, name, prefix, python=PYTHON)

    def owner(self, port=PORT):
        """Its only owner."""
        (owner,) = owners.entry_of(port)["owners"]
        return owner


class PageTest(TestCase):
    def test_every_line_has_a_test_that_there_is(self):
        with open(os.path.join(ROOT, "docs", "identity.md")) as file:
            told = re.findall(r"`(test_\w+|\w+_\w+_\w+)`", file.read())
        tests = ""
        for directory in ("unit", "integration"):
            for path in glob.glob(os.path.join(ROOT, "tests", directory, "test_*")):
                with open(path) as file:
                    tests += file.read()
        self.assertGreater(len(told), 20)
        for name in told:
            if not os.path.exists(os.path.join(ROOT, "tests", "integration", name + ".py")):
                self.assertTrue(re.search(rf"(?:static void|def) {name}\(", tests), name)


class NameTest(IdentityCase):
    def test_a_process_is_called_as_it_likes(self):
        self.intruder()
        self.assert_check(EXPECT % 'process = "mariadbd";', 0)  # which is why this should not be asked for alone
        summary = self.assert_check(EXPECT % ALL, 2, "WrongOwner")
        self.assertIn("user 4242", summary)
        self.assert_check(EXPECT % 'user = "mysql";', 2, "WrongOwner")
        self.assert_check(EXPECT % 'exe = "/usr/sbin/mariadbd";', 2, "WrongOwner")
        self.assert_check(EXPECT % f'exe = "{PYTHON}";', 0)

    def test_nobody_is_an_activator_by_his_name(self):
        for name in (b"systemd-socket-", b"systemd"):
            program = self.intruder(name=name)
            summary = self.assert_check(EXPECT % ALL, 2, "WrongOwner")
            self.assertIn(f"{name.decode()}[{program.pid}]", summary)
            program.end()

    def test_an_activator_of_roots_answers_for_the_user(self):
        owners.require("systemd-socket-activate")
        server = owners.Server(["systemd-socket-activate", "-l", "127.0.0.1:3306", "/bin/true"], PORT)
        self.addCleanup(server.end, signal.SIGKILL)
        self.assert_check(EXPECT % 'process = "mariadbd"; user = "mysql";', 0)  # it may become that
        server.end(signal.SIGKILL)
        server = owners.Server([*INTRUDER, "systemd-socket-activate", "-l", "127.0.0.1:3306", "/bin/true"], PORT)
        self.addCleanup(server.end, signal.SIGKILL)
        self.assert_check(EXPECT % 'process = "mariadbd"; user = "mysql";', 2, "WrongOwner")

    def test_hostile_names_stay_within_theirs(self):
        config = EXPECT % ALL
        for name in NAMES:
            with self.subTest(name=name):
                program = self.intruder(name=name)
                try:
                    self.assert_is_tame(program.pid, config)
                finally:
                    program.end()

    def assert_is_tame(self, pid, config):
        (row,) = [row for row in sockwatch("list").stdout.splitlines() if ":3306 " in row]
        self.assertIn(f"[{pid}]", row)
        self.assertNotIn("(deleted) ", row.split(f"[{pid}]")[1])
        owner = self.owner()
        self.assertEqual((owner["user"], owner["unit"], owner["exe_deleted"]), ("4242", None, False))
        self.assertTrue(owner["process"].isprintable(), owner)
        result = sockwatch("check", "--config", scratch_file(config))
        self.assertEqual((result.returncode, len(result.stdout.splitlines())), (2, 1), result)


class ProgramTest(IdentityCase):
    def test_what_never_was_on_a_disk_stands_out(self):
        program = self.intruder(IN_MEMORY)
        wait_for("it is another program", lambda: self.owner()["exe"] != PYTHON)
        owner = self.owner()
        self.assertEqual((owner["exe"], owner["exe_deleted"], owner["exe_verified"]), ("/memfd:mariadbd", True, False))
        (row,) = [row for row in sockwatch("list").stdout.splitlines() if ":3306 " in row]
        self.assertIn("(deleted) ", row)
        self.assertIn(f"[{program.pid}]", row)
        self.assertIn("/memfd:mariadbd (not the host's)", row)
        summary = self.assert_check(EXPECT % 'exe = "/usr/sbin/mariadbd";', 2, "WrongOwner")
        self.assertIn("exe /memfd:mariadbd (deleted) (not the host's)", summary)

    def test_a_path_of_his_own_making_counts_for_nothing(self):
        if subprocess.run([*INTRUDER, *COVERS, PYTHON, "-c", "pass"], capture_output=True).returncode != 0:
            self.skipTest("an unprivileged user may make no user namespace here")
        self.intruder(prefix=[*INTRUDER, *COVERS])
        owner = self.owner()
        self.assertEqual((owner["exe"], owner["exe_verified"]), (os.path.realpath("/bin/true"), False))
        self.assert_check(EXPECT % f'exe = "{os.path.realpath("/bin/true")}";', 2, "WrongOwner")
        self.assert_check(EXPECT % 'exe = "/usr/bin/*";', 2, "WrongOwner")

    def test_a_program_that_becomes_another_one(self):
        daemon = self.daemon(EXPECT % f'exe = "{PYTHON}";')
        program = self.intruder(BECOMES_SLEEP)
        self.wait_names(daemon, PORT, process="mariadbd")
        daemon.wait_polls()
        daemon.wait_firing(set())
        program.process.send_signal(signal.SIGUSR1)
        daemon.wait_firing({("WrongOwner", "mysql", PORT)}, 3)
        self.assertIn(f"exe {os.path.realpath('/bin/sleep')}", daemon.log())

    def test_a_program_that_is_replaced_is_what_it_was(self):
        path = os.path.join(owners.SCRATCH, "server")
        subprocess.run(["cp", "/bin/sleep", path], check=True)
        self.addCleanup(os.unlink, path)
        code = LISTEN + f'\nos.set_inheritable(s.fileno(), True)\nready()\nos.execv("{path}", ["server", "60"])'
        self.program(code, b"server", python=PYTHON)
        wait_for("it is another program", lambda: self.owner()["exe"] == path)
        self.assertFalse(self.owner()["exe_deleted"])
        subprocess.run(["cp", "/bin/sleep", path + ".new"], check=True)
        os.rename(path + ".new", path)
        self.assertTrue(self.owner()["exe_deleted"])
        self.assert_check(EXPECT % f'exe = "{path}";', 0)  # an upgrade is no alert

    def test_allow_by_program(self):
        self.intruder()
        allow = owners.FAST + 'unexpected: {}; allow = ( { ports = "3306"; exe = "%s"; } );'
        self.assert_check(allow % PYTHON, 0)
        self.assert_check(allow % "/usr/sbin/mariadbd", 1, "UnexpectedListener")


class UserTest(IdentityCase):
    def test_root_in_a_namespace_of_his_own_is_still_himself(self):
        inside = ["unshare", "--user", "--map-root-user"]
        if subprocess.run([*INTRUDER, *inside, "true"], capture_output=True).returncode != 0:
            self.skipTest("an unprivileged user may make no user namespace here")
        self.intruder(prefix=[*INTRUDER, *inside])
        self.assertEqual((self.owner()["user"], owners.entry_of(PORT)["uid"]), ("4242", 4242))
        self.assert_check(EXPECT % 'user = "root";', 2, "WrongOwner")

    def test_a_program_that_becomes_another_user(self):
        daemon = self.daemon(owners.FAST)
        program = self.program(DROPS, b"server", python=PYTHON)
        self.wait_names(daemon, PORT, user="root")
        program.process.send_signal(signal.SIGUSR1)
        self.wait_names(daemon, PORT, 5, user="4242")

    def test_what_is_seen_without_privilege(self):
        """Another user's process is not; his socket's own user is."""
        self.intruder()
        nobody = owners.as_user(*owners.NOBODY)
        self.assert_check(EXPECT % 'user = "4242";', 0, prefix=nobody)
        self.assert_check(EXPECT % 'user = "mysql";', 2, "WrongOwner", prefix=nobody)
        for key in ('exe = "/usr/sbin/mariadbd";', 'process = "mariadbd";'):
            self.assert_check(EXPECT % key, 3, "Blind", prefix=nobody)

    def test_what_is_seen_with_the_two_capabilities(self):
        self.intruder()
        both = owners.with_capabilities("sys_ptrace", "dac_read_search")
        self.assert_check(EXPECT % 'process = "mariadbd";', 0, prefix=both)
        self.assert_check(EXPECT % f'exe = "{PYTHON}"; user = "4242";', 0, prefix=both)
        self.assert_check(EXPECT % 'exe = "/usr/sbin/mariadbd";', 2, "WrongOwner", prefix=both)
