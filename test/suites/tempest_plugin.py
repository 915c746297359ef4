"""A plugin for pytest: what ironic-tempest-plugin's tests need beside them.

- Chassis: the tests put each node into one, which the service cannot create; `chassis_uuid` is a label.
- One token for each user: Keystone takes longer to create two for each class than all tests take.
"""

import uuid

from ironic_tempest_plugin.tests.api import base
from tempest.lib import auth

create_token = auth.KeystoneAuthProvider._get_auth
tokens = {}


def get_token(provider):
    user = (provider.credentials.username, provider.scope)
    if user not in tokens:
        tokens[user] = create_token(provider)
    return tokens[user]


def create_chassis(cls, **fields):
    return None, {"uuid": str(uuid.uuid4()), **fields}


auth.KeystoneAuthProvider._get_auth = get_token
base.BaseBaremetalTest.create_chassis = classmethod(create_chassis)
