"""The exposition as Prometheus and its linter see it."""

import json
import os
import signal
import subprocess
import urllib.parse

from harness import ROOT, SCRATCH, Server, TestCase, request, require, sockwatch, tcp_listener, wait_for

CONFIG = """
poll: { listeners = "50ms"; };
expect = ( { name = "my \\"sql\\" \\\\"; port = 3306; scope = "public"; },
           { name = "sigtran"; port = 2905; protocol = "sctp"; },
           { name = "range"; ports = "7000-7009"; } );
unexpected: { ignore_loopback = false; };
"""


def promtool(*arguments, text=None):
    require("promtool")
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                          cwd=os.path.join(ROOT, "monitoring"))


class PromtoolTest(TestCase):
    def assert_clean(self, text):
        result = promtool("check", "metrics", text=text)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_exposition_is_clean(self):
        self.assert_clean(sockwatch("metrics").stdout)
        with tcp_listener("127.0.0.1", 3306), tcp_listener("0.0.0.0", 4444), tcp_listener("::", 4444, v6only=True):
            daemon = self.daemon(CONFIG)
            metrics = daemon.metrics()  # refuses duplicate series
            self.assert_clean(metrics.text)
        self.assertEqual(metrics.get("alert_firing", rule="UnexpectedListener", port=4444), 1)
        self.assertEqual(metrics.get("alerts", severity="warning", state="firing"), 2)
        self.assertEqual(metrics.get("alert_firing", rule="LoopbackOnly", name='my \\"sql\\" \\\\'), 1)
        self.assertEqual(len(metrics.find("expected_listening", name="range")), 10)

    def test_limits_cut_and_are_counted(self):
        sockets = [tcp_listener("127.0.0.1", port) for port in range(6000, 6060)]
        config = CONFIG + "limits: { listeners = 20; series = 50; };"
        with tcp_listener("0.0.0.0", 7009):
            daemon = self.daemon(config)
            metrics = daemon.metrics()
            self.assert_clean(metrics.text)
            self.assertGreater(metrics.get("series_dropped_total", family="sockwatch_listener_info"), 0)
            self.assertEqual(metrics.get("expected_listening", name="range", port=7009), 1)
            self.assertEqual(metrics.get("alert_firing", rule="NotListening", name="range", port=7009), 0)
            self.assertEqual(metrics.get("alert_firing", rule="Blind", protocol="tcp"), 0)  # all was judged
            self.assertEqual(metrics.get("alerts", severity="warning", state="firing"), 60)
            self.assertEqual(sum(metrics.find("listeners", protocol="tcp")), 63)  # two are its own
            self.assertLessEqual(len(metrics.find("listener_info")), 20)
            self.assertGreater(metrics.get("dropped_total", what="listeners"), 0)
            wait_for("the counter goes on", lambda: daemon.metrics().get(
                "series_dropped_total", family="sockwatch_listener_info") >
                metrics.get("series_dropped_total", family="sockwatch_listener_info"))
        for s in sockets:
            s.close()

    def test_monitoring_files(self):
        for arguments in (("check", "rules", "sockwatch.rules.yml"), ("test", "rules", "sockwatch.rules.test.yml"),
                          ("check", "config", "prometheus.yml")):
            result = promtool(*arguments)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class PrometheusTest(TestCase):
    def query(self, expression):
        status, _, body = request("/api/v1/query?" + urllib.parse.urlencode({"query": expression}), port=9090)
        return json.loads(body)["data"]["result"] if status == 200 else []

    def test_a_real_prometheus_scrapes_it(self):
        require("prometheus")
        config = os.path.join(SCRATCH, "prometheus.yml")
        with open(config, "w") as file:
            file.write("global: { scrape_interval: 1s }\nscrape_configs:\n"
                       "  - { job_name: sockwatch, static_configs: [ { targets: [ '127.0.0.1:10066' ] } ] }\n")
        self.daemon('poll: { listeners = "50ms"; };\nexpect = ( { name = "mysql"; port = 3306; } );')
        server = Server(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={SCRATCH}/tsdb",
                         "--web.listen-address=127.0.0.1:9090", "--log.level=warn"], 9090)
        self.addCleanup(server.end, signal.SIGKILL)
        firing = wait_for("Prometheus knows the alert", lambda: self.query(
            'sockwatch_alert_firing{rule="NotListening",name="mysql",port="3306"} == 1'), 30)
        self.assertEqual(firing[0]["metric"]["severity"], "critical")
        self.assertEqual(self.query("up")[0]["value"][1], "1")
        self.assertEqual(self.query('scrape_samples_post_metric_relabeling - scrape_samples_scraped')[0]["value"][1],
                         "0")
