"""Redis, dnsmasq, programs nobody declared: real servers, each seen for what it is."""

import re
import signal
import socket
import subprocess

from harness import (SCRATCH, Server, TestCase, as_user, list_json, require, scratch_file, sockwatch, tcp_listener,
                     udp_socket)

FAST = 'poll: { listeners = "50ms"; };\n'

REDIS = FAST + 'expect = ( { name = "redis"; port = 6379; scope = "loopback"; severity = "warning"; } );'

DNS = FAST + """
expect = ( { name = "dns"; port = 5353; protocol = "udp"; scope = "loopback"; },
           { name = "dns"; port = 5353; scope = "loopback"; } );
"""

STRICT = FAST + """
expect = ( { name = "web"; ports = "8000-8001"; } );
allow = ( { ports = "22,9000-9010"; }, { ports = "9100"; scope = "loopback"; },
          { ports = "5000"; protocol = "udp"; } );
unexpected: { severity = "critical"; };
"""


class RedisTest(TestCase):
    def redis(self, *bind):
        require("redis-server")
        server = Server(["redis-server", "--port", "6379", "--bind", *bind, "--save", "", "--appendonly", "no",
                         "--protected-mode", "no", "--dir", SCRATCH], 6379)
        self.addCleanup(server.end, signal.SIGKILL)
        return server

    def test_exposed_where_loopback_is_expected(self):
        daemon = self.daemon(REDIS)
        daemon.wait_firing({("NotListening", "redis", 6379)})
        server = self.redis("0.0.0.0")
        daemon.wait_firing({("Exposed", "redis", 6379)})
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("alert_firing", rule="Exposed", severity="warning"), 1)
        self.assertEqual(metrics.get("alert_firing", rule="NotListening", name="redis"), 0)
        self.assertEqual(metrics.get("alerts", severity="warning", state="firing"), 1)
        server.end()
        self.redis("127.0.0.1", "::1")
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().get("listeners", protocol="tcp", scope="loopback"), 4)


class DnsmasqTest(TestCase):
    def test_udp_service_with_tcp_beside_it(self):
        require("dnsmasq")
        as_user("nobody")  # which dnsmasq does by itself
        daemon = self.daemon(DNS)
        daemon.wait_firing({("NotListening", "dns", 5353)})
        server = Server(["dnsmasq", "-k", "--no-resolv", "--no-hosts", "--port=5353", "--listen-address=127.0.0.1",
                         "--bind-interfaces", "--user=nobody", "--pid-file=", "--conf-file=/dev/null"], 5353, "udp")
        self.addCleanup(server.end, signal.SIGKILL)
        daemon.wait_firing(set())
        metrics = daemon.metrics()
        for protocol in ("udp", "tcp"):
            self.assertEqual(metrics.get("expected_listening", name="dns", protocol=protocol), 1)
            self.assertEqual(metrics.get("listener_info", protocol=protocol, port=5353, scope="loopback"), 1)
        self.assertIsNone(metrics.get("listener_accept_queue_limit", protocol="udp", port=5353))
        server.end()
        daemon.wait_firing({("NotListening", "dns", 5353)})


class UnexpectedTest(TestCase):
    def test_undeclared_listener_appears_and_leaves(self):
        web = [tcp_listener("0.0.0.0", 8000), tcp_listener("::1", 8001)]
        daemon = self.daemon(STRICT)
        daemon.wait_firing(set())
        with subprocess.Popen(["python3", "-c", "import socket, time; s = socket.create_server(('0.0.0.0', 4444)); "
                               "time.sleep(600)"]) as intruder:
            daemon.wait_firing({("UnexpectedListener", "", 4444)})
            self.assertEqual(daemon.metrics().get("alerts", severity="critical", state="firing"), 1)
            intruder.kill()
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().find("alert_firing", port=4444), [0])
        log = daemon.log()
        self.assertEqual(log.count("alert UnexpectedListener firing, critical: tcp 0.0.0.0:4444 listens, "
                                   "but is neither expected nor allowed"), 1, log)
        self.assertEqual(log.count("alert UnexpectedListener resolved"), 1, log)
        for s in web:
            s.close()
        daemon.wait_firing({("NotListening", "web", 8000), ("NotListening", "web", 8001)})

    def test_allow_covers_ranges_protocols_and_scopes(self):
        sockets = [tcp_listener("0.0.0.0", 8000), tcp_listener("0.0.0.0", 8001), tcp_listener("::", 22),
                   tcp_listener("127.0.0.1", 9005), tcp_listener("127.0.0.1", 9100), udp_socket("0.0.0.0", 5000)]
        daemon = self.daemon(STRICT)
        daemon.wait_firing(set())
        sockets.append(tcp_listener("0.0.0.0", 9011))
        sockets.append(tcp_listener("::", 9100, v6only=True))
        sockets.append(tcp_listener("0.0.0.0", 5000))
        daemon.wait_firing({("UnexpectedListener", "", 9011), ("Exposed", "", 9100),
                            ("UnexpectedListener", "", 5000)})
        for s in sockets:
            s.close()

    def test_own_socket_is_always_allowed(self):
        daemon = self.daemon(FAST + "unexpected: {};", arguments=("--listen", "0.0.0.0:10070"), port=10070)
        daemon.wait_firing(set())
        self.assertEqual(daemon.metrics().get("listener_info", port=10070, scope="any"), 1)

    def test_kernel_chosen_udp_ports_are_no_listeners(self):
        with udp_socket("0.0.0.0", 0) as client, udp_socket("0.0.0.0", 7777) as server:
            ports = {entry["port"] for entry in list_json()["listeners"] if entry["protocol"] == "udp"}
            self.assertIn(server.getsockname()[1], ports)
            self.assertNotIn(client.getsockname()[1], ports)

    def test_ignore_loopback(self):
        with tcp_listener("127.0.0.1", 4444), tcp_listener("0.0.0.0", 4445):
            daemon = self.daemon(FAST + "unexpected: { ignore_loopback = true; };")
            daemon.wait_firing({("UnexpectedListener", "", 4445)})


