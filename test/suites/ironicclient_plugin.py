"""A plugin for pytest: what ironicclient's functional tests need beside them.

- A token's scope: the tests ask `auth_ref` for a project, and without authentication there is neither.
- Commands that start quickly: Python takes two seconds to import the client, and the tests run hundreds of commands. Each
  is run by openstack_commands.py, in a process of its own that has the imports already.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from types import SimpleNamespace

from ironicclient.tests.functional import base
from tempest.lib.cli import base as cli

PROGRAM = pathlib.Path(__file__).with_name("openstack_commands.py")


class Command:
    """What tempest uses of subprocess.Popen."""

    server = None

    def __init__(self, arguments, stdout, stderr):
        assert (stdout, stderr) == (subprocess.PIPE, subprocess.PIPE)
        self.arguments = arguments

    def communicate(self):
        with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
            print(json.dumps([self.arguments, output.name, errors.name]), file=self.server.stdin, flush=True)
            self.returncode = int(self.server.stdout.readline())
            return output.read(), errors.read()


def pytest_sessionstart():
    base.FunctionalTestBase.auth_ref = SimpleNamespace(project_scoped=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    Command.server = subprocess.Popen([sys.executable, str(PROGRAM)], **pipes)
    cli.subprocess = SimpleNamespace(PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT, Popen=Command)


def pytest_sessionfinish():
    Command.server.stdin.close()
    Command.server.wait()
