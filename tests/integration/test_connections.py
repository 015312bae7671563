"""How many connections a service has, and how many of them nobody has accepted."""

import socket

from harness import TestCase, list_json, tcp_listener, wait_for

FAST = 'poll: { listeners = "50ms"; connections = "100ms"; };\n'


def connect(port, count=1):
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def close(sockets):
    for s in sockets:
        s.close()


def entry_of(port):
    return next(entry for entry in list_json()["listeners"] if entry["port"] == port)


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
