import type { Json, JsonObject } from '../core/json.ts';
import type { Answer } from './bmc.ts';

/** One message of Redfish's Base registry (DSP8011), and the status that goes with it. */
interface MessageTemplate {
  status: number;
  /** `%1`, `%2` … are the arguments. */
  text: string;
  severity: 'Warning' | 'Critical';
  resolution: string;
}

const REGISTRY = 'Base.1.18';

const MESSAGES = {
  AccessDenied: {
    status: 401,
    text: 'While attempting to establish a connection to %1, the service denied access.',
    severity: 'Critical',
    resolution: 'Use the credentials of an account of this BMC.',
  },
  ActionNotSupported: {
    status: 400,
    text: 'The action %1 is not supported by the resource.',
    severity: 'Critical',
    resolution: 'Choose an action that is simulated.',
  },
  ActionParameterMissing: {
    status: 400,
    text: 'The action %1 requires the parameter %2 to be present in the request body.',
    severity: 'Critical',
    resolution: 'Supply the action with the required parameter.',
  },
  ActionParameterUnknown: {
    status: 400,
    text: 'The action %1 was submitted with the invalid parameter %2.',
    severity: 'Warning',
    resolution: 'Leave the parameter out.',
  },
  ActionParameterValueNotInList: {
    status: 400,
    text: 'The value %1 for the parameter %2 in the action %3 is not in the list of acceptable values.',
    severity: 'Warning',
    resolution: 'Choose one of the allowable values.',
  },
  ActionParameterValueTypeError: {
    status: 400,
    text: 'The value %1 for the parameter %2 in the action %3 is not a type that the parameter can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the parameter.',
  },
  EmptyJSON: {
    status: 400,
    text: 'The request body submitted contained an empty JSON object and the service is unable to process it.',
    severity: 'Warning',
    resolution: 'Add properties to the JSON object.',
  },
  GeneralError: {
    status: 500,
    text: 'A general error has occurred. See Resolution for information on how to resolve the error, or @Message.ExtendedInfo if Resolution is not provided.',
    severity: 'Critical',
    resolution: 'See the other messages.',
  },
  HeaderInvalid: {
    status: 412,
    text: 'Header %1 is invalid.',
    severity: 'Critical',
    resolution: 'Correct the header, or leave it out.',
  },
  InternalError: {
    status: 500,
    text: 'The request failed due to an internal service error. The service is still operational.',
    severity: 'Critical',
    resolution: 'Resubmit the request.',
  },
  MalformedJSON: {
    status: 400,
    text: 'The request body submitted was malformed JSON and could not be parsed by the receiving service.',
    severity: 'Critical',
    resolution: 'Ensure that the request body is valid JSON.',
  },
  NoValidSession: {
    status: 401,
    text: 'There is no valid session established with the implementation.',
    severity: 'Critical',
    resolution: 'Establish a session before attempting any operations.',
  },
  OperationNotAllowed: {
    status: 405,
    text: 'The HTTP method is not allowed on this resource.',
    severity: 'Critical',
    resolution: 'Use one of the methods in the Allow header.',
  },
  PayloadTooLarge: {
    status: 413,
    text: 'The supplied payload exceeds the maximum size supported by the service.',
    severity: 'Critical',
    resolution: 'Send less.',
  },
  PreconditionRequired: {
    status: 428,
    text: 'A precondition header or annotation is required to change this resource.',
    severity: 'Critical',
    resolution: 'Send the ETag of the resource in If-Match.',
  },
  PreconditionFailed: {
    status: 412,
    text: 'The ETag supplied did not match the ETag required to change this resource.',
    severity: 'Critical',
    resolution: 'Read the resource again and use its new ETag.',
  },
  PropertyMissing: {
    status: 400,
    text: 'The property %1 is a required property and must be included in the request.',
    severity: 'Warning',
    resolution: 'Include the property with a valid value.',
  },
  PropertyNotWritable: {
    status: 400,
    text: 'The property %1 is a read-only property and cannot be assigned a value.',
    severity: 'Warning',
    resolution: 'Leave the property out.',
  },
  PropertyUnknown: {
    status: 400,
    text: 'The property %1 is not in the list of valid properties for the resource.',
    severity: 'Warning',
    resolution: 'Leave the property out.',
  },
  PropertyValueFormatError: {
    status: 400,
    text: 'The value %1 for the property %2 is not a format that the property can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the property.',
  },
  PropertyValueNotInList: {
    status: 400,
    text: 'The value %1 for the property %2 is not in the list of acceptable values.',
    severity: 'Warning',
    resolution: 'Choose a value that the resource supports.',
  },
  PropertyValueTypeError: {
    status: 400,
    text: 'The value %1 for the property %2 is not a type that the property can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the property.',
  },
  ResourceAlreadyExists: {
    status: 400,
    text: 'The requested resource of type %1 with the property %2 with the value %3 already exists.',
    severity: 'Critical',
    resolution: 'Do not repeat the create operation.',
  },
  ResourceMissingAtURI: {
    status: 404,
    text: 'The resource at the URI %1 was not found.',
    severity: 'Critical',
    resolution: 'Correct the URI.',
  },
  ServiceDisabled: {
    status: 503,
    text: 'The operation failed because the service at %1 is disabled and cannot accept requests.',
    severity: 'Critical',
    resolution: 'Enable the service.',
  },
  ServiceTemporarilyUnavailable: {
    status: 503,
    text: 'The service is temporarily unavailable. Retry in %1 seconds.',
    severity: 'Critical',
    resolution: 'Wait for the indicated time and retry.',
  },
  SessionLimitExceeded: {
    status: 503,
    text: 'The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.',
    severity: 'Critical',
    resolution: 'End other sessions first.',
  },
  UnrecognizedRequestBody: {
    status: 400,
    text: 'The service detected a malformed request body that it was unable to interpret.',
    severity: 'Warning',
    resolution: 'Send a JSON object.',
  },
} satisfies Record<string, MessageTemplate>;

