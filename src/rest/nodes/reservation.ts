// The reservation of a node, a resource that Ironic lacks: its details, and locks that outlast a call.
import { toJson } from '@bufbuild/protobuf';
import { ReservationSchema } from '../../../gen/passthru/v1/error_pb.ts';
import { reservationToMessage } from '../../contract/node.ts';
import { invalidArgument } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Node } from '../../core/node.ts';
import { parseObjectBody } from '../body.ts';
import { readLockWait, readReservationKey } from '../callHeaders.ts';
import { clientSignal, type Exchange, enterNode } from '../context.ts';
import { readQuery } from '../query.ts';
import { sendEmpty, sendJson } from '../response.ts';

/** GET /v1/nodes/N/reservation */
export async function showReservation(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  sendJson(exchange, 200, reservationDocument(await core.nodes.get(ident)));
}

/** PUT /v1/nodes/N/reservation: locks the node */
export async function takeReservation(exchange: Exchange): Promise<void> {
  const { request, body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const document = readMembers(body, ['holder', 'reason', 'duration']);
  const holder = readText(document, 'holder');
  const reason = readText(document, 'reason');
  const duration = readDuration(document);
  const lockWait = readLockWait(request);
  const { core, ident } = enterNode(exchange);
  const signal = clientSignal(exchange);
  const { node, reservationKey } = await core.nodes.lock(ident, { holder, reason, duration, lockWait, caller, signal });
  // No cache may keep the key.
  const headers = ['Cache-Control', 'no-store'];
  sendJson(exchange, 201, { ...reservationDocument(node), reservation_key: reservationKey }, headers);
}

/** PATCH /v1/nodes/N/reservation: renews the lock */
export async function renewReservation(exchange: Exchange): Promise<void> {
  const { request, body, rawQuery, caller } = exchange;
  readQuery(rawQuery);
  const duration = readDuration(readMembers(body, ['duration']));
  const reservationKey = readReservationKey(request);
  const { core, ident } = enterNode(exchange);
  const node = await core.nodes.renewLock(ident, { reservationKey, duration, caller });
  sendJson(exchange, 200, reservationDocument(node));
}

/** DELETE /v1/nodes/N/reservation: unlocks the node */
export async function endReservation(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const reservationKey = readReservationKey(exchange.request);
  const { core, ident } = enterNode(exchange);
  await core.nodes.unlock(ident, exchange.caller, reservationKey);
  sendEmpty(exchange, 204);
}

function reservationDocument({ reservation }: Node) {
  if (reservation === null) return { reservation };
  const message = reservationToMessage(reservation);
  return { reservation: toJson(ReservationSchema, message, { useProtoFieldName: true }) };
}

/** Parses the body, which may be empty. Throws `invalid_argument` for a member that is not in `allowed`. */
function readMembers(body: Buffer, allowed: readonly string[]): JsonObject {
  const document = parseObjectBody(body);
  const unknown = Object.keys(document).find((name) => !allowed.includes(name));
  if (unknown === undefined) return document;
  throw badMember(unknown, `is not a member of this request; allowed: ${allowed.join(', ')}`);
}

function readText(document: JsonObject, name: string): string | null {
  const { [name]: text = null } = document;
  if (text === null || typeof text === 'string') return text;
  throw badMember(name, 'must be a string or null');
}

/** Reads `duration`, in seconds. Returns milliseconds; null when absent. The core enforces the maximum. */
function readDuration({ duration = null }: JsonObject): number | null {
  if (duration === null) return null;
  if (typeof duration === 'number') return Math.round(duration * 1000);
  throw badMember('duration', 'must be a number of seconds, or null to hold the node until it is unlocked');
}

function badMember(name: string, description: string) {
  return invalidArgument(name, description, `${name} ${description}`);
}
