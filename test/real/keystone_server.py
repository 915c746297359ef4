"""Serves Keystone's public application on a free port of loopback: keystone_server.py CONFIG_FILE"""

import os
import sys

from werkzeug.serving import make_server

os.environ['OS_KEYSTONE_CONFIG_FILES'] = sys.argv.pop(1)

from keystone.server import wsgi  # noqa: E402  it reads the environment and the arguments

server = make_server('127.0.0.1', 0, wsgi.initialize_public_application(), threaded=True)
print(f'listening on http://127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
