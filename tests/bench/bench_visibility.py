#!/usr/bin/env python3
"""How soon a new listener, and who holds it, is in /metrics beside many sockets.

usage: bench_visibility.py BUILD SOCKETS PROCESSES LISTENERS [INTERVAL_MS]

Runs the daemon, alone and beside SOCKETS connected sockets in PROCESSES
processes, the latter with connections counted once an hour and all the time.
Opens LISTENERS listeners in a row, each at a random moment, and scrapes until
each is there with its process. Prints the times, as ratios to the interval of
polls, and how long scrapes took. Run it in namespaces of its own
(tests/bench/run does).
"""

import http.client
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

PORT = 10066
FIRST_PORT = 65001  # beyond those that connections use
OWNER_SECONDS = 120


class Daemon:
    def __init__(self, build, interval_ms, connections):
        self.config = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.config.write(f'poll: {{ listeners = "{interval_ms}ms"; connections = "{connections}"; }};\n')
        self.config.flush()
        self.process = subprocess.Popen(
            [build + "/sockwatch", "daemon", "--config", self.config.name, "--listen", f"127.0.0.1:{PORT}"],
            stderr=subprocess.DEVNULL)
        self.client = None
        while b"ready" != self.get("/-/ready")[:5]:
            time.sleep(0.01)

    def get(self, path):
        try:
            if not self.client:
                self.client = http.client.HTTPConnection("127.0.0.1", PORT)
            self.client.request("GET", path)
            return self.client.getresponse().read()
        except OSError:
            self.client = None
            return b""

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def watch(daemon, pending, visible, owned, scrapes):
    """Scrapes once, and notes what has come."""
    began = time.monotonic()
    text = daemon.get("/metrics").decode()
    now = time.monotonic()
    scrapes.append(now - began)
    for port in list(pending):
        line = re.search(rf'^sockwatch_listener_info{{[^\n]*port="{port}"[^\n]*', text, re.M)
        if line and port not in visible:
            visible[port] = now - pending[port]
        if line and 'process="' in line.group():
            owned[port] = now - pending.pop(port)


def measure(build, listeners, interval_ms, connections):
    daemon = Daemon(build, interval_ms, connections)
    pending, visible, owned, scrapes, held = {}, {}, {}, [], []
    random.seed(1)
    time.sleep(3)  # the first polls are not measured
    busy, since = daemon.cpu_seconds(), time.monotonic()
    for i in range(listeners):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", FIRST_PORT + i))
        listener.listen()
        held.append(listener)
        pending[FIRST_PORT + i] = time.monotonic()
        while FIRST_PORT + i not in visible:
            watch(daemon, pending, visible, owned, scrapes)
            time.sleep(0.004)
        until = time.monotonic() + random.uniform(0, interval_ms / 1000)
        while time.monotonic() < until:
            watch(daemon, pending, visible, owned, scrapes)
            time.sleep(0.004)
    last = time.monotonic() + OWNER_SECONDS
    while pending and time.monotonic() < last:
        watch(daemon, pending, visible, owned, scrapes)
        time.sleep(0.05)
    share = (daemon.cpu_seconds() - busy) / (time.monotonic() - since)
    daemon.stop()
    for listener in held:
        listener.close()
    times = list(visible.values())
    unseen = f", {len(pending)} not within {OWNER_SECONDS} s" if pending else ""
    print(f"  visible: median {quantile(times, .5) * 1e3:.0f} ms, 99 % within {quantile(times, .99) * 1e3:.0f} ms, "
          f"that is {quantile(times, .99) * 1e3 / interval_ms:.2f} intervals")
    print(f"  owner seen: median {quantile(owned.values(), .5):.2f} s, the last within "
          f"{max(owned.values()):.2f} s{unseen}" if owned else f"  owner seen: never{unseen}")
    print(f"  scrape: median {quantile(scrapes, .5) * 1e3:.2f} ms, 99 % within {quantile(scrapes, .99) * 1e3:.2f} ms")
    print(f"  processor: {share * 100:.1f} %, scrapes included", flush=True)


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit("usage: bench_visibility.py BUILD SOCKETS PROCESSES LISTENERS [INTERVAL_MS]")
    build, (sockets, processes, listeners) = sys.argv[1], map(int, sys.argv[2:5])
    interval_ms = int(sys.argv[5]) if len(sys.argv) > 5 else 1000
    print(f"polls every {interval_ms} ms, {listeners} listeners, no other sockets:", flush=True)
    measure(build, listeners, interval_ms, "1h")
    holder = subprocess.Popen([build + "/tests/bench/hold_sockets", str(sockets), str(processes)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if holder.stdout.readline() != b"ready\n":
        sys.exit("hold_sockets could not make the sockets")
    print(f"beside {sockets} sockets in {processes} processes, connections counted once:")
    measure(build, listeners, interval_ms, "1h")
    print("and connections counted all the time:")
    measure(build, listeners, interval_ms, "100ms")
    holder.stdin.close()
    holder.wait()


main()
