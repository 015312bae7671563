"""What holds whatever an unprivileged user does, and how it is measured: a
daemon with the default limits, somebody who watches it, a flood, and a service
that dies in the middle of it."""

import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from harness import BUILD, SCRATCH, SOCKWATCH, Server, TestCase, has_one_user, require, tcp_listener, wait_for

MEGABYTE, MIB = 1e6, 2 ** 20

# What issue and manual promise.
RSS_MAX = 96 * MIB
METRICS_MAX = PAGE_MAX = 6 * MEGABYTE
LOG_MAX_A_MINUTE = 1 * MEGABYTE
DEATH_MAX_INTERVALS = 2
SCRAPE_P99_MAX_SECONDS = 0.1
RETURN_MAX = 8 * MIB
RETURN_SECONDS = 60

INTERVAL_SECONDS = 1  # of polls, the default one
PATIENCE_SECONDS = 60  # for what should be there much sooner, so that its figure is told
REDIS_PORT, FLOODED_PORT = 6379, 8080

# What no flood here gives reason for: every class can be read, and redis holds its port until it is dead.
FALSE_ALERT = re.compile(r"alert (?:(?:Blind|WrongOwner|WrongAddress) firing|NotListening firing, \w+: flooded).*")

FULL = os.environ.get("SOCKWATCH_BOUNDS") == "full"
FLOOD = os.path.join(BUILD, "tests/integration/flood")
FLOOD_UID = "4242"


def is_sanitized():
    """A sanitized build has shadow memory and takes its time: it is asked only
    for what is right, beside smaller floods."""
    with open(SOCKWATCH, "rb") as file:
        return b"__asan_init" in file.read()


SANITIZED = is_sanitized()
if SANITIZED:
    RETURN_SECONDS = 0  # it is not asserted


def scaled(number):
    """As many as the build bears."""
    return number // 20 if SANITIZED else number


def descriptors(wanted):
    """So many, or as many as one process may have."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)


def as_anybody():
    """Runs a program as a user who may nothing; where there is only one user,
    that is who runs the tests."""
    return [] if has_one_user() else ["setpriv", "--reuid", FLOOD_UID, "--regid", FLOOD_UID, "--clear-groups"]


def readable_flood():
    """The program where everybody may run it."""
    path = os.path.join(SCRATCH, "flood")
    if not os.path.exists(path):
        shutil.copy(FLOOD, path)
        os.chmod(path, 0o755)
    return path


class Flood:
    """All of it is there when constructed."""

    JOIN = 'echo 0 > "$0/cgroup.procs" && exec "$@"'

    def __init__(self, *arguments, cgroup=None):
        command = [*as_anybody(), readable_flood(), *map(str, arguments)]
        if cgroup:
            command = ["sh", "-c", self.JOIN, cgroup, *command]
        self.errors = tempfile.TemporaryFile("w+", dir=SCRATCH)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.await_word(b"ready\n")

    def note(self):
        """What it could not do."""
        self.errors.seek(0)
        return self.errors.read().strip()

    def await_word(self, word):
        if self.process.stdout.readline() != word:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no flood: {self.note()}")

    def await_rounds(self):
        self.await_word(b"done\n")

    def end(self):
        """Nothing of it is left afterwards."""
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Watch:
    """Who watches a daemon, and what was seen so far."""

    def __init__(self, daemon, name):
        self.path = tempfile.mktemp(suffix=".json", dir=SCRATCH)
        with open(self.path, "w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "watch.py", str(daemon.process.pid), str(daemon.port), daemon.log_path, name],
                stdin=subprocess.PIPE, stdout=output)
        self.known, self.read = [], 0

    def rows(self, path=None, since=0.0):
        with open(self.path) as file:
            file.seek(self.read)
            for line in file:
                if not line.endswith("\n"):
                    break  # still being written
                self.read += len(line)
                self.known.append(json.loads(line))
        return [row for row in self.known if row["at"] >= since and path in (None, row["path"])]

    def scrapes(self, since=0.0):
        return [row for row in self.rows("/metrics", since) if row["status"] == 200]

    def polls(self):
        """Of which somebody knows."""
        scrapes = self.scrapes()
        return (scrapes[-1]["polls"] or 0) if scrapes else 0

    def await_polls(self, count):
        """Until so many are over and seen."""
        wanted = self.polls() + count
        wait_for(f"{count} more polls", lambda: self.polls() >= wanted, PATIENCE_SECONDS)

    def end(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait()


class Renaming:
    """An interface that has another name several times a poll; a listener is
    bound to it."""

    def __init__(self, pause_seconds):
        self.pause_seconds, self.renames, self.error = pause_seconds, 0, None
        self.ip("link", "add", "flood0", "type", "veth", "peer", "name", "flood-peer")
        self.ip("link", "set", "flood0", "up")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.rename)
        self.thread.start()

    def ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True)

    def name(self):
        return f"flood{self.renames}"

    def note(self):
        return ""

    def rename(self):
        while not self.over.wait(self.pause_seconds):
            try:
                self.ip("link", "set", self.name(), "down")
                self.ip("link", "set", self.name(), "name", f"flood{self.renames + 1}")
                self.renames += 1
                self.ip("link", "set", self.name(), "up")
            except subprocess.CalledProcessError as error:
                self.error = error
                return

    def end(self):
        if self.over.is_set():
            return
        self.over.set()
        self.thread.join()
        self.ip("link", "del", self.name())
        if self.error:
            raise self.error


def quantile(values, share):
    """What this share of them does not exceed; of nothing, 0."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else 0.0


