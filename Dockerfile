# Tandem's images, one target each: operator, gateway, emulator and vllm.
# docs/how-to/images.md tells how to build them, and what each argument is for.
ARG BASE=python:3.11-slim-bookworm
ARG VLLM_IMAGE=vllm/vllm-openai:v0.32.0

# The project itself, without what it depends on: one folder that any interpreter can import from.
FROM ${BASE} AS tools
ARG PIP_CERT
ARG PIP_FIND_LINKS
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ENV PIP_CERT=$PIP_CERT PIP_FIND_LINKS=$PIP_FIND_LINKS PIP_INDEX_URL=$PIP_INDEX_URL PIP_NO_INDEX=$PIP_NO_INDEX \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_PROGRESS_BAR=off PIP_QUIET=1
WORKDIR /build
RUN python3 -m venv /tools && python3 -m venv --without-pip /packages
ENV PATH=/tools/bin:$PATH

FROM tools AS project
COPY requirements/build.txt .
RUN pip install --require-hashes -r build.txt
COPY LICENSE README.md pyproject.toml ./
COPY engine engine
COPY operator operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheel . \
    && pip install --no-deps --target /project wheel/*.whl \
    && sed -i '1s|.*|#!/usr/bin/env python3|' /project/bin/*

# What each process depends on, as locked: an environment of its own. Bytecode of every module that the
# Kubernetes client has is 50 MB, so it is kept only of what the imports bring in.
FROM tools AS operator-packages
COPY requirements/operator.txt .
RUN pip --python /packages install --require-hashes --no-compile -r operator.txt \
    && /packages/bin/python -c "import cronsim, kopf, kubernetes.aio, prometheus_api_client, scipy.optimize, scipy.special"

FROM tools AS gateway-packages
COPY requirements/gateway.txt .
RUN pip --python /packages install --require-hashes --no-compile -r gateway.txt \
    && /packages/bin/python -c "import aiohttp, fastapi, httptools, kubernetes.aio, prometheus_client, uvicorn, uvloop"

FROM tools AS emulator-packages
COPY requirements/emulator.txt .
RUN pip --python /packages install --require-hashes -r emulator.txt

# A process writes nothing but to /tmp, and needs no entry in /etc/passwd: USER names it.
FROM ${BASE} AS process
ENV PATH=/packages/bin:/project/bin:$PATH PYTHONPATH=/project \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp USER=tandem
WORKDIR /tmp
USER 65532:65532

FROM process AS operator
COPY --from=operator-packages /packages /packages
COPY --from=project /project /project
ENTRYPOINT ["python", "-m", "tandem.controller"]

FROM process AS gateway
COPY --from=gateway-packages /packages /packages
COPY --from=project /project /project
ENTRYPOINT ["python", "-m", "tandem.gateway"]

FROM process AS emulator
COPY --from=emulator-packages /packages /packages
COPY --from=project /project /project
ENTRYPOINT ["tandem-engine", "emulate"]

# The engine launcher beside vLLM: the image's own interpreter runs both.
FROM ${VLLM_IMAGE} AS vllm
ENV PATH=/project/bin:$PATH PYTHONPATH=/project \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp USER=tandem
COPY --from=project /project /project
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["tandem-engine", "serve"]
