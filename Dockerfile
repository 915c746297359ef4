# The service on a distroless image: Node, the package and what it depends on; no shell, no npm, no root.
#
#   docker build -t passthru .
#   docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \
#     -p 6385:6385 -v passthru-data:/data -v "$PWD/etc:/etc/passthru:ro" passthru
#
# Nothing is written but /data, which PASSTHRU_STORE points to. Inside a container nobody is on loopback: the
# configuration has to listen on 0.0.0.0:6385, and therefore to say how callers prove who they are (auth.type).
# The ipmi driver needs the program ipmitool, which is not in this image.

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY gen gen
COPY src src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /dependencies
COPY package.json package-lock.json .npmrc ./
# The image has its own Node: those that npm would bring are optional.
RUN npm ci --ignore-scripts --omit=dev --omit=optional
# A named volume takes over the owner of what it covers.
RUN mkdir /data

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /dependencies/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=dependencies --chown=nonroot:nonroot /data /data
ENV NODE_ENV=production PASSTHRU_STORE=sqlite:/data/passthru.db
USER nonroot
EXPOSE 6385
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/nodejs/bin/node", "dist/src/main.js"]
CMD ["serve", "--config", "/etc/passthru/passthru.yaml"]
