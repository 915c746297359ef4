# The service on a distroless image: Node and the bundle of the package; no shell, no npm, no root.
#
#   docker build -t passthru .
#   docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \
#     -p 6385:6385 -v passthru-data:/data -v "$PWD/etc:/etc/passthru:ro" passthru
#
# The service writes only to /data, the directory of PASSTHRU_STORE. Callers of a container are not on loopback, so the
# configuration has to listen on 0.0.0.0:6385, which requires authentication (auth.type). The ipmi driver needs the
# program ipmitool, which this image does not contain.

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json rolldown.config.ts ./
COPY gen gen
COPY src src
COPY web web
RUN npm run build && npm run build:console
# A named volume gets the owner of the directory that it covers.
RUN mkdir /data

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/dist dist
COPY --from=build /build/web/dist web/dist
COPY --from=build --chown=nonroot:nonroot /data /data
ENV NODE_ENV=production PASSTHRU_STORE=sqlite:/data/passthru.db
# A third less memory under load: docs/operating.md, "Memory".
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 NODE_OPTIONS=--max-semi-space-size=16
USER nonroot
EXPOSE 6385
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/nodejs/bin/node", "dist/src/main.js"]
CMD ["serve", "--config", "/etc/passthru/passthru.yaml"]
