# docker build --target cpu -t metalens .
# docker build --target cuda -t metalens:cuda .       # docker run --gpus all metalens:cuda train --device cuda …
# docker run --rm -v "$PWD:/work" metalens demo -o demo
#
# TORCH_INDEX names a package index with PyTorch for processors alone. Without it, the stage cpu holds NVIDIA's libraries, 5 GB,
# which it does not use.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .

FROM python:${PYTHON}-slim AS base
COPY constraints.txt /dist/
COPY --from=wheel /dist/ /dist/
RUN useradd --create-home metalens && mkdir /work && chown metalens /work
ENV MPLBACKEND=Agg \
    PIP_NO_CACHE_DIR=1
WORKDIR /work
ENTRYPOINT ["metalens"]
CMD ["--help"]

FROM base AS cpu
ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then python -m pip install --index-url "$TORCH_INDEX" torch; fi \
    && python -m pip install -c /dist/constraints.txt "$(ls /dist/metalens-*.whl)[all]"
USER metalens

FROM base AS cuda
RUN python -m pip install -c /dist/constraints.txt "$(ls /dist/metalens-*.whl)[all]"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER metalens
