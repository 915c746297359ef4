import type { Answer } from './bmc.ts';
import type { Strike } from './faults.ts';
import type { Complaint } from './messages.ts';
import { errorBody } from './messages.ts';

/** What a BMC's web server says when the Redfish service behind it is not there. */
const HTML = '<html><head><title>Error</title></head><body><h1>The service is starting</h1></body></html>';

/** The answer that a fault puts in place of the BMC's own; null for the faults that send none. */
export function faultAnswer(fault: NonNullable<Strike['instead']>, path: string): Answer | null {
  switch (fault.kind) {
    case 'garbage': {
      const html = fault.form !== 'broken-json';
      return {
        status: 200,
        headers: { 'Content-Type': html ? 'text/html' : 'application/json' },
        body: html ? HTML : `{"@odata.id": "${path}", "Name": `,
      };
    }
    case 'status': {
      const headers = { 'Content-Type': 'application/json', ...fault.headers };
      // 204 and 304 have no body (RFC 9110, section 6.4.1).
      if (fault.status === 204 || fault.status === 304)
        return { status: fault.status, headers: { ...fault.headers }, body: null };
      return { status: fault.status, headers, body: fault.body ?? redfishError(fault.status, headers) };
    }
    default:
      return null;
  }
}

function redfishError(status: number, headers: Record<string, string>): string {
  const retryAfter = Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
  const complaint: Complaint =
    status === 503
      ? { name: 'ServiceTemporarilyUnavailable', args: [retryAfter ?? '5'] }
      : { name: 'GeneralError', args: [] };
  return errorBody(complaint, [complaint]);
}
