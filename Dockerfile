# A CPU:   docker build -t acr-lightning .
# A GPU:   docker build -t acr-lightning --build-arg BASE=pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime .
# Run it:  docker run --gpus all --shm-size=8g -v "$PWD:/work" acr-lightning run --config photos.yaml
ARG BASE=python:3.11-slim
FROM ${BASE}

# pydensecrf2 is compiled where it is installed.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*

COPY . /opt/acr-lightning
RUN pip install --no-cache-dir '/opt/acr-lightning[lite0,crf,export]'

# Photos, experiment files and runs are the user's folder.
WORKDIR /work
ENTRYPOINT ["acr"]
CMD ["--help"]
