"""What somebody beside the daemon sees of it: a process of its own, so that
what the tests do meanwhile is not measured.

usage: watch.py PID PORT LOG NAME

Asks for /metrics some thirty times a second on a connection that stays, for
/-/ready on one that does not, and now and then for the page and the listeners as
JSON. Each answer is a line of JSON on standard output; those of /metrics tell
what else there is to see, too: whether NAME listens, how many polls there were and how
long the last one looked at sockets, how much memory the daemon has and how long
its log is. Ends when its standard input does.
"""

import http.client
import json
import os
import re
import select
import sys
import time

PAUSE_SECONDS = 0.03
SELDOM = 30  # each of the other bodies once in so many rounds
TIMEOUT_SECONDS = 30


class Watch:
    def __init__(self, pid, port, log, name):
        self.pid, self.port, self.log = int(pid), int(port), log
        self.up = re.compile(rb'^sockwatch_expected_listening\{name="%s"[^}]*\} (\d)' % name.encode(), re.M)
        self.polls = re.compile(rb'^sockwatch_polls_total\{poll="listeners"[^\n]*\} (\d+)', re.M)
        self.looks = re.compile(
            rb'^sockwatch_collector_duration_seconds\{collector="(?:tcp|udp|udplite|sctp|raw)"\} ([\d.e+-]+)', re.M)
        self.kept = self.connection()

    def try_once(self, path, connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()

    def ask(self, path, connection):
        """Status, body and how long both took; no answer has status 0. A kept
        connection that the server has closed is opened again, as HTTP clients do."""
        began, was_open = time.monotonic(), connection.sock is not None
        try:
            try:
                status, body = self.try_once(path, connection)
            except ConnectionError:  # http.client's RemoteDisconnected is one
                connection.close()
                if not was_open:
                    raise
                status, body = self.try_once(path, connection)
        except (OSError, http.client.HTTPException):
            connection.close()
            status, body = 0, b""
        return status, body, time.monotonic() - began

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)

    def rss_bytes(self):
        try:
            with open(f"/proc/{self.pid}/statm") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, IndexError):
            return 0  # it has ended, which others notice

    def tell(self, path, answer, **more):
        status, body, seconds = answer
        row = {"at": time.monotonic(), "path": path, "status": status, "bytes": len(body), "seconds": seconds, **more}
        print(json.dumps(row), flush=True)

    def numbers(self, pattern, body):
        """The sum over all series, or None where there is none."""
        found = pattern.findall(body)
        return sum(map(int, found)) if found else None

    def scrape(self):
        answer = self.ask("/metrics", self.kept)
        look = sum(map(float, self.looks.findall(answer[1])))
        self.tell("/metrics", answer, up=self.numbers(self.up, answer[1]), polls=self.numbers(self.polls, answer[1]),
                  look=look, rss=self.rss_bytes(), log=os.stat(self.log).st_size)

    def look(self, path):
        connection = self.connection()
        self.tell(path, self.ask(path, connection))
        connection.close()

    def run(self):
        turn = 0
        while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            self.scrape()
            self.look("/-/ready")
            if turn % SELDOM == 0:
                self.look("/")
            if turn % SELDOM == SELDOM // 2:
                self.look("/api/v1/listeners")
            turn += 1


if __name__ == "__main__":
    Watch(*sys.argv[1:]).run()
