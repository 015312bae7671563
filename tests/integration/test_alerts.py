"""How alerts come and go, as Prometheus and the log are told of it."""

from harness import TestCase, tcp_listener, wait_for

FAST = 'poll: { listeners = "100ms"; };\n'
UNEXPECTED = 'unexpected: { severity = "warning"; };\n'
MISSING = 'expect = ( { name = "web"; port = 4321; } );\n'
PORTS = (4501, 4502, 4503)


class AlertsTest(TestCase):
    def fired(self, daemon, rule, severity):
        return daemon.metrics().get("alerts_fired_total", rule=rule, severity=severity)

    def wait_lines(self, daemon, text, count):
        wait_for(f"{count} lines with {text}", lambda: daemon.log().count(text) >= count)

    def test_what_came_and_went_between_two_scrapes_is_counted(self):
        daemon = self.daemon(FAST + UNEXPECTED)
        self.assertEqual(self.fired(daemon, "UnexpectedListener", "warning"), 0)
        for number, port in enumerate(PORTS, 1):
            with tcp_listener("127.0.0.1", port):
                self.wait_lines(daemon, "UnexpectedListener firing", number)
            self.wait_lines(daemon, "UnexpectedListener resolved", number)
        metrics = daemon.metrics()
        self.assertEqual(metrics.get("alerts_fired_total", rule="UnexpectedListener", severity="warning"), len(PORTS))
        self.assertEqual(sum(metrics.find("alerts_fired_total")), len(PORTS))
        self.assertEqual(metrics.firing(), set())
        for port in PORTS:
            self.assertEqual(metrics.get("alert_firing", rule="UnexpectedListener", port=port, severity="warning"), 0)

    def test_what_a_reload_takes_away_is_0(self):
        daemon = self.daemon(FAST + MISSING)
        daemon.wait_firing({("NotListening", "web", 4321)})
        daemon.reload(FAST + MISSING.replace("4321;", '4321; severity = "warning";'))
        wait_for("the other severity", lambda: daemon.metrics().get("alert_firing", name="web", severity="warning",
                                                                    rule="NotListening") == 1)
        self.assertEqual(daemon.metrics().get("alert_firing", name="web", rule="NotListening",
                                              severity="critical"), 0)
        daemon.reload(FAST)
        daemon.wait_firing(set())
        for severity in ("warning", "critical"):
            self.assertEqual(daemon.metrics().get("alert_firing", name="web", rule="NotListening",
                                                  severity=severity), 0)
        self.assertEqual(daemon.log().count("alert NotListening resolved"), 1, daemon.log())

    def test_what_is_wrong_in_another_way_after_a_reload_goes_on(self):
        with tcp_listener("127.0.0.1", 4321):
            daemon = self.daemon(FAST + MISSING.replace("4321;", '4321; scope = "public";'))
            daemon.wait_firing({("LoopbackOnly", "web", 4321)})
            daemon.reload(FAST + MISSING.replace("4321;", '4321; families = [ "ipv6" ]; for = "1h";'))
            daemon.wait_firing({("WrongAddress", "web", 4321)})
            self.assertEqual(daemon.log().count("web: LoopbackOnly became WrongAddress"), 1, daemon.log())

    def test_pending_is_told_to_who_debugs(self):
        for arguments, lines in (((), 0), (("--debug",), 1)):
            daemon = self.daemon(FAST + MISSING.replace("4321;", '4321; for = "1h";'), arguments)
            self.assertEqual(daemon.metrics().get("alerts", severity="critical", state="pending"), 1)
            self.assertEqual(daemon.log().count("alert NotListening pending, critical: web"), lines)
            self.assertEqual(daemon.stop(), 0)
