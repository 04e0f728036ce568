# One image per service: `make images`, or docker build --build-arg SERVICE=auth .
# Everything up to the last COPY is the same for all five, so a registry and a node store it once.
# The digest decides, the tag is for readers; a new one: docker buildx imagetools inspect python:3.11-slim-bookworm
ARG BASE_IMAGE=python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

FROM ${BASE_IMAGE} AS build
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 UV_NO_CONFIG=1 UV_SYSTEM_CERTS=1 \
    UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv
WORKDIR /src
# uv itself comes out of the lock, by hash, into a folder that is left behind
COPY requirements.lock requirements-runtime.lock ./
RUN --mount=type=secret,id=ca-bundle,target=/run/ca-bundle.crt --mount=type=cache,target=/cache/pip \
    if [ -s /run/ca-bundle.crt ]; then export PIP_CERT=/run/ca-bundle.crt; fi && \
    awk '/^[^ ]/ {on = /^uv==/} on' requirements.lock > uv.txt && \
    python3 -m venv /opt/uv && /opt/uv/bin/python -m pip install --quiet --require-hashes -r uv.txt && \
    python3 -m venv --without-pip /opt/postrider
RUN --mount=type=secret,id=ca-bundle,target=/run/ca-bundle.crt --mount=type=cache,target=/cache/uv \
    if [ -s /run/ca-bundle.crt ]; then export SSL_CERT_FILE=/run/ca-bundle.crt; fi && \
    /opt/uv/bin/uv pip sync --quiet --python /opt/postrider/bin/python --require-hashes --only-binary :all: \
        requirements-runtime.lock && \
    /opt/postrider/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/postrider/lib
# What several services use: the libraries, the body store and the clients of the services' endpoints.
COPY libs/mailkit/src libs/mailauth/src libs/bodystore/src /common/
COPY proto/auth/src proto/queue-worker/src proto/mailstore/src /common/
RUN rm -rf /common/mailkit/testing /common/mailauth/testing.py && \
    python3 -m compileall -q --invalidation-mode unchecked-hash -s /common -p /opt/postrider/common /common
# The service's own code, alone in its folder
ARG SERVICE
COPY services/${SERVICE}/src /service/
RUN test -n "${SERVICE}" || { echo "say which service: --build-arg SERVICE=auth" >&2; exit 1; }; \
    printf 'import runpy\nrunpy.run_module("%s", run_name="__main__", alter_sys=True)\n' "$(ls /service)" > /service/__main__.py && \
    python3 -m compileall -q --invalidation-mode unchecked-hash -s /service -p /opt/postrider/service /service

FROM ${BASE_IMAGE} AS common
# Nothing is installed in a running container: what could do it goes, and so does everything that is set-uid.
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/site-packages/setuptools* \
        /usr/local/lib/python3*/site-packages/wheel* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
        /usr/lib/python3*/ensurepip /usr/lib/python3/dist-packages/pip* /usr/share/python-wheels && \
    find / -xdev -perm /6000 -type f -exec chmod a-s {} + && \
    echo 'postrider:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd && \
    echo 'postrider:x:10001:' >> /etc/group
COPY --from=build /opt/postrider /opt/postrider
COPY --from=build /common /opt/postrider/common
ENV PATH=/opt/postrider/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/opt/postrider/service:/opt/postrider/common \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1
WORKDIR /tmp
USER 10001:10001

FROM common
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="postrider/${SERVICE}" \
      org.opencontainers.image.description="Postrider, a mail service for hosting providers: ${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# `python -m PACKAGE` by way of the folder, so that one entry point fits every service; arguments are the command
ENTRYPOINT ["python", "/opt/postrider/service"]
COPY --from=build /service /opt/postrider/service
