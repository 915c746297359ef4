import type { Json, JsonObject } from '../core/json.ts';
import type { RedfishResponse } from './bmc.ts';

/** A message of Redfish's Base registry (DSP8011). */
interface MessageTemplate {
  /** The status of a response with this message; 400 by default. */
  status?: number;
  /** `%1`, `%2` … are the arguments. */
  text: string;
  /** Critical by default. */
  severity?: 'Warning' | 'Critical';
  resolution: string;
}

const REGISTRY = 'Base.1.18';

const MESSAGES = {
  AccessDenied: {
    status: 401,
    text: 'While attempting to establish a connection to %1, the service denied access.',
    resolution: 'Use the credentials of an account of this BMC.',
  },
  ActionNotSupported: {
    text: 'The action %1 is not supported by the resource.',
    resolution: 'Choose an action that is simulated.',
  },
  ActionParameterMissing: {
    text: 'The action %1 requires the parameter %2 to be present in the request body.',
    resolution: 'Supply the action with the required parameter.',
  },
  ActionParameterUnknown: {
    text: 'The action %1 was submitted with the invalid parameter %2.',
    severity: 'Warning',
    resolution: 'Leave the parameter out.',
  },
  ActionParameterValueNotInList: {
    text: 'The value %1 for the parameter %2 in the action %3 is not in the list of acceptable values.',
    severity: 'Warning',
    resolution: 'Choose one of the allowable values.',
  },
  ActionParameterValueTypeError: {
    text: 'The value %1 for the parameter %2 in the action %3 is not a type that the parameter can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the parameter.',
  },
  EmptyJSON: {
    text: 'The request body submitted contained an empty JSON object and the service is unable to process it.',
    severity: 'Warning',
    resolution: 'Add properties to the JSON object.',
  },
  EventBufferExceeded: {
    text: 'Undelivered events may have been lost due to a lack of buffer space in the service.',
    severity: 'Warning',
    resolution: 'Read the logs of the service.',
  },
  EventSubscriptionLimitExceeded: {
    status: 503,
    text: 'The event subscription failed due to the number of simultaneous subscriptions exceeding the limit of the implementation.',
    resolution: 'Delete other subscriptions first.',
  },
  GeneralError: {
    status: 500,
    text: 'A general error has occurred. See Resolution for information on how to resolve the error, or @Message.ExtendedInfo if Resolution is not provided.',
    resolution: 'See the other messages.',
  },
  HeaderInvalid: {
    status: 412,
    text: 'Header %1 is invalid.',
    resolution: 'Correct the header, or leave it out.',
  },
  InternalError: {
    status: 500,
    text: 'The request failed due to an internal service error. The service is still operational.',
    resolution: 'Resubmit the request.',
  },
  MalformedJSON: {
    text: 'The request body submitted was malformed JSON and could not be parsed by the receiving service.',
    resolution: 'Ensure that the request body is valid JSON.',
  },
  NoValidSession: {
    status: 401,
    text: 'There is no valid session established with the implementation.',
    resolution: 'Establish a session before attempting any operations.',
  },
  OperationNotAllowed: {
    status: 405,
    text: 'The HTTP method is not allowed on this resource.',
    resolution: 'Use one of the methods in the Allow header.',
  },
  PayloadTooLarge: {
    status: 413,
    text: 'The supplied payload exceeds the maximum size supported by the service.',
    resolution: 'Send less.',
  },
  PreconditionRequired: {
    status: 428,
    text: 'A precondition header or annotation is required to change this resource.',
    resolution: 'Send the ETag of the resource in If-Match.',
  },
  PreconditionFailed: {
    status: 412,
    text: 'The ETag supplied did not match the ETag required to change this resource.',
    resolution: 'Read the resource again and use its new ETag.',
  },
  PropertyMissing: {
    text: 'The property %1 is a required property and must be included in the request.',
    severity: 'Warning',
    resolution: 'Include the property with a valid value.',
  },
  PropertyNotWritable: {
    text: 'The property %1 is a read-only property and cannot be assigned a value.',
    severity: 'Warning',
    resolution: 'Leave the property out.',
  },
  PropertyUnknown: {
    text: 'The property %1 is not in the list of valid properties for the resource.',
    severity: 'Warning',
    resolution: 'Leave the property out.',
  },
  PropertyValueFormatError: {
    text: 'The value %1 for the property %2 is not a format that the property can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the property.',
  },
  PropertyValueNotInList: {
    text: 'The value %1 for the property %2 is not in the list of acceptable values.',
    severity: 'Warning',
    resolution: 'Choose a value that the resource supports.',
  },
  PropertyValueTypeError: {
    text: 'The value %1 for the property %2 is not a type that the property can accept.',
    severity: 'Warning',
    resolution: 'Correct the value of the property.',
  },
  ResourceAlreadyExists: {
    text: 'The requested resource of type %1 with the property %2 with the value %3 already exists.',
    resolution: 'Do not repeat the create operation.',
  },
  ResourceMissingAtURI: {
    status: 404,
    text: 'The resource at the URI %1 was not found.',
    resolution: 'Correct the URI.',
  },
  ServiceDisabled: {
    status: 503,
    text: 'The operation failed because the service at %1 is disabled and cannot accept requests.',
    resolution: 'Enable the service.',
  },
  ServiceTemporarilyUnavailable: {
    status: 503,
    text: 'The service is temporarily unavailable. Retry in %1 seconds.',
    resolution: 'Wait for the indicated time and retry.',
  },
  SessionLimitExceeded: {
    status: 503,
    text: 'The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.',
    resolution: 'End other sessions first.',
  },
  UnrecognizedRequestBody: {
    text: 'The service detected a malformed request body that it was unable to interpret.',
    severity: 'Warning',
    resolution: 'Send a JSON object.',
  },
} satisfies Record<string, MessageTemplate>;

