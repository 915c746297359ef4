import type { Quirk } from '../bmc.ts';
import { busyQuirks } from './busy.ts';
import {
  fewRequests503,
  fewRequestsReset,
  idleClosed,
  oneRequest503,
  stallsLongConnections,
} from './connectionHabits.ts';
import { registriesNotIdentity } from './contentCoding.ts';
import {
  createBodyOnly,
  createBodyOnly200,
  createFullUrl,
  createLocationOnly,
  createNeither,
  createNoBody,
} from './createAnswer.ts';
import { ejectWantsObject400, ejectWantsObject415 } from './ejectBody.ts';
import {
  errorsAtRoot,
  errorsEmpty,
  errorsHtml,
  errorsIlo,
  errorsObject,
  errorsOnProperty,
  errorsWithoutCode,
  errorsWithoutInfo,
} from './errorForm.ts';
import { unquotedMatch, weakEtags, weakEtagsStrongMatch } from './etags.ts';
import { eventsDisabled, headersEmptyList, noEventService, noEventTypes } from './eventService.ts';
import { insertRefusesFlags, insertWantsProtocol } from './insertParameters.ts';
import { lingeringMedia } from './lingeringMedia.ts';
import { encodedLinks, slashedLinks, urlLinks } from './links.ts';
import { failedDeliveryDeletes, failedDeliveryDisables, subscriptionsLostAtRestart } from './lostSubscriptions.ts';
import { ifMatchWanted, noMediaActions } from './mediaByPatch.ts';
import { cdAndUsb, deadSlot, dvdOnly, inlineMedia, listedWhileInserted } from './mediaDevices.ts';
import { mediaNowhere, mediaUnderBoth, mediaUnderManager, mediaUnderSystem, severalManagers } from './mediaPlace.ts';
import { tls10, tls11 } from './oldTls.ts';
import { pages } from './pages.ts';
import { redirectsFromSlash, redirectsToSlash } from './redirects.ts';
import { refusesContext, refusesEventTypes, refusesProtocol, refusesRetryPolicy } from './refusedProperty.ts';
import { oneOfADestinationIdrac, oneOfADestinationIlo } from './sameDestination.ts';
import {
  basicOff,
  fewSessions,
  noSessionService,
  noSessionService401,
  noSessionsLink,
  sessionsLinkOnly,
  sessionsRefused,
} from './sessionService.ts';
import { successMessage } from './successMessage.ts';
import { tasks, tasksFail, tasksFailStatus, tasksLocationTask, tasksMonitorGone, tasksNoLocation } from './tasks.ts';

/** All named quirks, in the order in which they are listed. */
const ALL: readonly Quirk[] = [
  // Virtual media
  mediaUnderManager,
  mediaUnderSystem,
  mediaUnderBoth,
  mediaNowhere,
  severalManagers,
  dvdOnly,
  cdAndUsb,
  deadSlot,
  listedWhileInserted,
  inlineMedia,
  ejectWantsObject400,
  ejectWantsObject415,
  noMediaActions,
  ifMatchWanted,
  lingeringMedia,
  insertRefusesFlags,
  insertWantsProtocol,
  // Subscriptions
  noEventTypes,
  eventsDisabled,
  noEventService,
  createLocationOnly,
  createNoBody,
  createBodyOnly,
  createBodyOnly200,
  createNeither,
  createFullUrl,
  refusesRetryPolicy,
  refusesContext,
  refusesEventTypes,
  refusesProtocol,
  oneOfADestinationIlo,
  oneOfADestinationIdrac,
  headersEmptyList,
  subscriptionsLostAtRestart,
  failedDeliveryDeletes,
  failedDeliveryDisables,
  // Answers
  successMessage,
  errorsObject,
  errorsAtRoot,
  errorsOnProperty,
  errorsWithoutCode,
  errorsWithoutInfo,
  errorsIlo,
  errorsHtml,
  errorsEmpty,
  ...busyQuirks,
  tasks,
  tasksFail,
  tasksFailStatus,
  tasksNoLocation,
  tasksMonitorGone,
  tasksLocationTask,
  weakEtags,
  weakEtagsStrongMatch,
  unquotedMatch,
  slashedLinks,
  urlLinks,
  encodedLinks,
  pages,
  // Sessions and connections
  noSessionService,
  noSessionService401,
  sessionsRefused,
  basicOff,
  fewSessions,
  sessionsLinkOnly,
  noSessionsLink,
  redirectsToSlash,
  redirectsFromSlash,
  registriesNotIdentity,
  idleClosed,
  stallsLongConnections,
  fewRequests503,
  oneRequest503,
  fewRequestsReset,
  tls10,
  tls11,
];

/** The named quirks, by name. */
export const QUIRKS: ReadonlyMap<string, Quirk> = new Map(ALL.map((quirk) => [quirk.name, quirk]));
