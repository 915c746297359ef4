import type { Action } from '../auth/actions.ts';

/** The action of each RPC, by service and method. A method without an entry is refused to everyone. */
export const RPC_ACTIONS: Readonly<Record<string, Action>> = {
  'passthru.v1.PassthruService/ListNodeMethods': 'list methods',
  'passthru.v1.PassthruService/CallNodeMethod': 'call a method',
  'passthru.v1.PassthruService/ListDriverMethods': 'list methods',
  'passthru.v1.PassthruService/CallDriverMethod': 'call a method',
  'passthru.v1.PassthruService/WatchJob': 'watch a job',

  'passthru.v1.NodeService/CreateNode': 'enrol a node',
  'passthru.v1.NodeService/GetNode': 'show a node',
  'passthru.v1.NodeService/ListNodes': 'list nodes',
  'passthru.v1.NodeService/UpdateNode': 'change a node',
  'passthru.v1.NodeService/DeleteNode': 'remove a node',
  'passthru.v1.NodeService/LockNode': 'lock a node',
  'passthru.v1.NodeService/RenewLock': 'renew a lock',
  'passthru.v1.NodeService/UnlockNode': 'unlock a node',
  'passthru.v1.NodeService/WatchNodes': 'watch nodes',

  'passthru.v1.DriverService/ListDrivers': 'list drivers',
  'passthru.v1.DriverService/GetDriver': 'list drivers',

  'passthru.v1.JobService/GetJob': 'show a job',
  'passthru.v1.JobService/ListJobs': 'list jobs',
  'passthru.v1.JobService/CancelJob': 'cancel a job',
  'passthru.v1.JobService/GetTranscript': 'read a transcript',
  'passthru.v1.JobService/WatchJobs': 'watch jobs',

  'passthru.v1.EventService/ListEvents': 'list events',
  'passthru.v1.EventService/WatchEvents': 'watch events',
  'passthru.v1.EventService/SetEventSource': 'set an event source',
  'passthru.v1.EventService/GetEventSource': 'show an event source',
  'passthru.v1.EventService/ListEventSources': 'list event sources',
  'passthru.v1.EventService/DeleteEventSource': 'delete an event source',
  'passthru.v1.EventService/TestEventSource': 'test an event source',

  'passthru.v1.InfoService/GetCaller': 'show the caller',
  'passthru.v1.InfoService/GetActivity': 'show the activity',

  'grpc.health.v1.Health/Check': 'check the health',
  'grpc.health.v1.Health/List': 'check the health',
  'grpc.health.v1.Health/Watch': 'check the health',

  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'read the descriptions of the services',
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'read the descriptions of the services',
};

/** Returns the action of the method `name`, such as `passthru.v1.NodeService/GetNode`; undefined without an entry. */
export function rpcAction(name: string): Action | undefined {
  return Object.hasOwn(RPC_ACTIONS, name) ? RPC_ACTIONS[name] : undefined;
}