class KernelChosenTest(TestCase):
    """Programs that ask for any port."""

    def listener(self, *arguments, **keywords):
        s = tcp_listener(*arguments, **keywords)
        self.addCleanup(s.close)
        return s.getsockname()[1]

    def test_who_chose_the_port(self):
        unbound = socket.socket()  # to listen at no address in particular is to ask for any port
        unbound.listen()
        self.addCleanup(unbound.close)
        chosen = [self.listener("127.0.0.1", 0), self.listener("0.0.0.0", 0), self.listener("::1", 0),
                  self.listener("::", 0, v6only=False), unbound.getsockname()[1]]
        group = self.listener("127.0.0.1", 0, reuseport=True)
        bound = [self.listener("127.0.0.1", 40404), self.listener("::", 40405), group,
                 self.listener("127.0.0.1", group, reuseport=True)]
        told = {entry["port"]: entry["kernel_chosen_port"] for entry in list_json()["listeners"]}
        self.assertEqual(told, {**{port: True for port in chosen}, **{port: False for port in bound}})
        text = sockwatch("list").stdout
        for port, kernel in told.items():
            self.assertEqual(len(re.findall(rf"(?m):{port} ", text)), 1, text)
            self.assertEqual(bool(re.search(rf"(?m):{port} .*kernel-chosen port", text)), kernel, text)

    def test_it_is_nobodys_service(self):
        port = self.listener("0.0.0.0", 0)
        daemon = self.daemon(FAST + f'expect = ( {{ name = "db"; port = {port}; }} ); unexpected: {{}};')
        daemon.wait_firing({("NotListening", "db", port), ("UnexpectedListener", "", port)})
        self.assertIn(f"db: tcp port {port} has no listener; the kernel gave the port to another that asked for any "
                      f"(0.0.0.0:{port} by python3", sockwatch("check", "--config", daemon.config).stdout)
        daemon.reload(FAST + "allow = ( { kernel_chosen = true; } ); unexpected: {};")
        daemon.wait_firing(set())
        self.listener("0.0.0.0", 40404)
        daemon.wait_firing({("UnexpectedListener", "", 40404)})

    def test_a_storm_is_silent(self):
        daemon = self.daemon('poll: { listeners = "100ms"; }; unexpected: { ignore_kernel_chosen = true; };')
        daemon.wait_polls()
        log = daemon.log()
        for _ in range(20):  # 200 in all, each seen by a poll
            sockets = [tcp_listener("0.0.0.0", 0) for _ in range(10)]
            daemon.wait_polls(1)
            seen = {dict(labels)["port"] for name, labels in daemon.metrics().series
                    if name == "sockwatch_listener_info"}
            for s in sockets:
                self.assertIn(str(s.getsockname()[1]), seen)
                s.close()
        metrics = daemon.metrics()
        self.assertEqual(metrics.firing(), set())
        self.assertEqual(metrics.find("alert_firing", rule="UnexpectedListener"), [])
        self.assertEqual(daemon.log(), log)
        self.listener("0.0.0.0", 40404)
        daemon.wait_firing({("UnexpectedListener", "", 40404)})


