# Warmtalk as a container: docs/containers.md.
#
#   docker build -t warmtalk .                        the embedded engine, on the CPU
#   docker build -t warmtalk:cuda --target cuda .     the neural engine as well
#
# The last stage, for the CPU, is the default. There are no instructions that only some builders know.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BASE_IMAGE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/warmtalk/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# The packages, with pip's own options for mirrors and proxies. Nothing of this stage but the
# packages reaches the image, so addresses with passwords stay out of it.
FROM python AS packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_TRUSTED_HOST
ARG PIP_CONSTRAINT
ARG PIP_DEFAULT_TIMEOUT
# Certificates of a mirror or a proxy, as the text of a PEM file.
ARG EXTRA_CA_CERTIFICATES
RUN if [ -n "$EXTRA_CA_CERTIFICATES" ]; then \
        printf '%s\n' "$EXTRA_CA_CERTIFICATES" > /usr/local/share/ca-certificates/extra.crt \
        && update-ca-certificates; \
    fi
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/warmtalk
COPY requirements-core.txt requirements-musetalk.txt requirements-whisper.txt requirements-coqui.txt \
    requirements-enhance.txt /build/
# Other files of requirements, such as "requirements-core.txt requirements-whisper.txt".
ARG REQUIREMENTS=requirements-core.txt
RUN cd /build \
    && for file in $REQUIREMENTS; do pip install --requirement "$file" || exit 1; done \
    && find /opt/warmtalk -type d -name tests -prune -exec rm -rf {} +

FROM packages AS packages-cuda
# Some mirrors and folders of wheels have a torch without CUDA, which pip prefers: it is refused here
# and not on the machine with the GPU. Static libraries and tests are not used at run time.
RUN cd /build && pip install --requirement requirements-musetalk.txt \
    && python -c 'import torch; assert torch.version.cuda, f"torch {torch.__version__} lacks CUDA"' \
    && find /opt/warmtalk -type d -name tests -prune -exec rm -rf {} + \
    && find /opt/warmtalk -name "*.a" -delete

# The program, the face models, and the demo avatar, which is prepared here once.
FROM packages AS program
COPY . /app
WORKDIR /app
ENV WARMTALK_FACE_MODELS_DIR=/app/included/models/face
RUN python -m compileall -q --invalidation-mode unchecked-hash /app \
    && python -m warm models face --models /app/included/models \
    && python -m warm prepare --demo --results /app/included

# All but the packages, which differ between the targets.
FROM python AS runtime
COPY --from=program /app /app
# Any user may write to new volumes. The link serves commands that know no variables of containers:
# docker exec CONTAINER python -m warm keys list
RUN mkdir -p /app/storage /app/models && chmod 1777 /app/storage /app/models \
    && ln -s storage /app/results
# A user without an entry in /etc/passwd has no home otherwise.
ENV HOME=/tmp
WORKDIR /app
EXPOSE 8000
VOLUME ["/app/storage", "/app/models"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "warm.container.probe"]
ENTRYPOINT ["python", "-m", "warmtalk", "container"]

FROM runtime AS cuda
# Triton compiles the launchers of its kernels at run time (`fused_kernels`), once for each storage.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libpython3.11-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=packages-cuda /opt/warmtalk /opt/warmtalk
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TRITON_CACHE_DIR=/app/storage/cache/triton \
    TORCHINDUCTOR_CACHE_DIR=/app/storage/cache/inductor
# Not root, and not a name: Kubernetes checks numbers. Any other user works, too.
USER 1000:1000

FROM runtime AS cpu
COPY --from=packages /opt/warmtalk /opt/warmtalk
USER 1000:1000
