"""How many connections a service has: too few, too many, not accepted, never closed."""

import json
import signal
import socket

from harness import SCRATCH, Server, TestCase, list_json, require, scratch_file, sockwatch, tcp_listener, wait_for

FAST = 'poll: { listeners = "50ms"; connections = "100ms"; };\n'

APP = FAST + 'expect = ( { name = "app"; port = 6100; connections: { min = 1; max = 2; }; } );'
LEAK = FAST + 'expect = ( { name = "leak"; port = 6101; close_wait_max = 3; } );'
REDIS = FAST + 'expect = ( { name = "redis"; port = 6379; connections: { max = 8; }; } );'

# Accepts, reads to the end, and forgets to close.
LEAKING = """
import socket
server, kept = socket.create_server(("127.0.0.1", 6101)), []
while True:
    client = server.accept()[0]
    while client.recv(4096):
        pass
    kept.append(client)
"""


def connect(port, count=1):
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def close(sockets):
    for s in sockets:
        s.close()


def entry_of(port):
    return next(entry for entry in list_json()["listeners"] if entry["port"] == port)


def expected(config):
    """The one expected service, as list tells it."""
    return json.loads(sockwatch("list", "--json", "--config", scratch_file(config)).stdout)["expected"][0]


class RangeTest(TestCase):
    def test_too_few_and_too_many(self):
        daemon = self.daemon(APP)
        daemon.wait_firing({("NotListening", "app", 6100)})  # which says it all
        with tcp_listener("127.0.0.1", 6100) as server:
            daemon.wait_firing({("ConnectionsOutOfRange", "app", 6100)})
            self.assertIn("app: NotListening became ConnectionsOutOfRange: tcp port 6100 has 0 established connections, "
                          "expected 1 at least", daemon.log())
            self.assertEqual((expected(APP)["status"], expected(APP)["rules"]), ("wrong", ["ConnectionsOutOfRange"]))
            clients = connect(6100, 2)
            daemon.wait_firing(set())
            self.assertEqual(daemon.metrics().get("alert_firing", rule="ConnectionsOutOfRange", name="app"), 0)
            clients += connect(6100) + [server.accept()[0]]
            daemon.wait_firing({("ConnectionsOutOfRange", "app", 6100)})
            result = sockwatch("check", "--config", scratch_file(APP))
            self.assertEqual((result.returncode, result.stdout),
                             (2, "critical ConnectionsOutOfRange: app: tcp port 6100 has 3 established connections, "
                                 "expected 2 at most; 2 of them the program has not accepted yet\n"))
            close(clients)
        daemon.wait_firing({("NotListening", "app", 6100)})

    def test_redis_near_its_maxclients(self):
        require("redis-server")
        server = Server(["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                         "--protected-mode", "no", "--maxclients", "10", "--dir", SCRATCH], 6379)
        self.addCleanup(server.end, signal.SIGKILL)
        daemon = self.daemon(REDIS)
        clients = connect(6379, 8)
        wait_for("8 connections are counted", lambda: daemon.metrics().get(
            "connections", protocol="tcp", port=6379, state="established") == 8)
        daemon.wait_firing(set())
        clients += connect(6379, 2)
        daemon.wait_firing({("ConnectionsOutOfRange", "redis", 6379)})
        self.assertIn("redis: tcp port 6379 has 10 established connections, expected 8 at most", daemon.log())
        close(clients)
        daemon.wait_firing(set())


class StuckTest(TestCase):
    def test_a_program_that_never_closes(self):
        daemon = self.daemon(LEAK)
        program = Server(["python3", "-c", LEAKING], 6101)
        self.addCleanup(program.end, signal.SIGKILL)
        for _ in range(3):
            close(connect(6101))
        wait_for("3 connections are stuck", lambda: daemon.metrics().get(
            "connections", protocol="tcp", port=6101, state="close-wait") == 3)
        daemon.wait_firing(set())
        self.assertEqual(expected(LEAK)["status"], "ok")
        close(connect(6101))
        daemon.wait_firing({("StuckConnections", "leak", 6101)})
        result = sockwatch("check", "--config", scratch_file(LEAK))
        self.assertEqual((result.returncode, result.stdout),
                         (2, "critical StuckConnections: leak: tcp port 6101 has 4 connections in CLOSE_WAIT, expected "
                             "3 at most: the other side has closed them, and the program does not\n"))
        self.assertEqual(entry_of(6101)["connections"]["close-wait"], 4)
        program.end()
        daemon.wait_firing({("NotListening", "leak", 6101)})
        self.assertIn("leak: StuckConnections became NotListening", daemon.log())


class NotAcceptedTest(TestCase):
    def test_whoever_waits_is_counted(self):
        daemon = self.daemon(FAST)
        with tcp_listener("127.0.0.1", 6102) as server:
            clients = connect(6102, 3)
            wait_for("3 are not accepted", lambda: daemon.metrics().get(
                "connections_not_accepted", protocol="tcp", port=6102) == 3)
            clients += [server.accept()[0], server.accept()[0]]
            wait_for("1 is not accepted", lambda: daemon.metrics().get(
                "connections_not_accepted", protocol="tcp", port=6102) == 1)
            counts = entry_of(6102)["connections"]
            self.assertEqual((counts["established"], counts["not_accepted"]), (3, 1))
            close(clients)
