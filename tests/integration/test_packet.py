"""Sockets that are of a kind of their own: sniffers, raw ones, MPTCP."""

import errno
import os
import socket

from harness import TestCase, list_json, sockwatch

ETH_P_ALL, ETH_P_ARP = 3, 0x0806
IPPROTO_MPTCP = 262

CONFIG = """
poll: { listeners = "50ms"; };
allow = ( { ports = "1-65535"; protocol = [ "tcp", "udp" ]; } );
unexpected: { %s };
"""


def sniffer(ethertype, interface=None):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    if interface:
        s.bind((interface, ethertype))
    return s


class PacketTest(TestCase):
    def rows(self, protocol):
        return list_json("--all", "--protocol", protocol)["listeners"]

    def test_a_sniffer_is_listed_and_counted(self):
        with sniffer(ETH_P_ALL), sniffer(ETH_P_ARP, "lo"), sniffer(0):
            everything, arp = sorted(self.rows("packet"), key=lambda row: row["ethertype"])
            self.assertEqual((everything["ethertype"], everything["interface"]), (ETH_P_ALL, None))
            self.assertEqual((arp["ethertype"], arp["interface"], arp["service_name"]), (ETH_P_ARP, "lo", "arp"))
            self.assertEqual([arp[key] for key in ("family", "address", "port", "scope")], [None] * 4)
            self.assertEqual(arp["owners"][0]["pid"], os.getpid())
            self.assertIn("0x0806%lo", sockwatch("list", "--all").stdout)
            self.assertNotIn("packet", sockwatch("list").stdout)
            daemon = self.daemon(CONFIG % "")
            metrics = daemon.metrics()
            self.assertEqual(metrics.get("listeners", protocol="packet"), 2)
            self.assertEqual(metrics.find("listener_info", protocol="packet"), [])
            self.assertEqual(metrics.firing(), set())

    def test_a_sniffer_is_unexpected_where_that_is_asked_for(self):
        daemon = self.daemon(CONFIG % 'protocols = [ "tcp", "packet" ];')
        daemon.wait_firing(set())
        with sniffer(ETH_P_ALL):
            daemon.wait_firing({("UnexpectedListener", "", "")})
            metrics = daemon.metrics()
            self.assertEqual(metrics.get("listener_sockets", protocol="packet", ethertype="all"), 1)
            self.assertIn("packet all listens, but is neither expected nor allowed", daemon.log())
            daemon.reload(CONFIG % 'protocols = [ "tcp", "packet" ];' + 'deny = ( { port = 23; } );')
            daemon.wait_polls()
            self.assertEqual(daemon.metrics().firing(), {("UnexpectedListener", "", "")})
        daemon.wait_firing(set())

    def test_raw_sockets_may_be_left_out(self):
        daemon = self.daemon('poll: { listeners = "50ms"; }; unexpected: { };')
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 200):
            daemon.wait_firing({("UnexpectedListener", "", 200)})
            self.assertEqual([(row["port"], row["address"]) for row in self.rows("raw")], [(200, "0.0.0.0")])
            daemon.reload('poll: { listeners = "50ms"; }; unexpected: { protocols = [ "tcp", "udp" ]; };')
            daemon.wait_firing(set())

    def test_an_mptcp_listener_is_there_once(self):
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as error:
            if error.errno not in (errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL):
                raise
            self.skipTest("the kernel has no MPTCP")
        with s:
            s.bind(("127.0.0.1", 7777))
            s.listen(5)
            row, = (row for row in list_json("--all")["listeners"] if row["port"] == 7777)
            self.assertEqual((row["protocol"], row["sockets"], row["accept_queue"]["limit"]), ("tcp", 1, 5))
            self.assertEqual(row["owners"][0]["pid"], os.getpid())
            with socket.create_connection(("127.0.0.1", 7777)):
                row, = (row for row in list_json()["listeners"] if row["port"] == 7777)
                self.assertEqual(row["accept_queue"]["length"], 1)
