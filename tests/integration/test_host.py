"""What changes on the host between two polls: addresses and interfaces."""

import json
import socket
import subprocess

from harness import TestCase, request, tcp_listener, wait_for

FAST = 'poll: { listeners = "50ms"; connections = "1h"; };\n'
PORT = 7800
IP_FREEBIND = 15


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def freebind_listener(address):
    """A listener on an address that the host need not have."""
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listener.bind((address, PORT))
    listener.listen()
    return listener


class HostTest(TestCase):
    def entry(self):
        """What the daemon knows of the listener."""
        status, headers, body = request("/api/v1/listeners")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        entries = [e for e in json.loads(body)["listeners"] if e["port"] == PORT]
        return entries[0] if entries else {}

    def wait_for_entry(self, key, value):
        wait_for(f"{key} is {value!r}", lambda: self.entry().get(key, "none") == value)

    def test_an_address_comes_and_goes(self):
        self.daemon(FAST)
        with freebind_listener("192.0.2.1"):
            self.wait_for_entry("address_present", False)
            for _ in range(3):
                ip("address", "add", "192.0.2.1/32", "dev", "lo")
                self.wait_for_entry("address_present", True)
                ip("address", "delete", "192.0.2.1/32", "dev", "lo")
                self.wait_for_entry("address_present", False)

    def test_a_whole_network_becomes_local(self):
        self.daemon(FAST)
        with freebind_listener("192.0.2.77"):
            self.wait_for_entry("address_present", False)
            ip("route", "add", "local", "192.0.2.0/24", "dev", "lo")
            self.addCleanup(ip, "route", "delete", "local", "192.0.2.0/24", "dev", "lo")
            self.wait_for_entry("address_present", True)

    def test_an_interface_gets_another_name(self):
        ip("link", "add", "before0", "type", "veth", "peer", "name", "peer0")
        self.addCleanup(ip, "link", "delete", "peer0")
        daemon = self.daemon(FAST)
        with tcp_listener("0.0.0.0", PORT, device="before0"):
            self.wait_for_entry("interface", "before0")
            ip("link", "set", "before0", "name", "after0")
            self.wait_for_entry("interface", "after0")
            self.assertEqual(daemon.metrics().get("listener_sockets", port=PORT, interface="after0"), 1)
            # It is the same service: nothing was restarted, nothing is twice.
            self.assertEqual(daemon.metrics().find("listener_restarts_total", port=PORT), [0])
