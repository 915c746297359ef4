import type { Json, JsonObject } from '../../core/json.ts';
import type { RedfishDocument } from '../documents.ts';

/** A document with its path. */
export type Part = [path: string, document: RedfishDocument];

export const ENABLED: JsonObject = { State: 'Enabled', Health: 'OK' };

/** Returns a document at `path`; `type` is without the `#`. */
export function document(path: string, type: string, properties: JsonObject): Part {
  return [path, { '@odata.id': path, '@odata.type': `#${type}`, ...properties }];
}

/** Returns a collection with exactly the keys of a recorded response, which a test compares with it. */
export function collection(path: string, kind: string, name: string, ids: string[]): Part {
  return document(path, `${kind}Collection.${kind}Collection`, {
    Name: name,
    Members: ids.map((id) => link(`${path}/${id}`)),
    'Members@odata.count': ids.length,
  });
}

export function link(path: string): Json {
  return { '@odata.id': path };
}

/** Returns the services that every profile has: sessions, accounts and tasks. */
export function services(): Part[] {
  return [
    document('/redfish/v1/SessionService', 'SessionService.v1_1_8.SessionService', {
      Id: 'SessionService',
      Name: 'Session Service',
      Status: ENABLED,
      ServiceEnabled: true,
      Sessions: link('/redfish/v1/SessionService/Sessions'),
    }),
    collection('/redfish/v1/SessionService/Sessions', 'Session', 'Session Collection', []),
    document('/redfish/v1/AccountService', 'AccountService.v1_12_0.AccountService', {
      Id: 'AccountService',
      Name: 'Account Service',
      Status: ENABLED,
      ServiceEnabled: true,
      Roles: link('/redfish/v1/AccountService/Roles'),
    }),
    collection('/redfish/v1/AccountService/Roles', 'Role', 'Role Collection', Object.keys(ROLES)),
    ...Object.entries(ROLES).map(([id, privileges]) =>
      document(`/redfish/v1/AccountService/Roles/${id}`, 'Role.v1_3_1.Role', {
        Id: id,
        Name: `${id} Role`,
        RoleId: id,
        IsPredefined: true,
        AssignedPrivileges: privileges,
      }),
    ),
    document('/redfish/v1/TaskService', 'TaskService.v1_2_0.TaskService', {
      Id: 'TaskService',
      Name: 'Tasks Service',
      Status: ENABLED,
      ServiceEnabled: true,
      Tasks: link('/redfish/v1/TaskService/Tasks'),
    }),
    collection('/redfish/v1/TaskService/Tasks', 'Task', 'Task Collection', []),
  ];
}

/** The roles that every BMC has (DSP0266, "Roles") and their privileges. */
const ROLES: Record<string, string[]> = {
  Administrator: ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'],
  Operator: ['Login', 'ConfigureSelf', 'ConfigureComponents'],
  ReadOnly: ['Login', 'ConfigureSelf'],
};
