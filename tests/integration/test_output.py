"""What goes out during a flood: so much and no more, and what counts comes first."""

import re

from harness import TestCase, request, scratch_file, sockwatch, tcp_listener, wait_for

FAST = 'poll: { listeners = "50ms"; };\n'
UNEXPECTED = 'unexpected: { severity = "warning"; };\n'
EXPECTED_PORT, FIRST_PORT, FLOOD = 15000, 20000, 50


class OutputTest(TestCase):
    def flood(self):
        for i in range(FLOOD):
            self.addCleanup(tcp_listener("127.0.0.1", FIRST_PORT + i).close)

    def start(self, limits):
        config = (FAST + UNEXPECTED + f"limits: {{ {limits} }};\n"
                  f'expect = ( {{ name = "first"; port = {EXPECTED_PORT}; }} );\n')
        return self.daemon(config), config

    def wait_alerts(self, daemon, count):
        wait_for(f"{count} alerts", lambda: daemon.metrics().get("alerts", severity="warning", state="firing") == count)

    def test_a_flood_writes_so_many_lines_and_silences_nobody(self):
        service = tcp_listener("127.0.0.1", EXPECTED_PORT)
        daemon, config = self.start("log_lines = 10;")
        self.flood()
        self.wait_alerts(daemon, FLOOD)
        service.close()
        daemon.wait_firing({("NotListening", "first", EXPECTED_PORT)} |
                           {("UnexpectedListener", "", FIRST_PORT + i) for i in range(FLOOD)})
        self.assertEqual(daemon.log().count("alert UnexpectedListener firing"), 10)
        self.assertEqual(daemon.log().count("alert NotListening firing"), 1)
        self.assertEqual(daemon.metrics().get("dropped_total", what="log_lines"), FLOOD - 10)
        daemon.reload(config.replace("log_lines = 10", "log_lines = 15"))
        wait_for("the reload", lambda: "configuration reloaded" in daemon.log())
        for i in range(FLOOD, FLOOD + 10):
            self.addCleanup(tcp_listener("127.0.0.1", FIRST_PORT + i).close)
        self.wait_alerts(daemon, FLOOD + 10)
        self.assertEqual(daemon.log().count("alert UnexpectedListener firing"), 15)

    def test_the_page_shows_the_worst_and_says_how_many_it_does_not(self):
        daemon, _ = self.start("page_rows = 5;")
        self.flood()
        self.wait_alerts(daemon, FLOOD)
        page = request("/")[2]
        rows = re.findall(r"<tr><td>firing</td><td>(\w+)</td><td>(\w+)</td>", page)
        self.assertEqual(rows, [("critical", "NotListening")] + [("warning", "UnexpectedListener")] * 4)
        self.assertIn(f"<p>{FLOOD - 4} more are not shown (limits.page_rows = 5).</p>", page)
        self.assertGreaterEqual(daemon.metrics().get("dropped_total", what="page_rows"), FLOOD - 4)

    def test_a_check_says_how_many_findings_it_does_not_show(self):
        self.flood()
        config = scratch_file(UNEXPECTED + "limits: { alerts = 20; };")
        result = sockwatch("check", "--config", config)
        self.assertEqual((result.returncode, result.stdout.count("UnexpectedListener")), (1, 10))  # half for one user
        self.assertEqual(result.stderr,
                         f"findings about other listeners that are not shown (limits.alerts): {FLOOD - 10}\n")
