"""What people are shown: the services that they expect first, then what listens."""

import json
import re
import signal
import time
from datetime import datetime

from harness import (SCRATCH, Server, TestCase, list_json, request, require, scratch_file, sockwatch, tcp_listener,
                     wait_for)

CONFIG = """
poll: { listeners = "50ms"; };
expect = ( { name = "ssh"; port = 2222; },
           { name = "mysql"; port = 3306; scope = "public"; for = "10m"; },
           { name = "redis"; port = 6379; scope = "loopback"; } );
"""


def expected_rows(text):
    """The first table as lists of words, without its heading."""
    lines = text.split("\n\n")[0].splitlines()
    return [line.split() for line in lines[1:]]


class ListTest(TestCase):
    def list(self, *arguments):
        result = sockwatch("list", "--config", self.config, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def setUp(self):
        self.config = scratch_file(CONFIG)

    def redis(self, bind):
        require("redis-server")
        server = Server(["redis-server", "--port", "6379", "--bind", bind, "--save", "", "--appendonly", "no",
                         "--protected-mode", "no", "--dir", SCRATCH], 6379)
        self.addCleanup(server.end, signal.SIGKILL)
        return server

    def test_a_service_that_is_missing_has_a_row(self):
        self.addCleanup(tcp_listener("0.0.0.0", 2222).close)
        server = self.redis("0.0.0.0")
        text = self.list()
        self.assertRegex(text, r"\ASTATUS +EXPECTED +PROTO +PORT +RULES\n")
        self.assertEqual(expected_rows(text), [["MISSING", "mysql", "tcp", "3306", "NotListening"],
                                               ["WRONG", "redis", "tcp", "6379", "Exposed"],
                                               ["OK", "ssh", "tcp", "2222"]])
        self.assertRegex(text, r"\n\nPROTO +ADDRESS:PORT ")
        self.assertRegex(text, r"\ntcp +0\.0\.0\.0:6379 ")
        server.end()
        self.assertEqual(expected_rows(self.list("--port", "6379")),
                         [["MISSING", "redis", "tcp", "6379", "NotListening"]])

    def test_the_daemon_says_since_when(self):
        daemon = self.daemon(CONFIG)
        self.assertEqual(expected_rows(self.list())[0][0], "MISSING")
        wait_for("a second has passed", lambda: re.search(r"MISSING +redis .* [1-9]s ", self.list()))
        document = json.loads(request("/api/v1/listeners")[2])["expected"]
        self.assertEqual(list_json("--config", self.config)["expected"], document)
        # It is pending, which does not make it any better.
        self.assertEqual(document[1]["name"], "mysql")
        since = datetime.fromisoformat(document[1]["since"].replace("Z", "+00:00")).timestamp()
        self.assertAlmostEqual(time.time(), since, delta=60)
        page = request("/")[2]
        self.assertIn("<tr><td>missing</td><td>mysql</td><td>tcp</td><td>3306</td>", page)
        daemon.stop()
        self.assertIsNone(list_json("--config", self.config)["expected"][0]["since"])

    def test_filters_narrow_both_parts(self):
        self.addCleanup(tcp_listener("0.0.0.0", 2222).close)
        self.addCleanup(tcp_listener("0.0.0.0", 2223).close)
        found = list_json("--config", self.config, "--port", "2000-2222,3306")
        self.assertEqual([e["name"] for e in found["expected"]], ["mysql", "ssh"])
        self.assertEqual([e["port"] for e in found["listeners"]], [2222])
        found = list_json("--config", self.config, "--problems")
        self.assertEqual([(e["name"], e["status"], e["rules"]) for e in found["expected"]],
                         [("mysql", "missing", ["NotListening"]), ("redis", "missing", ["NotListening"])])
        self.assertEqual(found["listeners"], [])
        found = list_json("--config", self.config, "--protocol", "udp")
        self.assertEqual((found["expected"], found["listeners"]), ([], []))

    def test_wrong_filters_are_usage_errors(self):
        for arguments, what in ((["--port", "22,http"], '--port: "22,http" is not valid, expected ports'),
                                (["--port", "1", "--port", "2"], "--port is given twice"),
                                (["--port", "70000"], '--port: "70000" is not valid'),
                                (["--protocol", "icmp"], '--protocol: "icmp" is not valid, expected tcp, udp'),
                                (["--port"], "--port needs a value")):
            result = sockwatch("list", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertTrue(result.stderr.startswith(f"sockwatch list: {what}"), result.stderr)

    def test_a_wrong_configuration_is_an_error(self):
        result = sockwatch("list", "--config", scratch_file("expect = 7;"))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
