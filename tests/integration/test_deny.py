"""What is never wanted, with no word about anything else."""

import os
import shutil
import subprocess

from harness import SCRATCH, TestCase, scratch_file, sockwatch, tcp_listener

FAST = 'poll: { listeners = "50ms"; };\n'

TOOLKIT = FAST + 'deny = ( { ports = "23,4444"; severity = "critical"; } );'


class DenyTest(TestCase):
    def listener(self, *arguments):
        s = tcp_listener(*arguments)
        self.addCleanup(s.close)
        return s

    def test_a_port_that_is_denied_and_nothing_else(self):
        self.listener("0.0.0.0", 8080)
        daemon = self.daemon(TOOLKIT)
        daemon.wait_firing(set())
        denied = self.listener("127.0.0.1", 4444)
        daemon.wait_firing({("UnexpectedListener", "", 4444)})
        self.assertEqual(daemon.metrics().find("alert_firing", rule="UnexpectedListener", severity="critical"), [1])
        self.assertRegex(daemon.log(), r"critical: tcp 127\.0\.0\.1:4444 .*listens, but is denied")
        check = sockwatch("check", "--config", scratch_file(TOOLKIT))
        self.assertEqual((check.returncode, len(check.stdout.splitlines())), (2, 1), check.stdout)
        denied.close()
        daemon.wait_firing(set())

    def test_what_is_allowed_all_the_same(self):
        self.listener("0.0.0.0", 4444)
        daemon = self.daemon(TOOLKIT + ' allow = ( { ports = "4000-5000"; } ); unexpected: { severity = "info"; };')
        daemon.wait_firing({("UnexpectedListener", "", 4444)})
        self.assertEqual(daemon.metrics().find("alert_firing", rule="UnexpectedListener", severity="critical"), [1])

    def test_a_program_that_is_denied(self):
        """On whatever port, by its file; another program there is none of it."""
        path = os.path.join(SCRATCH, "catcher")
        shutil.copy(os.path.realpath("/usr/bin/python3"), path)
        code = "import socket; s = socket.create_server(('127.0.0.1', 8081)); print('up', flush=True); input()"
        config = FAST + f'deny = ( {{ ports = "1-65535"; exe = "{SCRATCH}/catch*"; severity = "warning"; }} );'
        self.listener("127.0.0.1", 8080)
        daemon = self.daemon(config)
        catcher = subprocess.Popen([path, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(catcher.communicate)
        self.assertEqual(catcher.stdout.readline(), b"up\n")
        daemon.wait_firing({("UnexpectedListener", "", 8081)})
        self.assertIn(f"listens, but is denied (catcher[{catcher.pid}]", daemon.log())
        catcher.communicate()
        daemon.wait_firing(set())
