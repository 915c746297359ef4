"""Drives a simulated BMC with sushy, the reference client of Redfish.

    python sushy_profiles.py URL USER PASSWORD

Logs in, lists systems, creates, lists and deletes a subscription, inserts and ejects all virtual media. Prints a JSON
object with the result of each step. Exits with status 1 at the first step that fails, and names it.
"""

import json
import sys
import time

import sushy
from sushy import auth
from sushy import exceptions

DESTINATION = 'https://events.example/sushy'
IMAGE = 'http://images.example/sushy.iso'


def create(subscriptions):
    """Creates a subscription, without EventTypes if the BMC refuses them. Returns it and the property left out."""
    payload = {'Destination': DESTINATION, 'Protocol': 'Redfish', 'Context': 'sushy', 'EventTypes': ['Alert']}
    try:
        return subscriptions.create(payload), None
    except exceptions.BadRequestError:
        del payload['EventTypes']
        return subscriptions.create(payload), 'EventTypes'


def subscribe(service):
    created, left_out = create(service.subscriptions)
    service.subscriptions.refresh(force=True)
    found = [one for one in service.subscriptions.get_members() if one.destination == DESTINATION]
    assert len(found) == 1, found
    assert created.identity == found[0].identity, (created.identity, found[0].identity)
    assert found[0].context == 'sushy', found[0].context
    found[0].delete()
    service.subscriptions.refresh(force=True)
    assert not [one for one in service.subscriptions.get_members() if one.destination == DESTINATION]
    return {'id': created.identity, 'left out': left_out}


def change_media(device):
    if device.inserted:
        eject(device)
    device.insert_media(IMAGE)
    device.refresh(force=True)
    assert device.inserted, device.json
    assert device.image == IMAGE, device.image
    eject(device)
    return [one.value for one in device.media_types]


def eject(device):
    device.eject_media()
    for _ in range(10):
        device.refresh(force=True)
        if not device.inserted:
            return
        # iDRAC reports the change late.
        time.sleep(0.05)
    raise AssertionError(f'{device.path} is still inserted')


def media_of(system):
    """Yields the collections of virtual media of the system and of its managers."""
    for owner in [system, *system.managers]:
        try:
            yield owner.virtual_media
        except exceptions.MissingAttributeError:
            pass


def main(url, user, password):
    done = {}
    root = sushy.Sushy(url, auth=auth.SessionAuth(user, password), verify=False)
    step = 'log in'
    try:
        assert root._conn._auth.get_session_key(), 'no session'
        done['log in'] = root.redfish_version
        step = 'list systems'
        systems = root.get_system_collection().get_members()
        done[step] = [system.identity for system in systems]
        assert systems
        step = 'subscribe'
        done[step] = subscribe(root.get_event_service())
        step = 'virtual media'
        collections = list(media_of(systems[0]))
        done[step] = {
            device.path: change_media(device) for collection in collections for device in collection.get_members()
        }
        assert done[step]
        step = 'log out'
        root._conn._auth.close()
        done[step] = True
    except Exception as error:
        print(json.dumps({'failed': step, 'error': f'{type(error).__name__}: {error}', 'done': done}))
        raise
    print(json.dumps(done))


if __name__ == '__main__':
    main(*sys.argv[1:4])
