# waxbill in two images, from this checkout alone:
#
#   docker build --target mock -t waxbill:mock .          the simulator, on Alpine
#   docker build --target browser -t waxbill:browser .    WhatsApp Web in a browser, on Debian
#
# Every RUN step uses only what any base with Python and pip has, so that BASE can be another one; Debian's packages are
# needed for the browser alone. Dependencies are pinned with hashes in deploy/*.lock. Builds for amd64 and arm64.

# WAXBILL_IMAGE says which one a build without a target makes (some platforms know no targets, but pass on variables).
ARG WAXBILL_IMAGE=mock
# More plugins, by the names of their folders: --build-arg PLUGINS="postgres s3" for workers on one database, with media in a bucket.
ARG PLUGINS=
ARG BASE=python:3.13-alpine
ARG BROWSER_BASE=python:3.13-slim-bookworm

# -- the wheels of this checkout
FROM ${BASE} AS wheels
WORKDIR /src
COPY deploy/build.lock deploy/
RUN python3 -m venv --without-pip /build \
    && python3 -m pip --python /build/bin/python install --no-cache-dir --only-binary=:all: --require-hashes -r deploy/build.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY core core
COPY plugins plugins
ENV PATH=/build/bin:$PATH
ARG PLUGINS
RUN hatchling build -t wheel -d /wheels \
    && for plugin in mock monitor $PLUGINS; do (cd "plugins/$plugin" && hatchling build -t wheel -d /wheels) || exit 1; done
FROM wheels AS browser-wheels
RUN cd plugins/browser && hatchling build -t wheel -d /wheels

# -- the simulator: the base, the environment in /opt/waxbill, nothing that a server does not use
FROM ${BASE} AS mock-root
ARG PLUGINS
COPY deploy/*.lock deploy/slim.py /tmp/deploy/
COPY --from=wheels /wheels /tmp/wheels
RUN python3 -m venv --without-pip /opt/waxbill \
    && pip="python3 -m pip --python /opt/waxbill/bin/python install --no-cache-dir --no-compile" \
    && for name in mock $PLUGINS; do \
        $pip --only-binary=:all: --require-hashes -r "/tmp/deploy/$name.lock" || exit 1; done \
    && $pip --no-deps /tmp/wheels/*.whl \
    && python3 /tmp/deploy/slim.py /opt/waxbill \
    && rm -rf /tmp/wheels /tmp/deploy ~/.cache \
    && mkdir -p /data && chown 10001:10001 /data

# -- WhatsApp Web: a headless browser and its driver. Two packages of a desktop (with Perl, Mesa and LLVM: 280 MB) are said
#    to be there, and the driver is taken out of its package, which would bring the whole desktop browser.
FROM ${BROWSER_BASE} AS browser-root
WORKDIR /tmp/no-desktop
RUN mkdir DEBIAN && printf '%s\n' 'Package: no-desktop' 'Version: 1' 'Architecture: all' 'Maintainer: waxbill' \
        'Provides: x11-utils, xdg-utils' 'Description: stands for what only a desktop needs' >DEBIAN/control \
    && dpkg-deb --build . /tmp/no-desktop.deb \
    && apt-get update \
    && apt-get install -y --no-install-recommends /tmp/no-desktop.deb chromium-headless-shell fonts-dejavu-core \
    && apt-get download chromium-driver && dpkg-deb -x chromium-driver_*.deb . && cp usr/bin/chromedriver /usr/bin/ \
    && rm -rf /tmp/no-desktop* /var/lib/apt/lists/*
WORKDIR /
ARG PLUGINS
COPY deploy/*.lock deploy/slim.py /tmp/deploy/
COPY --from=browser-wheels /wheels /tmp/wheels
RUN python3 -m venv --without-pip /opt/waxbill \
    && pip="python3 -m pip --python /opt/waxbill/bin/python install --no-cache-dir --no-compile" \
    && for name in browser $PLUGINS; do \
        $pip --only-binary=:all: --require-hashes -r "/tmp/deploy/$name.lock" || exit 1; done \
    && $pip --no-deps /tmp/wheels/*.whl \
    && python3 /tmp/deploy/slim.py /opt/waxbill \
    && rm -rf /tmp/wheels /tmp/deploy ~/.cache \
    && mkdir -p /data && chown 10001:10001 /data

# -- the images: one layer of files each, so that what was taken out takes no room
FROM scratch AS image
ENV PATH=/opt/waxbill/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PORT=3000 WAXBILL_HOST=0.0.0.0 WAHA_LOCAL_STORE_BASE_DIR=/data
LABEL org.opencontainers.image.title="waxbill" \
    org.opencontainers.image.description="The WAHA-compatible WhatsApp HTTP API that fits in 512 MB" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="0.1.0"
USER 10001:10001
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["waxbill", "health"]
ENTRYPOINT ["waxbill"]
CMD ["serve"]

FROM image AS browser
COPY --from=browser-root / /
WORKDIR /data

FROM image AS mock
COPY --from=mock-root / /
WORKDIR /data

# hadolint ignore=DL3006
FROM ${WAXBILL_IMAGE}
