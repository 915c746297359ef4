import type { ServiceImpl } from '@connectrpc/connect';
import type { InfoService } from '../../gen/passthru/v1/info_pb.ts';
import { activityToMessage } from '../contract/activity.ts';
import type { Enter } from './authorize.ts';

/** Implements InfoService: tells callers who they are, and what the service has been doing. */
export function infoService(enter: Enter): ServiceImpl<typeof InfoService> {
  return {
    getCaller(_, context) {
      const { name, role } = enter(context).caller;
      return { name, role: role ?? '' };
    },
    async getActivity(_, context) {
      const { core } = enter(context);
      return activityToMessage(core.host, await core.activity());
    },
  };
}
