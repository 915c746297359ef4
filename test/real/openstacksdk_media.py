"""Empties the virtual media of each node with openstacksdk, attaches an image, and detaches it again.

Reads {"cloud", "nodes", "image"} from standard input, where the cloud is one of the clouds.yaml that OS_CLIENT_CONFIG_FILE
names; writes a JSON object with the devices of each node that contained something, after the image was attached and after it
was detached.
"""
import json
import sys
import time

import openstack

WAIT = 30


def read(baremetal, node, wanted):
    """Returns what is inserted, at the latest after some time, once `wanted` says that it is as it should be."""
    end = time.monotonic() + WAIT
    while True:
        # openstacksdk has no method for it.
        response = baremetal.get(f'/nodes/{node}/vmedia', microversion='1.93')
        response.raise_for_status()
        inserted = [device for device in response.json() if device['inserted']]
        if wanted(inserted) or time.monotonic() > end:
            return inserted
        time.sleep(0.05)


request = json.load(sys.stdin)
proxy = openstack.connect(cloud=request['cloud']).baremetal
report = {}
for name in request['nodes']:
    proxy.detach_vmedia_from_node(name)
    read(proxy, name, lambda devices: not devices)
    proxy.attach_vmedia_to_node(name, 'cdrom', request['image'])
    attached = read(proxy, name, lambda devices: any(device['image'] == request['image'] for device in devices))
    proxy.detach_vmedia_from_node(name, ['cdrom'])
    report[name] = {'attached': attached, 'detached': read(proxy, name, lambda devices: not devices)}
json.dump(report, sys.stdout)