/** The messages of the Base registry that the simulator sends. */
export type MessageName = keyof typeof MESSAGES;

/** One thing wrong with a request. */
export interface Complaint {
  name: MessageName;
  /** The message's arguments, in the registry's order. */
  args: string[];
  /** The property at fault, as a JSON Pointer fragment (`#/Destination`); absent when it is not about one. */
  property?: string;
}

/** The answer that refuses a request for one reason. `args` are the message's arguments, in the registry's order. */
export function refuse(name: MessageName, ...args: string[]): Answer {
  return refuseAll([{ name, args }]);
}

/**
 * The answer that refuses a request for all of `complaints` (at least one); the status is the first one's.
 * The body is DSP0266's "Error responses": with several messages `code` and `message` are GeneralError's.
 */
export function refuseAll(complaints: Complaint[]): Answer {
  const first = complaints[0] ?? { name: 'GeneralError', args: [] };
  return {
    status: MESSAGES[first.name].status,
    headers: { 'Content-Type': 'application/json' },
    body: errorBody(complaints.length === 1 ? first : { name: 'GeneralError', args: [] }, complaints),
  };
}

/** A message of a vendor's own registry. */
export interface VendorMessage {
  /** With registry and version: `IDRAC.2.8.SYS518`. */
  id: string;
  /** With the arguments filled in. */
  text: string;
  args?: string[];
  severity?: 'Warning' | 'Critical';
  resolution?: string;
  /** As the vendor writes them: `#/Context`. */
  relatedProperties?: string[];
}

/** The answer that refuses a request with a message of a vendor's registry. */
export function refuseAsVendor(status: number, message: VendorMessage): Answer {
  const { id, text, args = [], severity = 'Warning', resolution = 'None.', relatedProperties } = message;
  const entry = { MessageId: id, Message: text, MessageArgs: args, Severity: severity, Resolution: resolution };
  return {
    status,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      error: {
        code: `${REGISTRY}.GeneralError`,
        message: fill({ name: 'GeneralError', args: [] }),
        '@Message.ExtendedInfo': [relatedProperties ? { ...entry, RelatedProperties: relatedProperties } : entry],
      },
    }),
  };
}

/** The body of an answer that says nothing but that all went well (DSP0266, "Success responses"). */
export function successBody(name: 'Created' | 'Success'): string {
  const text = name === 'Created' ? 'The resource was created successfully.' : 'The request completed successfully.';
  const entry = {
    MessageId: `${REGISTRY}.${name}`,
    Message: text,
    MessageArgs: [],
    Severity: 'OK',
    Resolution: 'None.',
  };
  return JSON.stringify({
    error: { code: `${REGISTRY}.${name}`, message: text, '@Message.ExtendedInfo': [entry] },
  });
}

/** The text of an error body that says `head` and carries `complaints` as its ExtendedInfo. */
export function errorBody(head: Complaint, complaints: Complaint[]): string {
  return JSON.stringify({
    error: {
      code: `${REGISTRY}.${head.name}`,
      message: fill(head),
      '@Message.ExtendedInfo': complaints.map(extendedInfo),
    },
  });
}

/** `value` as a message's argument. */
export function shown(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function extendedInfo(complaint: Complaint): JsonObject {
  const { severity, resolution } = MESSAGES[complaint.name];
  return {
    '@odata.type': '#Message.v1_1_1.Message',
    MessageId: `${REGISTRY}.${complaint.name}`,
    Message: fill(complaint),
    MessageArgs: complaint.args,
    MessageSeverity: severity,
    Severity: severity,
    Resolution: resolution,
    ...(complaint.property === undefined ? {} : { RelatedProperties: [`#/${complaint.property}`] }),
  };
}

function fill({ name, args }: Complaint): string {
  return MESSAGES[name].text.replace(/%(\d)/g, (_, number: string) => args[Number(number) - 1] ?? '');
}
