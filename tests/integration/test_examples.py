"""The configurations of docs/examples: each is valid, silent about what its host
should look like, and says what it promises when that changes.

The sockets are this test's, so who must hold them is left out of what is
loaded; what an entry says of owners is tested in test_owners."""

import contextlib
import json
import os
import re
import socket
import subprocess

from harness import ROOT, TestCase, scratch_file, sockwatch, tcp_listener, udp_socket

EXAMPLES = os.path.join(ROOT, "docs", "examples")
PLACE = re.compile(r"(tcp|udp) \[?([0-9a-f.:]+?)\]?:(\d+)")

OWNERS = re.compile(r'\b(unit|user) = "[^"]*";')
LISTEN = re.compile(r"^web: .*$", re.M)


def setUpModule():
    for address in ("10.0.0.10/32", "10.0.0.11/32", "10.0.0.22/32", "192.0.2.53/32", "2001:db8::53/128"):
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)


def text_of(example):
    with open(os.path.join(EXAMPLES, example + ".conf")) as file:
        return file.read()


def without_owners(example):
    return OWNERS.sub("", text_of(example))


def listener(place, **keywords):
    """Opens "tcp [::]:80", which serves IPv4 as well, as most servers' do."""
    protocol, address, port = PLACE.fullmatch(place).groups()
    if address == "::":
        keywords["v6only"] = False
    return (tcp_listener if protocol == "tcp" else udp_socket)(address, int(port), **keywords)


@contextlib.contextmanager
def listening_at(places):
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(listener(place))
        yield


def alerts(example):
    result = sockwatch("check", "--json", "--config", scratch_file(without_owners(example)))
    return json.loads(result.stdout)["alerts"]


def findings(example):
    """What check says, as "critical NotListening web tcp 80"."""
    return sorted("{severity} {rule} {name} {protocol} {port}".format(**alert).replace(" None ", " ")
                  for alert in alerts(example))


def findings_with(example, places):
    with listening_at(places):
        return findings(example)


def moved(places, old, new):
    assert old in places, old
    return [new if place == old else place for place in places]


class EveryExampleTest(TestCase):
    def names(self):
        return sorted(name.removesuffix(".conf") for name in os.listdir(EXAMPLES))

    def test_each_is_valid(self):
        for name in self.names():
            with self.subTest(name):
                result = sockwatch("config", "check", os.path.join(EXAMPLES, name + ".conf"))
                self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_each_has_a_test(self):
        tested = {attribute.removeprefix("test_").replace("_", "-") for attribute in dir(ExampleTest)
                  if attribute.startswith("test_")}
        self.assertEqual(self.names(), sorted(tested))


