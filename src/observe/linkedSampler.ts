import type { Sampler } from '@opentelemetry/sdk-trace';

/**
 * As `inner`, but a span with links is sampled when the first that it is linked to is: a job is seen when its call is.
 * @param decisions the SDK's, which is loaded only where it is configured
 */
export function linkedSampler(inner: Sampler, decisions: { sampled: number; dropped: number }): Sampler {
  return {
    shouldSample(context, traceId, name, kind, attributes, links) {
      const [link] = links;
      if (link === undefined) return inner.shouldSample(context, traceId, name, kind, attributes, links);
      return { decision: (link.context.traceFlags & 1) === 1 ? decisions.sampled : decisions.dropped };
    },
    toString: () => `LinkedSampler{${inner}}`,
  };
}