def hwm_bytes(pid):
    """The most memory that was resident since it was last forgotten."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def forget_hwm(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Figures:
    """What a daemon was like from now on; in seconds and bytes."""

    def __init__(self, daemon, watch):
        self.daemon, self.watch, self.since = daemon, watch, time.monotonic()
        self.pid = daemon.process.pid
        self.before = rss_bytes(self.pid)
        self.log_before = os.stat(daemon.log_path).st_size
        self.until = math.inf  # of the flood
        self.death_intervals = self.returned_seconds = self.after = None
        forget_hwm(self.pid)

    def await_death(self, killed_at):
        """When a scrape says that the service is gone, in intervals; None: not within our patience."""
        def seen():
            return next((row["at"] for row in self.watch.scrapes(killed_at) if row["up"] == 0), None)
        try:
            self.death_intervals = (wait_for("the death", seen, PATIENCE_SECONDS) - killed_at) / INTERVAL_SECONDS
        except AssertionError:
            self.death_intervals = math.inf

    def await_return(self):
        """Until the memory is nearly what it was before; the flood is over."""
        began = self.until = time.monotonic()
        try:
            wait_for("memory returns", lambda: rss_bytes(self.pid) <= self.before + RETURN_MAX, RETURN_SECONDS)
        except AssertionError:
            pass
        self.returned_seconds = time.monotonic() - began
        self.after = rss_bytes(self.pid)

    def take(self):
        """All others, once nothing happens any more."""
        metrics, page = self.watch.rows("/metrics", self.since), self.watch.rows("/", self.since)
        self.rss = hwm_bytes(self.pid)
        self.metrics, self.page = (max((row["bytes"] for row in rows), default=0) for rows in (metrics, page))
        self.longest_look = max((row["look"] for row in metrics), default=0)
        self.scrapes, self.pages = ([row["seconds"] for row in rows if row["at"] <= self.until]
                                    for rows in (metrics, page))
        self.not_ready = [self.moment(row) for row in self.watch.rows("/-/ready", self.since) if row["status"] != 200]
        self.failed = [self.moment(row) for row in metrics + page if row["status"] != 200]
        self.log_a_minute = self.most_log_a_minute(metrics)
        self.false = FALSE_ALERT.findall(self.daemon.log())

    def moment(self, row):
        return f"{row['status']} at {row['at'] - self.since:.1f} s after {row['seconds']:.1f} s"

    def most_log_a_minute(self, rows):
        """What any minute saw written, or all of it if it was shorter."""
        sizes = [(self.since, self.log_before)] + [(row["at"], row["log"]) for row in rows]
        first, most = 0, 0
        for at, size in sizes:
            while at - sizes[first][0] > 60:
                first += 1
            most = max(most, size - sizes[first][1])
        return most

    def broken(self):
        """The promises that were not kept, as text."""
        promises = [
            (self.rss < RSS_MAX, "resident memory"), (self.metrics < METRICS_MAX, "size of /metrics"),
            (self.page < PAGE_MAX, "size of the page"), (self.log_a_minute < LOG_MAX_A_MINUTE, "log"),
            (quantile(self.scrapes, 0.99) < SCRAPE_P99_MAX_SECONDS, "scrapes"),
            (self.death_intervals is None or self.death_intervals <= DEATH_MAX_INTERVALS, "death of the service"),
            (self.after is None or self.after <= self.before + RETURN_MAX, "memory afterwards")]
        return [what for kept, what in promises if not kept]

    def wrong(self):
        """Likewise those that hold for a build of any speed."""
        return [what for kept, what in [
            (not self.not_ready, f"/-/ready said {self.not_ready[:9]}"),
            (not self.failed, f"bodies failed: {self.failed[:9]}"),
            (not self.false, f"false alerts: {self.false[:3]}"),
            (self.death_intervals != math.inf, "death of the service was never seen")] if not kept]

    def text(self):
        parts = [f"rss {self.rss / MIB:.0f} MiB", f"metrics {self.metrics / MEGABYTE:.1f} MB",
                 f"page {self.page / MEGABYTE:.1f} MB", f"log {self.log_a_minute / 1e3:.0f} kB",
                 f"scrape p99 {quantile(self.scrapes, 0.99) * 1e3:.0f} ms of {len(self.scrapes)}",
                 f"page p99 {quantile(self.pages, 0.99) * 1e3:.0f} ms",
                 f"longest look {self.longest_look * 1e3:.0f} ms"]
        if self.death_intervals is not None:
            parts.append(f"death seen after {self.death_intervals:.1f} intervals")
        if self.after is not None:
            parts.append(f"rss afterwards {(self.after - self.before) / MIB:+.1f} MiB in {self.returned_seconds:.0f} s")
        if self.false:
            parts.append(f"{len(self.false)} false alerts")
        if self.not_ready or self.failed:
            parts.append(f"not ready {len(self.not_ready)}, failed {len(self.failed)} times")
        return ", ".join(parts)


class BoundsCase(TestCase):
    """Scenarios are told apart by their names, which docs/limits.md has, too."""

    def service(self):
        """The service whose death must be seen."""
        require("redis-server")
        server = Server(["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "",
                         "--appendonly", "no", "--dir", SCRATCH], REDIS_PORT)
        self.addCleanup(server.end, signal.SIGKILL)
        return server

    def hold_flooded_port(self):
        """An expected port that others may listen on, too; never without a listener."""
        listener = tcp_listener("127.0.0.1", FLOODED_PORT)
        self.addCleanup(listener.close)

    def watched(self, config, **keywords):
        """A daemon, and who watches it."""
        daemon = self.daemon(config, **keywords)
        return daemon, self.watch(daemon)

    def watch(self, daemon):
        watch = Watch(daemon, "redis")
        self.addCleanup(watch.end)
        watch.await_polls(2)
        return watch

    def flood(self, *arguments, **keywords):
        flood = Flood(*arguments, **keywords)
        self.addCleanup(flood.end)
        return flood

    def kill(self, server, figures):
        at = time.monotonic()
        server.end(signal.SIGKILL)
        figures.await_death(at)

    def judge(self, name, figures, more=""):
        """Tells the figures, and holds them against the promises."""
        figures.take()
        if SANITIZED:
            print(f"\nbounds: {name}: sanitized build, a twentieth of the flood; memory, sizes and times are not "
                  f"asserted ({figures.text()}{more})", flush=True)
        else:
            print(f"\nbounds: {name}: {figures.text()}{more}", flush=True)
        broken = figures.wrong() + ([] if SANITIZED else figures.broken())
        if broken:
            self.fail(f"broken: {'; '.join(broken)}\n{figures.text()}")

    def endure(self, name, config, begin, finish=None, polls=3):
        """A flood, from its beginning until its memory is back.

        begin    makes the floods, which have end()
        finish   awaits their last round; instead of so many polls
        """
        service = self.service()
        self.hold_flooded_port()
        daemon, watch = self.watched(config)
        figures = Figures(daemon, watch)
        floods = begin()
        notes = [flood.note() for flood in floods]
        watch.await_polls(2)
        self.kill(service, figures)
        if finish:
            finish(floods)
        else:
            watch.await_polls(polls)
        during = daemon.metrics() if not SANITIZED else None
        for flood in floods:
            flood.end()
        figures.await_return()
        self.judge(name, figures, "".join(f", {note}" for note in notes if note))
        return daemon, during
