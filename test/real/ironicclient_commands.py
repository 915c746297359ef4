"""Runs command lines of Ironic's client like its `baremetal` program, each in its own process.

Reads a JSON list of argument lists from standard input; writes a JSON list of {status, stdout, stderr}. Loads the client
once and forks, which takes a tenth of the time of separate starts. With `--commands`, writes the names of all commands
instead.
"""
import importlib.metadata
import json
import os
import sys
import tempfile

from ironicclient import shell


def run(arguments):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = ['baremetal', *arguments]
            status = 1
            try:
                status = shell.main(arguments)
            except SystemExit as end:
                status = end.code
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status or 0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
        return {'status': status, 'stdout': texts[0], 'stderr': texts[1]}


if sys.argv[1:] == ['--commands']:
    names = [point.name for point in importlib.metadata.entry_points(group='openstack.baremetal.v1')]
    json.dump([name.removeprefix('baremetal_').replace('_', ' ') for name in names], sys.stdout)
else:
    json.dump([run(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
