"""Evaluates calls of openstacksdk's baremetal proxy, one after the other, in one connection.

Reads {"url", "user", "password", "calls"} from standard input (user and password null for no authentication), where each
call is a Python expression over `baremetal`; writes a JSON list of {value} or {error}. With `--methods` it writes the
names of all methods of the proxy instead.
"""
import json
import logging
import sys
import types

import openstack
from openstack.baremetal.v1._proxy import Proxy

logging.disable(logging.CRITICAL)


def connect(url, user, password):
    auth = {'auth_type': 'none', 'endpoint': url}
    if user is not None:
        # With http_basic the SDK takes auth.endpoint as it is, without looking for /v1: the override is what it needs.
        login = {'username': user, 'password': password}
        auth = {'auth_type': 'http_basic', 'auth': login, 'baremetal_endpoint_override': url}
    return openstack.connect(load_yaml_config=False, load_envvars=False, **auth).baremetal


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
    asked = json.load(sys.stdin)
    proxy = connect(asked['url'], asked['user'], asked['password'])
    json.dump([evaluate(call, proxy) for call in asked['calls']], sys.stdout, default=str)
