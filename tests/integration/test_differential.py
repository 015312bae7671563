"""sockwatch and ss look at the same random sockets and must agree."""

import collections
import ipaddress
import random
import resource
import socket
import subprocess

from harness import Metrics, TestCase, list_json, scratch_file, sockwatch, tcp_listener, udp_socket

SEEDS = (1, 20, 300, 4000)
LISTENERS = 380
CONNECTIONS = 560
OUTBOUND_TOP = 10
OUTBOUND = f"connections: {{ outbound_top = {OUTBOUND_TOP}; }};"

ADDRESSES = (
    "0.0.0.0", "127.0.0.1", "127.0.0.2", "127.255.1.9", "192.0.2.1", "10.1.1.1", "::", "::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:192.0.2.1", "::ffff:0.0.0.0",
)
DEVICES = (None, None, None, "lo", "test0")

SS_STATES = {
    "ESTAB": "established", "SYN-SENT": "syn-sent", "SYN-RECV": "syn-recv", "FIN-WAIT-1": "fin-wait-1",
    "FIN-WAIT-2": "fin-wait-2", "TIME-WAIT": "time-wait", "CLOSE-WAIT": "close-wait", "LAST-ACK": "last-ack",
    "CLOSING": "closing", "LISTEN": "listen", "UNCONN": "unconn",
}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def ss(*flags):
    return subprocess.run(["ss", "-Hn", *flags], capture_output=True, text=True, check=True).stdout.splitlines()


def split_endpoint(text):
    """'[::1%lo]:80' and ss's other spellings as (address, interface, port)."""
    host, port = text.rsplit(":", 1)
    host, _, interface = host.replace("[", "").replace("]", "").partition("%")
    return host, interface or None, int(port)


def normalised(host, extra):
    """(family, address) as the contract names them."""
    if host == "*":
        return "dual", "::"
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return "ipv4", str(address)
    if address.ipv4_mapped is not None:
        return "ipv4", str(address.ipv4_mapped)
    if address == ipaddress.ip_address("::") and "v6only:1" not in extra:
        return "dual", "::"
    return "ipv6", str(address)


def listeners_by_ss():
    """{(protocol, family, address, port, interface): (sockets, queue, limit)}"""
    found = collections.defaultdict(lambda: [0, 0, 0])
    for protocol, flags in (("tcp", "-tlee"), ("udp", "-ulee")):
        for line in ss(flags):
            fields = line.split()
            host, interface, port = split_endpoint(fields[3])
            family, address = normalised(host, line)
            entry = found[protocol, family, address, port, interface]
            entry[0] += 1
            if protocol == "tcp":
                entry[1] += int(fields[1])
                entry[2] += int(fields[2])
    return {key: tuple(value) for key, value in found.items()}


def listeners_by_sockwatch():
    found = {}
    for entry in list_json()["listeners"]:
        if entry["protocol"] not in ("tcp", "udp"):
            continue
        key = (entry["protocol"], entry["family"], entry["address"], entry["port"], entry["interface"])
        queue = entry["accept_queue"] or {"length": 0, "limit": 0}
        assert key not in found, f"{key} is listed twice"
        found[key] = (entry["sockets"], queue["length"], queue["limit"])
    return found


def port_of(text):
    port = text.rsplit(":", 1)[1]
    return 0 if port == "*" else int(port)


def sockets_by_ss():
    """{(protocol, local port, remote port, state): sockets}"""
    found = collections.Counter()
    for protocol, flag in (("tcp", "-ta"), ("udp", "-ua")):
        for line in ss(flag):
            fields = line.split()
            found[protocol, port_of(fields[3]), port_of(fields[4]), SS_STATES[fields[0]]] += 1
    return found


def added(sockets, key_of):
    """Sums them up by other keys; those without one are left out."""
    sums = collections.Counter()
    for key, number in sockets.items():
        if key_of(*key) is not None:
            sums[key_of(*key)] += number
    return sums


