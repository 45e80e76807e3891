# Garrison: a small image with one program in it. Needs BuildKit, as Docker has from 23 on.
#   docker build -t garrison .
#   docker run --read-only --tmpfs /data:uid=65532,gid=65532 -e GARRISON_DATABASE_URL=… -p 8080:8080 garrison
# There is no Postgres in it: it needs GARRISON_DATABASE_URL. Another mirror or version: --build-arg RUST=… --build-arg BASE=…
ARG RUST=rust:1.95-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY tests/main.rs tests/main.rs
COPY refinery_migrations refinery_migrations
COPY sql sql
COPY src src
# Registry and objects are kept between builds by the builder, not by layers.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin garrison \
    && install -D -m 0755 target/release/garrison /out/usr/local/bin/garrison \
    && strip --strip-debug /out/usr/local/bin/garrison \
    && install -d -m 0711 -o 65532 -g 65532 /out/data

FROM ${BASE}
COPY --from=build /out/ /
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV GARRISON_LISTEN=0.0.0.0:8080 \
    GARRISON_DATA_DIR=/data
WORKDIR /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/garrison", "health"]
ENTRYPOINT ["/usr/local/bin/garrison"]
CMD ["serve"]
