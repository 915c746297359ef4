/**
 * The examples in the help of each command, by its words without `passthru`. Commands with a longer help text have their
 * examples there.
 */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'node list': ['node list --driver redfish --long', 'node list -f value -c UUID -c Name'],
  'node show': ['node show rf-7', 'node show rf-7 -f json -c reservation -c lock -c last_error'],
  'node unset': ['node unset rf-7 --description --extra rack'],
  'node delete': ['node delete rf-7 rf-8'],
  'node maintenance set': ['node maintenance set rf-7 rf-8 --reason "fan replaced on Monday"'],
  'node maintenance unset': ['node maintenance unset rf-7 rf-8'],
  'node validate': ['node validate rf-7'],
  'node lock': ['node lock rf-7 --holder "firmware of rack 7" --lock-wait 2m'],
  'node unlock': ['node unlock rf-7'],
  'node passthru list': ['node passthru list rf-7 --long', 'node passthru list rf-7 -f value -c Name'],
  'driver list': ['driver list'],
  'driver show': ['driver show redfish -f json'],
  'driver property list': ['driver property list redfish'],
  'driver passthru list': ['driver passthru list redfish --long'],
  'job list': ['job list --node rf-7', 'job list --state failed -f json'],
  'job show': ['job show 01a209ee-fdbc-7000-ade8-df848e828774 -f value -c state -c error'],
  'job watch': ['job watch 01a209ee-fdbc-7000-ade8-df848e828774'],
  'job cancel': ['job cancel 01a209ee-fdbc-7000-ade8-df848e828774'],
  'context list': ['context list'],
  'context use': ['context use lab'],
  'context delete': ['context delete lab'],
};