def by_metrics(metrics, wanted):
    """{(protocol, port, state): value} of a family of connections, but for zeros."""
    found = {}
    for (name, labels), value in metrics.series.items():
        if name == wanted and value:
            labels = dict(labels)
            found[labels["protocol"], labels["port"], labels["state"]] = int(value)
    return found


class Population:
    """Random sockets; everything is closed at the end."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.sockets = []
        self.listeners = []
        while len(self.listeners) < LISTENERS:
            self.add_listener()
        connections = 0
        while connections < CONNECTIONS:
            connections += self.add_connection()
        for _ in range(40):
            self.add_udp_connection()
        self.fill_a_backlog()

    def add_listener(self):
        r = self.random
        address, port = r.choice(ADDRESSES), r.randint(1, 32000)
        options = {"device": r.choice(DEVICES), "reuseport": r.random() < 0.3}
        if address.startswith("::ffff:"):
            options["family"] = socket.AF_INET6
        elif ":" in address:
            options["v6only"] = r.random() < 0.5
        make = tcp_listener if r.random() < 0.7 else udp_socket
        if make is tcp_listener:
            options["backlog"] = r.choice((0, 1, 5, 128, 4096))
        try:
            for _ in range(r.randint(2, 5) if options["reuseport"] else 1):
                self.listeners.append(make(address, port, **options))
        except OSError:
            return  # the port is taken by an earlier one

    def target(self, listener):
        """An address at which a listener can be reached, or None."""
        host, port = listener.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "::ffff:0.0.0.0": "127.0.0.1"}.get(host, host)
        return host.removeprefix("::ffff:"), port

    def add_connection(self):
        """Returns 1 when a connection came to be."""
        r = self.random
        listener = r.choice(self.listeners)
        if listener.type != socket.SOCK_STREAM:
            return 0
        host, port = self.target(listener)
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(0.01)
        try:
            client.connect((host, port))
        except OSError:
            client.close()
            return 0
        self.sockets.append(client)
        # Closed by the client, by the server, by both, or left open; accepted or left in the queue.
        fate = r.choice(("open", "open", "unaccepted", "client", "server", "both"))
        listener.settimeout(0.01)
        try:
            server = None if fate == "unaccepted" else listener.accept()[0]
        except OSError:
            server = None  # another member of its group got it
        if server:
            self.sockets.append(server)
        if fate in ("client", "both"):
            client.close()
        if server and fate in ("server", "both"):
            server.close()
        return 1

    def add_udp_connection(self):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(("127.0.0.1", self.random.randint(1, 65535)))
        self.sockets.append(client)

    def fill_a_backlog(self):
        """Leaves clients in SYN-SENT before a full queue."""
        listener = tcp_listener("127.0.0.77", 32001, backlog=0)
        self.listeners.append(listener)
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.77", 32001))
            self.sockets.append(client)

    def close(self):
        for s in self.sockets + self.listeners:
            s.close()


class DifferentialTest(TestCase):
    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        ip("link", "add", "test0", "type", "veth", "peer", "name", "test1")
        for interface in ("test0", "test1"):
            ip("link", "set", interface, "up")
        ip("addr", "add", "192.0.2.1/24", "dev", "test0")
        ip("-6", "addr", "add", "2001:db8::1/64", "dev", "test0", "nodad")
        ip("addr", "add", "10.1.1.1/32", "dev", "lo")

    def stable(self, look):
        """A value that did not change while sockwatch looked, too."""
        for _ in range(20):
            before = look()
            mine = self.look_with_sockwatch()
            if look() == before:
                return before, mine
        raise AssertionError("the sockets never stood still")

    def look_with_sockwatch(self):
        result = sockwatch("metrics", "--config", scratch_file(OUTBOUND))
        self.assertEqual(result.returncode, 0, result.stderr)
        return Metrics(result.stdout)

    def compare(self, seed):
        population = Population(seed)
        try:
            self.compare_listeners()
            self.compare_states()
        finally:
            population.close()

    def compare_listeners(self):
        theirs = listeners_by_ss()
        self.assertGreater(len({key[1] for key in theirs}), 2, "all three families must occur")
        self.assertTrue(any(sockets > 1 for sockets, _, _ in theirs.values()))
        self.assertTrue(any(key[4] for key in theirs))
        self.assertGreaterEqual(len(theirs), 200)
        self.assertEqual(listeners_by_sockwatch(), theirs)

    def compare_states(self):
        theirs, metrics = self.stable(sockets_by_ss)
        listening = {(protocol, local) for protocol, local, _, state in theirs if state in ("listen", "unconn")}
        self.assertGreater(len({key[3] for key in theirs}), 6, "many states must occur")
        self.assertEqual(by_metrics(metrics, "sockwatch_connections"),
                         added(theirs, lambda protocol, local, remote, state: (protocol, str(local), state)
                               if (protocol, local) in listening else None))
        outbound = {key: number for key, number in theirs.items() if key[:2] not in listening}
        self.compare_outbound(outbound, by_metrics(metrics, "sockwatch_outbound_connections"))
        totals = added(theirs, lambda protocol, local, remote, state: (protocol, state))
        for (protocol, state), number in totals.items():
            self.assertEqual(metrics.get("sockets", protocol=protocol, state=state), number, (protocol, state))
        self.assertGreaterEqual(totals["tcp", "established"], 500)

    def compare_outbound(self, theirs, mine):
        """The busiest are told one by one, and all others together."""
        told = {key[:2] for key in mine if key[1] != "other"}
        self.assertEqual(mine, added(theirs, lambda protocol, local, remote, state: (
            protocol, str(remote) if (protocol, str(remote)) in told else "other", state)))
        sums = added(theirs, lambda protocol, local, remote, state: (protocol, str(remote)))
        for protocol in ("tcp", "udp"):
            busy = [number for key, number in sums.items() if key in told and key[0] == protocol]
            rest = [number for key, number in sums.items() if key not in told and key[0] == protocol]
            self.assertEqual(len(busy), min(OUTBOUND_TOP, len(busy) + len(rest)))
            self.assertGreaterEqual(min(busy), max(rest, default=0))


def add_seed(seed):
    setattr(DifferentialTest, f"test_seed_{seed}", lambda self: self.compare(seed))


for number in SEEDS:
    add_seed(number)


class RawTest(TestCase):
    """Raw sockets, which this kernel may list by netlink or only in /proc."""

    def test_raw_sockets_are_listed(self):
        wanted = [(socket.AF_INET, socket.IPPROTO_ICMP, "0.0.0.0", "ipv4", "icmp"),
                  (socket.AF_INET, 89, "127.0.0.1", "ipv4", "ospf"),
                  (socket.AF_INET6, socket.IPPROTO_ICMPV6, "::", "ipv6", "ipv6-icmp")]
        sockets = [socket.socket(family, socket.SOCK_RAW, protocol) for family, protocol, *_ in wanted]
        self.addCleanup(lambda: [s.close() for s in sockets])
        sockets[1].bind(("127.0.0.1", 0))
        found = {(e["address"], e["family"], e["port"], (e["service_name"] or "").replace("ospfigp", "ospf"))
                 for e in list_json()["listeners"] if e["protocol"] == "raw"}
        self.assertEqual(found, {(address, family, protocol, name) for _, protocol, address, family, name in wanted})
        metrics = Metrics(sockwatch("metrics").stdout)
        self.assertEqual(metrics.get("socket_class_visible", **{"class": "raw"}), 1)
        self.assertEqual(metrics.get("listeners", protocol="raw", scope="loopback"), 1)
        self.assertEqual(metrics.get("listeners", protocol="raw", scope="any"), 2)
        self.assertEqual(metrics.get("sockets", protocol="raw", state="unconn"), 3)
