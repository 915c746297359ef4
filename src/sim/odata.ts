import type { RedfishResponse } from './bmc.ts';
import type { Documents, RedfishDocument } from './documents.ts';
import { documentType, linkPath } from './documents.ts';
import { documentResponse } from './response.ts';

const XML = 'xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"';
const SCHEMAS = 'http://redfish.dmtf.org/schemas/v1';

/** Returns the OData service document (DSP0266, "OData service document"): the service root and its links. */
export function odataService(root: RedfishDocument): RedfishResponse {
  const children = Object.entries(root).flatMap(([name, value]) => {
    const url = linkPath(value);
    return url === null ? [] : [{ name, kind: 'Singleton', url }];
  });
  return documentResponse({
    '@odata.context': '/redfish/v1/$metadata',
    value: [{ name: 'Service', kind: 'Singleton', url: '/redfish/v1/' }, ...children],
  });
}

/** Returns the OData metadata document (DSP0266, "OData $metadata"): the schemas of all documents. */
export function odataMetadata(documents: Documents): RedfishResponse {
  const types = new Set([...documents.values()].map(documentType).filter((type) => type !== null));
  const references = [...types].map(
    (type) => `<edmx:Reference Uri="${SCHEMAS}/${type}_v1.xml"><edmx:Include Namespace="${type}"/></edmx:Reference>`,
  );
  const container = '<EntityContainer Name="Service" Extends="ServiceRoot.v1_0_0.ServiceContainer"/>';
  const schema = `<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">${container}</Schema>`;
  return {
    status: 200,
    headers: { 'Content-Type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<edmx:Edmx ${XML}>${references.join('')}<edmx:DataServices>${schema}</edmx:DataServices></edmx:Edmx>\n`,
  };
}

/** Returns the `Link` header with a document's schema (DSP0266, "Link header"); none for a document without a type. */
export function schemaLink(document: RedfishDocument): Record<string, string> {
  const type = document['@odata.type'];
  const [, schema] = typeof type === 'string' ? (/^#([\w.]+)\.\w+$/.exec(type) ?? []) : [];
  return schema === undefined ? {} : { Link: `<${SCHEMAS}/${schema}.json>; rel=describedby` };
}
