"""What the kernel counts for the whole network namespace, from real overflows."""

import socket

from harness import Metrics, TestCase, sockwatch, tcp_listener, udp_socket, wait_for

FAST = 'poll: { connections = "100ms"; };\n'


def kernel(file, group, name):
    """A counter by its name, as the kernel tells it."""
    with open(f"/proc/self/net/{file}") as lines:
        rows = [line.split() for line in lines if line.startswith(group + ":")]
    return int(dict(zip(rows[0], rows[1]))[name])


def kernel6(name):
    with open("/proc/self/net/snmp6") as lines:
        return int(dict(line.split() for line in lines)[name])


class HostCountersTest(TestCase):
    def assert_counts(self, daemon, value, metric, **labels):
        """What the kernel has counted by now is told, by the daemon and by one look."""
        wanted = value()
        self.assertGreater(wanted, 0)
        wait_for(f"{metric} is {wanted}", lambda: daemon.metrics().get(metric, **labels) == wanted)
        self.assertEqual(Metrics(sockwatch("metrics").stdout).get(metric, **labels), value())

    def test_an_accept_queue_that_overflows(self):
        daemon = self.daemon(FAST)
        self.assertEqual(wait_for("the counters are there", lambda: daemon.metrics().find("tcp_listen_overflows_total")),
                         [kernel("netstat", "TcpExt", "ListenOverflows")])
        listener = tcp_listener("127.0.0.1", 7000, backlog=0)
        self.addCleanup(listener.close)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", 7000))
        wait_for("it overflows", lambda: kernel("netstat", "TcpExt", "ListenOverflows"))
        for client in clients:
            client.close()  # or it would try again
        for metric, name in (("tcp_listen_overflows_total", "ListenOverflows"), ("tcp_listen_drops_total", "ListenDrops")):
            self.assert_counts(daemon, lambda name=name: kernel("netstat", "TcpExt", name), metric)

    def test_a_receive_buffer_that_is_full(self):
        daemon = self.daemon(FAST)
        for address, family in (("127.0.0.1", "ipv4"), ("::1", "ipv6")):
            receiver = udp_socket(address, 7001)
            self.addCleanup(receiver.close)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            with socket.socket(receiver.family, socket.SOCK_DGRAM) as sender:
                for _ in range(8):
                    sender.sendto(bytes(1000), (address, 7001))
                sender.sendto(b"nobody is there", (address, 7009))
            for metric, name in (("udp_receive_buffer_errors_total", "RcvbufErrors"), ("udp_in_errors_total", "InErrors"),
                                 ("udp_no_ports_total", "NoPorts")):
                self.assert_counts(daemon, lambda name=name, family=family:
                                   kernel("snmp", "Udp", name) if family == "ipv4" else kernel6("Udp6" + name),
                                   metric, family=family)

    def test_what_tcp_holds(self):
        metrics = Metrics(sockwatch("metrics").stdout)
        with open("/proc/self/net/sockstat") as lines:
            words = next(line for line in lines if line.startswith("TCP:")).split()[1:]
        self.assertEqual(metrics.get("tcp_time_wait_sockets"), int(words[words.index("tw") + 1]))
        # Of all namespaces together, which move on.
        for metric in ("tcp_orphans", "tcp_memory_bytes"):
            self.assertIsNotNone(metrics.get(metric))
        self.assertEqual(metrics.get("collector_up", collector="host_counters"), 1)
        self.assertEqual(metrics.get("collector_malformed_total", collector="host_counters"), 0)
