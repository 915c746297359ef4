"""Evaluates calls of openstacksdk's baremetal proxy in sequence, on one connection.

Reads {"cloud", "calls"} from standard input, where the cloud is one of the clouds.yaml that OS_CLIENT_CONFIG_FILE names and
each call is a Python expression over `baremetal`; writes a JSON list of {value} or {error}. With `--methods` it writes the
names of all methods of the proxy instead.
"""
import json
import logging
import sys
import types

import openstack
from openstack.baremetal.v1._proxy import Proxy

logging.disable(logging.CRITICAL)


def plain(value):
    if isinstance(value, types.GeneratorType):
        return [plain(item) for item in value]
    if hasattr(value, 'to_dict'):
        return value.to_dict(original_names=True, computed=False)
    if hasattr(value, 'status_code'):
        return {'status': value.status_code, 'json': value.json() if value.content else None}
    return value


def evaluate(call, baremetal):
    try:
        return {'value': plain(eval(call, {'baremetal': baremetal}))}
    except Exception as error:
        return {'error': f'{type(error).__name__}: {error}'}


if sys.argv[1:] == ['--methods']:
    json.dump([name for name, value in vars(Proxy).items() if callable(value) and not name.startswith('_')], sys.stdout)
else:
    request = json.load(sys.stdin)
    proxy = openstack.connect(cloud=request['cloud']).baremetal
    json.dump([evaluate(call, proxy) for call in request['calls']], sys.stdout, default=str)