class AddressTest(TestCase):
    def test_expected_address(self):
        subprocess.run(["ip", "addr", "add", "192.0.2.10/32", "dev", "lo"], check=True)
        config = FAST + 'expect = ( { name = "db"; port = 5432; address = "192.0.2.10"; } );'
        daemon = self.daemon(config)
        daemon.wait_firing({("NotListening", "db", 5432)})
        with tcp_listener("127.0.0.1", 5432):
            daemon.wait_firing({("WrongAddress", "db", 5432)})
            with tcp_listener("192.0.2.10", 5432):
                daemon.wait_firing(set())
                # An address that only lo has is still reachable from outside.
                self.assertEqual(daemon.metrics().get("listener_info", address="192.0.2.10", scope="address"), 1)
        # There and nowhere else.
        with tcp_listener("0.0.0.0", 5432):
            daemon.wait_firing({("Exposed", "db", 5432)})
        with tcp_listener("::", 5432, v6only=False):
            daemon.wait_firing({("Exposed", "db", 5432)})
        with tcp_listener("::", 5432, v6only=True):
            daemon.wait_firing({("WrongAddress", "db", 5432), ("Exposed", "db", 5432)})

    def test_wildcard_bound_to_the_loopback_device_is_loopback(self):
        config = FAST + 'expect = ( { name = "db"; port = 5432; scope = "public"; } );'
        with tcp_listener("0.0.0.0", 5432, device="lo"):
            daemon = self.daemon(config)
            daemon.wait_firing({("LoopbackOnly", "db", 5432)})
            self.assertEqual(daemon.metrics().get("listener_info", port=5432, interface="lo", scope="loopback"), 1)

    def test_route_localnet_is_said(self):
        daemon = self.daemon(FAST)
        self.assertEqual(daemon.metrics().get("route_localnet"), 0)
        with open("/proc/sys/net/ipv4/conf/lo/route_localnet", "w") as setting:
            setting.write("1")
        second = self.daemon(FAST, arguments=("--listen", "127.0.0.1:10071"), port=10071)
        self.assertEqual(second.metrics().get("route_localnet"), 1)
        self.assertIn("route_localnet is set", second.log())


class AcceptQueueTest(TestCase):
    def test_a_full_queue_is_alerted_without_being_asked_for(self):
        """A server that has stopped to accept connections, of an entry with a name and a port."""
        config = scratch_file('expect = ( { name = "app"; port = 5554; } );')
        with tcp_listener("127.0.0.1", 5554, backlog=1), socket.create_connection(("127.0.0.1", 5554)):
            self.assertEqual(sockwatch("check", "--config", config).returncode, 0)
            with socket.create_connection(("127.0.0.1", 5554)):
                result = sockwatch("check", "--config", config)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(result.stdout, "critical AcceptQueueSaturated: app: tcp port 5554 has an accept queue that is "
                         "100 % full (127.0.0.1:5554: 2 waiting, limit 1), expected less than 80 %\n")

    def test_queue_of_a_backlog_of_zero(self):
        with tcp_listener("127.0.0.1", 5555, backlog=0), socket.create_connection(("127.0.0.1", 5555)):
            entry = next(e for e in list_json()["listeners"] if e["port"] == 5555)
            self.assertEqual(entry["accept_queue"], {"length": 1, "limit": 0, "saturation_ratio": 1.0})
            self.assertEqual(entry["connections"]["established"], 1)


class PresenceTest(TestCase):
    """A socket may be bound to an address that the host does not have."""

    def presence(self):
        return {entry["address"]: (entry["scope"], entry["address_present"]) for entry in list_json()["listeners"]}

    def test_absent_addresses_are_not_safe_ones(self):
        def ip(*arguments):
            subprocess.run(["ip", *arguments], check=True)
        ip("link", "add", "test0", "type", "veth", "peer", "name", "test1")
        ip("link", "set", "test0", "up")
        ip("link", "set", "test1", "up")
        ip("addr", "add", "192.0.2.1/24", "dev", "test0")
        ip("-6", "addr", "add", "2001:db8::1/64", "dev", "test0", "nodad")
        ip("route", "add", "local", "198.51.100.0/24", "dev", "lo")
        for family in ("ipv4", "ipv6"):
            with open(f"/proc/sys/net/{family}/ip_nonlocal_bind", "w") as setting:
                setting.write("1")
        addresses = {"192.0.2.1": True, "192.0.2.77": False, "203.0.113.5": False, "198.51.100.9": True,
                     "2001:db8::1": True, "2001:db8::77": False}
        sockets = [tcp_listener(address, 5000) for address in addresses]
        sockets += [tcp_listener("0.0.0.0", 5001), tcp_listener("127.0.0.9", 5000), udp_socket("224.0.0.251", 5353)]
        self.addCleanup(lambda: [s.close() for s in sockets])
        expected = {address: ("address", present) for address, present in addresses.items()}
        expected.update({"0.0.0.0": ("any", None), "127.0.0.9": ("loopback", None), "224.0.0.251": ("address", None)})
        self.assertEqual(self.presence(), expected)
        self.assertIn("absent", sockwatch("list").stdout)
        ip("addr", "add", "203.0.113.5/32", "dev", "lo")
        self.assertEqual(self.presence()["203.0.113.5"], ("address", True))
