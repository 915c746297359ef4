"""Runs `openstack` commands, each in a process that forks from this one, which has imported the client.

Reads a line of JSON for each command: [ARGUMENTS, FILE OF OUTPUT, FILE OF ERRORS]. Prints the exit status.
"""

import gc
import json
import os
import sys
from importlib.metadata import entry_points

sys.argv = ["openstack"]  # cliff reads its name when it is imported.

from ironicclient.osc.v1.baremetal_node import ListBaremetalNode  # noqa: E402
from openstackclient import shell  # noqa: E402


def run(arguments, files):
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY), number)
    sys.argv = arguments
    try:
        status = shell.main()
    except SystemExit as error:
        status = error.code
    sys.stdout.flush()
    # Without the clean-up of a thousand modules, which takes longer than most commands.
    os._exit(status)


for group in entry_points().groups:
    if group.startswith("openstack."):
        for entry in entry_points(group=group):
            entry.load()
# The first parser looks through the metadata of all installed packages.
ListBaremetalNode(None, None).get_parser("openstack baremetal node list")
# A collection would copy all memory that a command shares with this process.
gc.freeze()

for line in sys.stdin:
    arguments, *files = json.loads(line)
    process = os.fork()
    if process == 0:
        run(arguments, files)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
