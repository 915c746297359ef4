export { errorDetail } from './errorDetail.ts';
export * from './gen/passthru/v1/driver_pb.ts';
export * from './gen/passthru/v1/error_pb.ts';
export * from './gen/passthru/v1/job_pb.ts';
export * from './gen/passthru/v1/node_pb.ts';
export * from './gen/passthru/v1/passthru_pb.ts';
export * from './gen/passthru/v1/watch_pb.ts';
