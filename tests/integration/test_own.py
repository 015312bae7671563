"""sockwatch's own sockets, and those of others at its addresses: whoever stands
there and whatever he answers, he is not taken for it."""

import json
import resource
import socket
import subprocess
import sys
import time
import unittest

from harness import (TestCase, as_user, has_one_user, has_sanitizer, list_json, request, scratch_file,
                     sockwatch, wait_for)

FAST = 'poll: { listeners = "50ms"; };\n'
STRICT = FAST + 'unexpected: {};\nweb: { listen = [ %s ]; };\n'
ONE, IPV4, BOTH = (STRICT % listen for listen in ('"127.0.0.1:10066"', '"0.0.0.0:10066"',
                                                  '"0.0.0.0:10066", "[::]:10066"'))

# Listens as soon as it can, and says what a daemon says of its own sockets, of
# all addresses; or, of "endless", never stops.
IMPOSTOR = r"""
import json, socket, sys
family, address, what = sys.argv[1:]
s = None
while not s:
    s = socket.socket(socket.AF_INET6 if family == "ipv6" else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == "ipv6":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        s.bind((address, 10066))
        s.listen()
    except OSError:
        s = None
print("ready", flush=True)
body = json.dumps({"collectors": {}, "listeners": [
    {"protocol": "tcp", "family": f, "address": a, "port": 10066, "interface": None, "netns": None,
     "kernel_chosen_port": False, "restarts": 7, "own": True}
    for f, a in (("ipv4", "127.0.0.1"), ("ipv4", "0.0.0.0"), ("ipv6", "::1"), ("ipv6", "::"), ("dual", "::"))]}).encode()
while True:
    client = s.accept()[0]
    try:
        client.recv(65536)
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")
        client.sendall(body)
        while what == "endless":
            client.sendall(b" " * 65536)
    except OSError:
        pass
    client.close()
"""


def as_uid(uid):
    if has_one_user():
        raise unittest.SkipTest("cannot become another user in a user namespace of one user")
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]


class OwnTest(TestCase):
    def impostor(self, family, address, what="own", prefix=(), listens=True):
        process = subprocess.Popen([*prefix, sys.executable, "-ISc", IMPOSTOR, family, address, what],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        if listens:
            self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def assert_check(self, config, *expected, prefix=(), at_ours=True):
        """That check finds these addresses unexpected, and nothing else."""
        path = scratch_file(config)
        result = sockwatch("check", "--json", "--config", path, prefix=prefix)
        alerts = json.loads(result.stdout)["alerts"]
        self.assertEqual({alert["rule"] for alert in alerts}, {"UnexpectedListener"} if expected else set())
        self.assertEqual(sorted(alert["address"] for alert in alerts), sorted(expected), result.stdout)
        self.assertEqual(result.stderr.count("cannot be told that sockwatch listens there"),
                         len(expected) if at_ours else 0)

    def test_our_own_passes(self):
        """Root's is told by anybody; a user's by himself, who may be anybody to others."""
        nobody = as_user("nobody", "nogroup")
        for config in (ONE, IPV4, BOTH, STRICT % '"[::]:10066"'):
            with self.subTest(config=config):
                daemon = self.daemon(config)
                daemon.wait_firing(set())
                self.assert_check(config)
                self.assert_check(config, prefix=nobody)
                self.assertEqual({(entry["own"], entry["restarts"])
                                  for entry in list_json("--config", daemon.config)["listeners"]}, {(True, 0)})
                self.assertEqual(daemon.stop(), 0)
        daemon = self.daemon(ONE, prefix=nobody)
        self.assert_check(ONE, prefix=nobody)
        self.assert_check(ONE, "127.0.0.1")
        self.assert_check(ONE, "127.0.0.1", prefix=as_uid(4242))

    def test_another_user_in_the_other_family(self):
        daemon = self.daemon(IPV4)
        daemon.wait_firing(set())
        self.impostor("ipv6", "::", prefix=as_uid(4242))
        daemon.wait_firing({("UnexpectedListener", "", 10066)})
        self.assertIn("tcp [::]:10066 (sockwatch) listens, but is neither expected nor allowed", daemon.log())
        own = {entry["address"]: entry["own"]
               for entry in json.loads(request("/api/v1/listeners")[2])["listeners"]}
        self.assertEqual(own, {"0.0.0.0": True, "::": False})
        self.assert_check(IPV4, "::", at_ours=False)
        self.assert_check(BOTH, "::")

    def test_another_user_while_the_daemon_is_down(self):
        self.impostor("ipv4", "127.0.0.1", prefix=as_uid(4242))
        self.assert_check(ONE, "127.0.0.1")
        self.assert_check(ONE, "127.0.0.1", prefix=as_user("nobody", "nogroup"))
        path = scratch_file(ONE)
        self.assertIn(" port = 10066; ", sockwatch("baseline", "--config", path).stdout)
        entry = list_json("--config", path)["listeners"][0]
        self.assertEqual((entry["own"], entry["restarts"]), (False, None))

    def test_an_answer_without_end(self):
        """Of a user who is asked: it is cut off in time, and takes no memory."""
        self.impostor("ipv4", "127.0.0.1", what="endless")
        began = time.monotonic()
        self.assert_check(ONE, "127.0.0.1")
        self.assertLess(time.monotonic() - began, 5)
        if not has_sanitizer():
            self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, 200 << 10)

    def test_the_old_address_is_taken_during_a_reload(self):
        daemon = self.daemon(ONE)
        thief = self.impostor("ipv4", "127.0.0.1", listens=False)
        daemon.reload(STRICT % '"127.0.0.1:10067"')
        self.assertEqual(thief.stdout.readline(), "ready\n")
        daemon.port = 10067
        wait_for("the new address is served", daemon.is_ready)
        daemon.wait_firing({("UnexpectedListener", "", 10066)})
        self.assertNotIn("127.0.0.1:10067 listens", daemon.log())