type MessageName = keyof typeof MESSAGES;

/** The messages as a registry has them: severity, text and resolution by name. */
export const BASE_MESSAGES = Object.fromEntries(
  Object.entries<MessageTemplate>(MESSAGES).map(([name, { severity = 'Critical', text, resolution }]) => [
    name,
    [severity, text, resolution] as const,
  ]),
);

/** A message of the Base registry with its arguments. */
export interface Message {
  name: MessageName;
  /** In the registry's order. */
  args: string[];
  /** The property that the message is about, such as `Destination`. */
  property?: string;
}

const GENERAL_ERROR: Message = { name: 'GeneralError', args: [] };

/** Returns the error response with one message. */
export function refuse(name: MessageName, ...args: string[]): RedfishResponse {
  return refuseAll([{ name, args }]);
}

/** Returns the error response with all `messages` (at least one) and the status of the first. */
export function refuseAll(messages: Message[]): RedfishResponse {
  const { status = 400 }: MessageTemplate = MESSAGES[messages[0]!.name];
  return { status, headers: { 'Content-Type': 'application/json' }, body: errorBody(messages) };
}

/** Returns the body of an error (DSP0266, "Error responses"): with several messages it is headed by GeneralError. */
export function errorBody(messages: Message[]): string {
  const head = messages.length === 1 ? messages[0]! : GENERAL_ERROR;
  return errorObject(`${REGISTRY}.${head.name}`, fill(head), messages.map(extendedInfo));
}

/** A message of a vendor's own registry. */
export interface VendorMessage {
  /** With registry and version: `IDRAC.2.8.SYS518`. */
  id: string;
  /** With the arguments filled in. */
  text: string;
  args?: string[];
  severity?: 'OK' | 'Warning' | 'Critical';
  resolution?: string;
  /** As the vendor writes them: `#/Context`. */
  relatedProperties?: string[];
}

/** Returns the error response with a message of a vendor's registry. */
export function refuseAsVendor(status: number, message: VendorMessage): RedfishResponse {
  const body = errorObject(`${REGISTRY}.GeneralError`, fill(GENERAL_ERROR), [vendorInfo(message)]);
  return { status, headers: { 'Content-Type': 'application/json' }, body };
}

/** Returns the body of a response that reports nothing but success (DSP0266, "Success responses"). */
export function successBody(name: 'Created' | 'Success'): string {
  const id = `${REGISTRY}.${name}`;
  const text = name === 'Created' ? 'The resource was created successfully.' : 'The request completed successfully.';
  return errorObject(id, text, [vendorInfo({ id, text, severity: 'OK' })]);
}

/** Returns `value` as a message's argument. */
export function asArgument(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function errorObject(code: string, message: string, info: JsonObject[]): string {
  return JSON.stringify({ error: { code, message, '@Message.ExtendedInfo': info } });
}

function extendedInfo(message: Message): JsonObject {
  const { severity = 'Critical', resolution }: MessageTemplate = MESSAGES[message.name];
  return {
    '@odata.type': '#Message.v1_1_1.Message',
    MessageId: `${REGISTRY}.${message.name}`,
    Message: fill(message),
    MessageArgs: message.args,
    MessageSeverity: severity,
    Severity: severity,
    Resolution: resolution,
    ...(message.property === undefined ? {} : { RelatedProperties: [`#/${message.property}`] }),
  };
}

function vendorInfo(message: VendorMessage): JsonObject {
  const { id, text, args = [], severity = 'Warning', resolution = 'None.', relatedProperties } = message;
  return {
    MessageId: id,
    Message: text,
    MessageArgs: args,
    Severity: severity,
    Resolution: resolution,
    ...(relatedProperties && { RelatedProperties: relatedProperties }),
  };
}

function fill({ name, args }: Message): string {
  return MESSAGES[name].text.replace(/%(\d)/g, (_, number: string) => args[Number(number) - 1] ?? '');
}
