import { FREE_NAMES_MINOR } from '../apiTable.ts';

/** The name of a host, the only names before version 1.10. */
const HOST_NAME = /^(?=.{1,255}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** Whether a node's name can be given and found at a version. */
export function isNameAt(minor: number, name: string): boolean {
  return minor >= FREE_NAMES_MINOR || HOST_NAME.test(name);
}