class ExampleTest(TestCase):
    def assert_silent(self, example, places):
        self.assertEqual(findings_with(example, places), [])

    def assert_says(self, example, places, *expected):
        self.assertEqual(findings_with(example, places), sorted(expected))

    def daemon_of(self, example):
        config = LISTEN.sub('web: { listen = [ "127.0.0.1:10066" ]; };', without_owners(example))
        return self.daemon('poll: { listeners = "20ms"; };\n' + config)

    def test_web(self):
        places = ["tcp [::]:80", "tcp [::]:443", "tcp 127.0.0.1:3000", "tcp [::]:22", "udp 0.0.0.0:68"]
        self.assert_silent("web", places)
        self.assert_says("web", moved(places, "tcp [::]:443", "tcp 0.0.0.0:443"), "critical WrongAddress web tcp 443")
        self.assert_says("web", moved(places, "tcp 127.0.0.1:3000", "tcp [::]:3000"),
                         "critical Exposed application tcp 3000")
        with listening_at([place for place in places if place != "tcp 127.0.0.1:3000"]), \
                listener("tcp 127.0.0.1:3000") as application, contextlib.ExitStack() as kept:
            for _ in range(21):
                with socket.create_connection(("127.0.0.1", 3000)):
                    kept.enter_context(application.accept()[0])
            self.assertEqual(findings("web"), ["critical StuckConnections application tcp 3000"])

    def test_mail(self):
        places = ["tcp [::]:25", "tcp 0.0.0.0:465", "tcp [::]:587", "tcp [::]:993", "tcp [::]:143", "tcp [::]:22",
                  "tcp 127.0.0.1:11332", "tcp 127.0.0.1:11333", "tcp [::1]:11334", "tcp 127.0.0.1:8891"]
        self.assert_silent("mail", places)
        self.assert_says("mail", moved(places, "tcp [::]:25", "tcp 127.0.0.1:25") + ["tcp [::1]:25"],
                         "critical LoopbackOnly smtp tcp 25")
        self.assert_says("mail", places + ["tcp 0.0.0.0:110"], "critical UnexpectedListener tcp 110")

    def test_replica(self):
        places = ["tcp 10.0.0.10:3306", "tcp [::]:22", "tcp 127.0.0.1:631"]
        self.assert_silent("replica", places)
        self.assert_says("replica", moved(places, "tcp 10.0.0.10:3306", "tcp 0.0.0.0:3306"),
                         "critical Exposed mysql tcp 3306")
        self.assert_says("replica", moved(places, "tcp 10.0.0.10:3306", "tcp 127.0.0.1:3306"),
                         "critical WrongAddress mysql tcp 3306")
        self.assertEqual(alerts("replica")[0]["labels"]["runbook"], "https://wiki.example.org/mariadb")

    def test_proxy(self):
        places = ["tcp [::]:3306", "tcp 127.0.0.1:8404", "tcp [::]:22"]
        self.assert_silent("proxy", places)  # 10.0.0.10 is this host, too
        self.assert_says("proxy", moved(places, "tcp [::]:3306", "tcp 10.0.0.11:3306"),
                         "critical Unreachable mysql tcp 3306")
        self.assert_says("proxy", moved(places, "tcp 127.0.0.1:8404", "tcp 0.0.0.0:8404"),
                         "warning Exposed statistics tcp 8404")

    def test_bastion(self):
        places = ["tcp [::]:22", "tcp 127.0.0.1:6010"]
        self.assert_silent("bastion", places)
        self.assert_says("bastion", places + ["tcp 127.0.0.1:8022"], "critical UnexpectedListener tcp 8022")
        self.assert_says("bastion", places + ["tcp 127.0.0.1:23"], "critical UnexpectedListener tcp 23")
        self.assert_says("bastion", moved(places, "tcp 127.0.0.1:6010", "tcp 0.0.0.0:6010"),
                         "critical Exposed tcp 6010")

    def test_laptop(self):
        places = ["tcp 127.0.0.1:5432", "tcp [::1]:3000", "tcp 0.0.0.0:0", "udp 0.0.0.0:5353"]
        self.assert_silent("laptop", places)
        self.assert_says("laptop", moved(places, "tcp 127.0.0.1:5432", "tcp [::]:5432") + ["tcp 0.0.0.0:8000"],
                         "warning UnexpectedListener tcp 5432", "info UnexpectedListener tcp 8000")

    def test_galera(self):
        places = ["tcp [::]:3306", "tcp 10.0.0.11:4567", "tcp 0.0.0.0:4444", "tcp 10.0.0.11:4568", "tcp [::]:22"]
        self.assert_silent("galera", places)
        self.assert_says("galera", moved(places, "tcp 10.0.0.11:4567", "tcp 0.0.0.0:4567"),
                         "critical Exposed galera tcp 4567")
        self.assert_says("galera", moved(places, "tcp 10.0.0.11:4568", "tcp 0.0.0.0:4568"),
                         "warning Exposed tcp 4568")
        with listening_at(places[1:]):
            daemon = self.daemon_of("galera")
            for _ in range(3):
                with listener("tcp [::]:3306"):
                    daemon.wait_polls()
                daemon.wait_polls()
            daemon.wait_firing({("Flapping", "mysql", 3306)})

    def test_postgresql(self):
        places = ["tcp [::]:6432", "tcp 127.0.0.1:5432", "tcp [::1]:5432", "tcp [::]:22"]
        self.assert_silent("postgresql", places)
        self.assert_says("postgresql", places + ["tcp 10.0.0.10:5432"], "critical Exposed postgresql tcp 5432")
        with listening_at(places[1:]), listener("tcp [::]:6432", backlog=1), \
                socket.create_connection(("127.0.0.1", 6432)), socket.create_connection(("127.0.0.1", 6432)):
            self.assertEqual(findings("postgresql"), ["critical AcceptQueueSaturated pgbouncer tcp 6432"])
        with listening_at(places[1:]), listener("tcp [::]:6432") as pgbouncer, contextlib.ExitStack() as clients:
            for _ in range(91):
                clients.enter_context(socket.create_connection(("127.0.0.1", 6432)))
                clients.enter_context(pgbouncer.accept()[0])
            self.assertEqual(findings("postgresql"), ["critical ConnectionsOutOfRange pgbouncer tcp 6432"])

    def test_game(self):
        places = ["tcp [::]:64738", "udp [::]:64738", "tcp [::]:22", "udp 0.0.0.0:68"]
        self.assert_silent("game", places + ["udp [::]:30000"])
        self.assert_says("game", moved(places, "udp [::]:64738", "udp [::1]:64738"),
                         "critical NotListening minetest udp 30000", "warning LoopbackOnly mumble udp 64738")
        with listening_at(places), listener("udp 0.0.0.0:30000") as game, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
            game.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            daemon = self.daemon_of("game")
            for _ in range(200):
                player.sendto(b"jump", ("127.0.0.1", 30000))
            daemon.wait_firing({("Dropping", "minetest", 30000)})

    def test_dns(self):
        at = ["192.0.2.53:53", "[2001:db8::53]:53", "127.0.0.1:53"]
        places = [f"{protocol} {place}" for protocol in ("tcp", "udp") for place in at] + ["tcp 127.0.0.1:953"]
        self.assert_silent("dns", places)
        self.assert_says("dns", [place for place in places if place not in ("tcp " + at[0], "tcp " + at[1])],
                         "critical WrongAddress dns tcp 53")
        self.assert_says("dns", [place for place in places if not re.fullmatch("tcp .*:53", place)],
                         "critical NotListening dns tcp 53")
        self.assert_says("dns", moved(places, "udp [2001:db8::53]:53", "tcp [::1]:53"),
                         "critical WrongAddress dns udp 53")
        self.assert_says("dns", moved(places, "tcp 127.0.0.1:953", "tcp 0.0.0.0:953"), "warning Exposed rndc tcp 953")

    def test_container_host(self):
        places = ["tcp [::]:80", "tcp 0.0.0.0:443", "tcp [::]:22", "tcp 127.0.0.1:8080", "tcp 127.0.0.1:0"]
        self.assert_silent("container-host", places)
        self.assert_says("container-host", places + ["tcp 127.0.0.1:2375"], "critical UnexpectedListener tcp 2375")
        self.assert_says("container-host", moved(places, "tcp 127.0.0.1:8080", "tcp 0.0.0.0:8080"),
                         "warning Exposed tcp 8080")
