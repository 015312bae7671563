"""make install and uninstall, into a directory."""

import os
import subprocess
import tempfile

from harness import BUILD, ROOT, SCRATCH, TestCase


class InstallTest(TestCase):
    def make(self, target, directory, *variables):
        subprocess.run(["make", "-s", "-C", ROOT, f"O={BUILD}", target, f"DESTDIR={directory}", *variables],
                       check=True, capture_output=True)

    def files(self, directory):
        return {os.path.relpath(os.path.join(parent, name), directory)
                for parent, _, names in os.walk(directory) for name in names}

    def test_install_and_uninstall(self):
        directory = tempfile.mkdtemp(dir=SCRATCH)
        self.make("install", directory, "PREFIX=/usr")
        self.assertEqual(self.files(directory), {
            "usr/bin/sockwatch", "etc/sockwatch/sockwatch.conf", "usr/lib/systemd/system/sockwatch.service",
            "usr/share/man/man8/sockwatch.8", "usr/share/man/man5/sockwatch.conf.5",
            "usr/share/sockwatch/sockwatch.rules.yml", "usr/share/sockwatch/prometheus.yml",
            "usr/share/sockwatch/process-names.conf",
            *(f"usr/share/doc/sockwatch/examples/{name}" for name in os.listdir(f"{ROOT}/docs/examples"))})
        config = os.path.join(directory, "etc/sockwatch/sockwatch.conf")
        drop_ins = os.path.join(directory, "etc/sockwatch/conf.d")
        self.assertEqual(os.stat(drop_ins).st_mode & 0o7777, 0o755)
        subprocess.run([os.path.join(directory, "usr/bin/sockwatch"), "config", "check", config], check=True,
                       capture_output=True)
        drop_in = os.path.join(drop_ins, "mine.conf")
        with open(drop_in, "w") as file:
            file.write("allow = ( { port = 0; } );\n")
        checked = subprocess.run([os.path.join(directory, "usr/bin/sockwatch"), "config", "check", config],
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 1)
        self.assertIn(f"{drop_in}:1: allow[0].port: 0 is out of range", checked.stderr)
        os.unlink(drop_in)
        with open(config, "w") as file:
            file.write("# mine\n")
        self.make("install", directory, "PREFIX=/usr")
        with open(config) as file:
            self.assertEqual(file.read(), "# mine\n")
        self.make("uninstall", directory, "PREFIX=/usr")
        self.assertEqual(self.files(directory), {"etc/sockwatch/sockwatch.conf"})

    def test_unit_names_what_was_installed(self):
        directory = tempfile.mkdtemp(dir=SCRATCH)
        self.make("install", directory, "PREFIX=/opt/sw")
        with open(os.path.join(directory, "opt/sw/lib/systemd/system/sockwatch.service")) as file:
            unit = file.read()
        self.assertIn("ExecStart=/opt/sw/bin/sockwatch daemon --config /etc/sockwatch/sockwatch.conf\n", unit)
        self.assertNotIn("/usr/bin/sockwatch", unit)
